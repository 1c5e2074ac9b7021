package imapsource_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/imapsource"
	"hawser/sync/sourcetest/dovecottest"
)

// TestKeywordAsksOnlyWhatItMust counts the commands of keyword scans.
func TestKeywordAsksOnlyWhatItMust(t *testing.T) {
	t.Parallel()
	s := newScript(t, 3)
	s.caps += " CONDSTORE"
	s.modSeq = 50
	s.start()
	src := s.source()
	one := func(cur capture.Cursor) *recorder {
		return scan(t, src, imapsource.ScanRequest{Cursor: cur, Keyword: "$Salesforce"})
	}
	first := one(capture.Cursor{Folder: "INBOX"})
	if n := s.saw("UID SEARCH KEYWORD $Salesforce"); n != 1 || len(first.mails) != 3 {
		t.Fatalf("%d searches, %d mails", n, len(first.mails))
	}
	cur := first.last(t)
	if cur.ModSeq != 50 {
		t.Fatalf("cursor %+v", cur)
	}
	before := s.saw("")
	one(cur)
	if n := s.saw("") - before; n != 1 {
		t.Errorf("nothing changed, and yet %d commands", n)
	}
	s.mu.Lock()
	s.modSeq = 60
	s.mu.Unlock()
	next := one(cur)
	if n := s.saw("UID SEARCH KEYWORD $Salesforce MODSEQ 51"); n != 1 {
		t.Errorf("%d searches by MODSEQ", n)
	}
	if cur := next.last(t); cur.ModSeq != 60 {
		t.Errorf("cursor %+v", cur)
	}
	s.mu.Lock()
	s.modSeq = 40 // restored from a backup: MODSEQ is worth nothing
	s.mu.Unlock()
	one(next.last(t))
	if n := s.saw("UID SEARCH KEYWORD $Salesforce"); n != 3 || s.saw("UID SEARCH KEYWORD $Salesforce MODSEQ") != 1 {
		t.Errorf("%d searches", n)
	}
}

func TestKeywordIsChecked(t *testing.T) {
	t.Parallel()
	s := newScript(t, 1).start()
	for _, keyword := range []string{"a b", "a\r\nb", "ä", `\Seen`, "x)"} {
		req := imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}, Keyword: keyword}
		if err := s.source().Scan(t.Context(), req, &recorder{t: t}); err == nil {
			t.Errorf("%q is accepted", keyword)
		}
	}
	if n := s.saw(""); n != 0 {
		t.Errorf("%d commands were sent", n)
	}
}

// TestCapabilitiesMissingOrLying: whatever a server announces, the same mails come.
func TestCapabilitiesMissingOrLying(t *testing.T) {
	t.Parallel()
	all := []string{"CONDSTORE", "ESEARCH", "SPECIAL-USE LIST-EXTENDED", "UIDPLUS MOVE", "LITERAL+"}
	t.Run("dovecot", func(t *testing.T) {
		t.Parallel()
		for mask := 0; mask < 1<<2; mask++ {
			var caps []string
			for i, c := range all[:2] {
				if mask&(1<<i) != 0 {
					caps = append(caps, c)
				}
			}
			t.Run(strings.Join(caps, "+"), func(t *testing.T) {
				t.Parallel()
				s := dovecottest.Start(t, dovecottest.Config{Capability: "IMAP4rev1 SASL-IR " + strings.Join(caps, " ")})
				d := newDovecotUser(t, s)
				for i := 1; i <= 4; i++ {
					d.add("INBOX", mail(i))
				}
				sameMails(t, d)
			})
		}
	})
	t.Run("lying", func(t *testing.T) {
		t.Parallel()
		s := newScript(t, 4)
		s.caps += " " + strings.Join(all, " ")
		s.answer = func(c *talk, tag, command string) bool {
			for _, unknown := range []string{"(CONDSTORE)", "RETURN (", "MODSEQ"} {
				if strings.Contains(command, unknown) {
					c.say("%s BAD what is %s?", tag, unknown)
					return true
				}
			}
			if strings.HasPrefix(command, "LIST") {
				c.say(`* LIST () "/" INBOX`)
			}
			return false
		}
		s.start()
		src := s.source()
		if _, err := src.Folders(t.Context()); err != nil {
			t.Error(err)
		}
		for _, req := range []imapsource.ScanRequest{{}, {HeadersFirst: true}, {Keyword: "x"}} {
			req.Cursor.Folder = "INBOX"
			if r := scan(t, src, req); !slices.Equal(r.numbers(t), upTo(1, 4)) {
				t.Errorf("%+v: got %v", req, r.numbers(t))
			}
		}
	})
}

func sameMails(t *testing.T, d *dovecot) {
	src := open(t, d.config())
	r := scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}, HeadersFirst: true})
	if nums := r.numbers(t); !slices.Equal(nums, upTo(1, 4)) {
		t.Errorf("got %v", nums)
	}
	d.flag("INBOX", 2, "$Salesforce")
	r = scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}, Keyword: "$Salesforce"})
	if nums := r.numbers(t); !slices.Equal(nums, []int{2}) {
		t.Errorf("by keyword: %v", nums)
	}
	d.flag("INBOX", 3, "$Salesforce")
	r = scan(t, src, imapsource.ScanRequest{Cursor: r.last(t), Keyword: "$Salesforce"})
	if nums := r.numbers(t); !slices.Equal(nums, []int{3}) {
		t.Errorf("by keyword, later: %v", nums)
	}
	folders, err := src.Folders(t.Context())
	if err != nil || !slices.Contains(folders, capture.Folder{Name: "Sent", Role: "sent"}) {
		t.Errorf("folders %v, %v", folders, err)
	}
}

// TestCutAnywhere resets the link after any number of bytes: together, a scan and those that go on
// from its cursor hand over every mail once.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	const n = 40
	s.AppendMany(t, "alice@example.org", "INBOX", n, func(i int) []byte {
		if i%10 == 9 {
			return sized(i+1, 1100<<10)
		}
		return sized(i+1, 500+i*100)
	})
	link := dovecottest.NewProxy(t, s.Addr)
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 6 {
		src, err := imapsource.New(config(link.Addr, s.TLS, "alice@example.org", "token-alice"))
		if err != nil {
			t.Fatal(err)
		}
		cur := capture.Cursor{Folder: "INBOX"}
		var seen []int
		cuts := 0
		for tries := 0; cur.Next <= n; tries++ {
			if tries == 20 {
				t.Fatalf("round %d: no end", round)
			}
			if cuts++; cuts < 6 {
				link.CutAfter(rng.Int64N(3 << 20))
			}
			r := &recorder{t: t}
			err := src.Scan(t.Context(), imapsource.ScanRequest{Cursor: cur}, r)
			if len(r.cur) > 0 {
				cur = r.last(t)
			}
			for _, m := range r.mails { // what lies behind the cursor was rolled back
				if m.item.Ref.UID < cur.Next {
					if m.problem != nil {
						t.Fatalf("round %d: %v", round, m.problem)
					}
					seen = append(seen, number(t, m.raw))
				}
			}
			if err == nil && cur.Next != n+1 {
				t.Fatalf("round %d: it ended at %v", round, cur)
			}
		}
		link.Heal()
		src.Close()
		if !slices.Equal(seen, upTo(1, n)) {
			t.Fatalf("round %d: got %v", round, seen)
		}
	}
}

// TestSlowLink: what is slow but steady is not taken for dead, nor is a slow sink. The limit is long
// against what a busy machine may add, and the work takes longer than the limit.
func TestSlowLink(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	s.AppendMany(t, "alice@example.org", "INBOX", 5, func(i int) []byte { return sized(i+1, 20000) })
	link := dovecottest.NewProxy(t, s.Addr)
	cfg := config(link.Addr, s.TLS, "alice@example.org", "token-alice")
	cfg.Timeouts.Command = 7 * time.Second
	src := open(t, cfg)
	if _, err := src.Folders(t.Context()); err != nil { // signed in at full speed
		t.Fatal(err)
	}
	link.Slow(12000) // the mails take eight seconds
	start := time.Now()
	asleep := 8 * time.Second
	r := &recorder{t: t, onMail: func(capture.Item) error {
		time.Sleep(asleep)
		asleep = 0
		return nil
	}}
	if err := src.Scan(t.Context(), imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}}, r); err != nil {
		t.Fatal(err)
	}
	if nums := r.numbers(t); !slices.Equal(nums, upTo(1, 5)) || time.Since(start) < 15*time.Second {
		t.Errorf("got %v after %v", nums, time.Since(start))
	}
	if n := link.Accepted(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestLargeMailStaysSmallInMemory streams 60 MB. It measures the process, so it runs alone.
func TestLargeMailStaysSmallInMemory(t *testing.T) {
	s := dovecottest.Start(t, dovecottest.Config{})
	const size = 60 << 20
	raw := sized(1, size)
	s.AppendMany(t, "alice@example.org", "INBOX", 1, func(int) []byte { return raw })
	raw = nil
	src := open(t, config(s.Addr, s.TLS, "alice@example.org", "token-alice"))
	runtime.GC()
	var before, during runtime.MemStats
	runtime.ReadMemStats(&before)
	c := &counter{}
	peak := &peaking{counter: c, each: func() {
		runtime.ReadMemStats(&during)
	}}
	if err := src.Scan(t.Context(), imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}}, peak); err != nil {
		t.Fatal(err)
	}
	if c.bytes != size {
		t.Errorf("%d bytes", c.bytes)
	}
	if grown := int64(during.HeapAlloc) - int64(before.HeapAlloc); grown > 12<<20 {
		t.Errorf("the heap grew by %d MB", grown>>20)
	}
	runtime.ReadMemStats(&during)
	if total := during.TotalAlloc - before.TotalAlloc; total > size/4 {
		t.Errorf("%d MB were allocated", total>>20)
	}
}

// peaking calls each in the middle of a mail.
type peaking struct {
	*counter
	each func()
}

func (p *peaking) Mail(ctx context.Context, item capture.Item, problem error) error {
	if problem != nil {
		return problem
	}
	n, err := io.CopyN(struct{ io.Writer }{io.Discard}, item.Raw, 30<<20)
	if err != nil {
		return err
	}
	p.each()
	p.bytes += n
	return p.counter.Mail(ctx, item, nil)
}

// switches returns how often this process's threads went to sleep. What other processes force upon
// them is not counted.
func switches(t testing.TB) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Skip("no /proc on this system") // there is nothing to measure with
	}
	sum := 0
	for _, task := range tasks {
		b, err := os.ReadFile("/proc/self/task/" + task.Name() + "/status")
		if err != nil {
			continue // it ended
		}
		for _, line := range strings.Split(string(b), "\n") {
			var n int
			if _, err := fmt.Sscanf(line, "voluntary_ctxt_switches: %d", &n); err == nil {
				sum += n
			}
		}
	}
	return sum
}

// TestIdleIsQuiet measures what probing two connections costs, at a faster pace than the real one
// and together with the measurement: about 0.3 context switches a second, of which half are real,
// on a machine with nothing else to do. Where every probe wakes the goroutines of the IMAP library
// it is 1. It measures the process, so it runs alone.
func TestIdleIsQuiet(t *testing.T) {
	s := dovecottest.Start(t, dovecottest.Config{})
	cfg := config(s.Addr, s.TLS, "alice@example.org", "token-alice")
	cfg.Timeouts.Probe = 200 * time.Millisecond
	w := watch(t, cfg, "INBOX", "Sent")
	within(t, 20*time.Second, "both connected", func() bool { return w.changed() == 2 })
	time.Sleep(500 * time.Millisecond)
	const allowed = 0.6
	perSecond := 0.0
	for range 5 { // the machine may be busy with something else at one moment or another
		const probes = 8 // looking costs something, too
		before := switches(t)
		time.Sleep(probes * cfg.Timeouts.Probe)
		perSecond = float64(switches(t)-before) / probes / imapsource.Defaults().Probe.Seconds()
		t.Logf("%.2f context switches per second", perSecond)
		if perSecond <= allowed {
			return
		}
	}
	t.Errorf("idling costs %.2f context switches per second", perSecond)
}
