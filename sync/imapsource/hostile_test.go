package imapsource_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/imapsource"
	"hawser/sync/sourcetest"
)

// script is a server that holds a few mails in INBOX and answers as a test tells it to.
type script struct {
	t    testing.TB
	addr string
	tls  *tls.Config

	caps     string // without IMAP4rev1
	greeting string
	validity int
	modSeq   int
	mails    map[int]string // by UID
	// answer, when set, sees each command first; true: it has answered, or hung up.
	answer func(c *talk, tag, command string) bool

	mu       sync.Mutex
	commands []string
	logins   int
	ln       net.Listener
	wg       sync.WaitGroup
	conns    map[net.Conn]struct{}
}

// talk is one connection to a script.
type talk struct {
	s *script
	c net.Conn
	r *bufio.Reader
	n int // number of this connection, from 1 on
}

func (c *talk) say(format string, args ...any) { _, _ = fmt.Fprintf(c.c, format+"\r\n", args...) }
func (c *talk) hangUp()                        { _ = c.c.Close() }

func newScript(t testing.TB, mails int) *script {
	s := &script{
		t: t, caps: "AUTH=XOAUTH2 SASL-IR IDLE", greeting: "* OK hello", validity: 7,
		mails: make(map[int]string), conns: make(map[net.Conn]struct{}),
	}
	for i := 1; i <= mails; i++ {
		s.mails[i] = string(mail(i))
	}
	return s
}

func (s *script) start() *script {
	ca, err := sourcetest.NewCA()
	if err != nil {
		s.t.Fatal(err)
	}
	cert, err := ca.Issue("127.0.0.1")
	if err != nil {
		s.t.Fatal(err)
	}
	s.tls = ca.TLSConfig()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.ln, s.addr = ln, ln.Addr().String()
	s.wg.Go(func() {
		for n := 1; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[c] = struct{}{}
			s.mu.Unlock()
			s.wg.Go(func() { s.serve(&talk{s: s, c: c, r: bufio.NewReader(c), n: n}) })
		}
	})
	s.t.Cleanup(func() {
		_ = ln.Close()
		s.mu.Lock()
		for c := range s.conns {
			_ = c.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s
}

func (s *script) source(change ...func(*imapsource.Config)) *imapsource.Source {
	cfg := config(s.addr, s.tls, "alice@example.org", "token")
	cfg.Timeouts = imapsource.Timeouts{Command: 4 * time.Second, Answer: 4 * time.Second}
	for _, f := range change {
		f(&cfg)
	}
	return open(s.t, cfg)
}

// saw returns how many commands began with prefix.
func (s *script) saw(prefix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.commands {
		if strings.HasPrefix(c, prefix) {
			n++
		}
	}
	return n
}

func (s *script) serve(c *talk) {
	defer c.hangUp()
	c.say("%s", s.greeting)
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return
		}
		tag, command, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		s.mu.Lock()
		s.commands = append(s.commands, command)
		answer := s.answer
		s.mu.Unlock()
		if answer != nil && answer(c, tag, command) {
			continue
		}
		s.plain(c, tag, command)
	}
}

// plain answers as a well-behaved server does.
func (s *script) plain(c *talk, tag, command string) {
	word, _, _ := strings.Cut(command, " ")
	switch {
	case word == "CAPABILITY":
		c.say("* CAPABILITY IMAP4rev1 %s", s.caps)
	case word == "AUTHENTICATE":
		s.mu.Lock()
		s.logins++
		s.mu.Unlock()
	case word == "EXAMINE":
		s.examine(c)
	case word == "IDLE":
		c.say("+ idling")
		if line, err := c.r.ReadString('\n'); err != nil || line != "DONE\r\n" {
			return
		}
	case strings.HasPrefix(command, "UID SEARCH"):
		c.say("* SEARCH %s", strings.Trim(fmt.Sprint(s.uids()), "[]"))
	case word == "SEARCH":
		i := strings.LastIndexByte(command, ' ')
		uid, _ := strconv.Atoi(command[i+1:])
		if seq := slices.Index(s.uids(), uid) + 1; seq > 0 {
			c.say("* SEARCH %d", seq)
		} else {
			c.say("* SEARCH")
		}
	case strings.Contains(command, "FETCH"):
		for _, uid := range s.asked(command) {
			s.fetch(c, uid, command)
		}
	}
	c.say("%s OK done", tag)
}

func (s *script) examine(c *talk) {
	uids := s.uids()
	next := 1
	if len(uids) > 0 {
		next = uids[len(uids)-1] + 1
	}
	c.say("* FLAGS (\\Seen [Gmail]/odd)")
	c.say("* OK [PERMANENTFLAGS (\\Seen [Gmail]/odd \\*)] flags")
	c.say("* %d EXISTS", len(uids))
	c.say("* OK [UIDVALIDITY %d] ok", s.validity)
	c.say("* OK [UIDNEXT %d] ok", next)
	if s.modSeq > 0 {
		c.say("* OK [HIGHESTMODSEQ %d] ok", s.modSeq)
	}
}

func (s *script) uids() []int {
	var uids []int
	for uid := range s.mails {
		uids = append(uids, uid)
	}
	slices.Sort(uids)
	return uids
}

// asked returns the UIDs that a FETCH names.
func (s *script) asked(command string) []int {
	command, byUID := strings.CutPrefix(command, "UID ")
	set := strings.Fields(command)[1]
	uids := s.uids()
	var out []int
	for _, r := range strings.Split(set, ",") {
		from, to, isRange := strings.Cut(r, ":")
		first, _ := strconv.Atoi(from)
		last := first
		if isRange {
			last, _ = strconv.Atoi(to)
		}
		for i, uid := range uids {
			n := i + 1
			if byUID {
				n = uid
			}
			if first <= n && n <= last {
				out = append(out, uid)
			}
		}
	}
	return out
}

// items returns what a FETCH asks of one mail, literals last.
func (s *script) items(uid int, command string) string {
	raw := s.mails[uid]
	items := fmt.Sprintf("UID %d", uid)
	if strings.Contains(command, "RFC822.SIZE") {
		items += fmt.Sprintf(" RFC822.SIZE %d", len(raw))
	}
	if strings.Contains(command, "FLAGS") {
		items += ` FLAGS (\Seen)`
	}
	if strings.Contains(command, "INTERNALDATE") {
		items += ` INTERNALDATE "02-Mar-2026 10:00:00 +0000"`
	}
	if i := strings.Index(command, "BODY.PEEK["); i >= 0 {
		section, rest, _ := strings.Cut(command[i+len("BODY.PEEK["):], "]")
		head := strings.Index(raw, "\r\n\r\n") + 4
		switch section {
		case "HEADER":
			raw = raw[:head]
		case "TEXT":
			raw = raw[head:]
		}
		name := "BODY[" + section + "]"
		var offset, size int
		if n, _ := fmt.Sscanf(rest, "<%d.%d>", &offset, &size); n == 2 {
			raw = raw[min(offset, len(raw)):min(offset+size, len(raw))]
			name += fmt.Sprintf("<%d>", offset)
		}
		items += fmt.Sprintf(" %s {%d}\r\n%s", name, len(raw), raw)
	}
	return items
}

func (s *script) fetch(c *talk, uid int, command string) {
	c.say("* %d FETCH (%s)", slices.Index(s.uids(), uid)+1, s.items(uid, command))
}

func isBodyFetch(command string) bool {
	return strings.Contains(command, "FETCH") && strings.Contains(command, "BODY.PEEK[]")
}

// TestHostileAnswers lets a server do to one mail of five what real servers were seen to do: all
// others arrive, and this one does or comes with the right problem.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	const odd = 3
	// each answers a FETCH mail by mail, the odd one through f; more than n odd answers are plain.
	each := func(match func(string) bool, n int, f func(c *talk, uid int, command string)) func(*script) {
		return func(s *script) {
			var mu sync.Mutex
			left := n
			s.answer = func(c *talk, tag, command string) bool {
				if !strings.Contains(command, "FETCH") || !match(command) {
					return false
				}
				for _, uid := range s.asked(command) {
					mu.Lock()
					strange := uid == odd && left != 0
					if strange {
						left--
					}
					mu.Unlock()
					if strange {
						f(c, uid, command)
					} else {
						s.fetch(c, uid, command)
					}
				}
				c.say("%s OK done", tag)
				return true
			}
		}
	}
	body := isBodyFetch
	meta := func(command string) bool { return !strings.Contains(command, "BODY") }
	flags := func(command string) bool { return strings.Contains(command, "FLAGS") }
	always := -1
	tests := map[string]struct {
		setup   func(*script)
		problem fault.Code // of the odd mail; "": it arrives
		logins  int        // at most
	}{
		"flags steal the body": {each(body, 1, func(c *talk, uid int, command string) {
			c.say(`* 3 FETCH (UID %d FLAGS (\Answered))`, uid)
			c.s.fetch(c, uid, command)
		}), "", 1},
		"flags steal the size": {each(meta, 1, func(c *talk, uid int, command string) {
			c.say(`* 3 FETCH (UID %d FLAGS (\Answered))`, uid)
		}), "", 1},
		"uid after the literal": {each(body, always, func(c *talk, uid int, command string) {
			i, lit, _ := strings.Cut(c.s.items(uid, command), " ")
			n, lit, _ := strings.Cut(lit, " ")
			c.say("* 3 FETCH (%s %s %s)", lit, i, n)
		}), "", 1},
		"unknown item": {each(body, 2, func(c *talk, uid int, command string) {
			c.say("* 3 FETCH (UID %d X-GM-MSGID 1278455344230334865)", uid)
		}), "", 3},
		"unknown item for ever": {each(func(string) bool { return true }, always, func(c *talk, uid int, command string) {
			c.say("* 3 FETCH (X-GM-MSGID 1278455344230334865 %s)", c.s.items(uid, command))
		}), fault.MailUnreadable, 4},
		"vanished and friends": {each(body, 1, func(c *talk, uid int, command string) {
			c.say("* VANISHED 1:3")
			c.say(`* XLIST (\Inbox) "/" {5}` + "\r\nINBOX")
			c.say(`* LSUB () "/" "x"`)
			c.say("* 7 FOO (bar)")
			c.say("* NO [ALERT] your mailbox is nearly full")
			c.say("* OK Still here {12}")
			c.s.fetch(c, uid, command)
		}), "", 1},
		"empty date": {each(meta, always, func(c *talk, uid int, command string) {
			if !flags(command) {
				c.s.fetch(c, uid, command)
				return
			}
			c.say(`* 3 FETCH (UID %d RFC822.SIZE 300 FLAGS () INTERNALDATE "")`, uid)
		}), "", 3},
		"flag that is no atom": {each(meta, always, func(c *talk, uid int, command string) {
			if !flags(command) {
				c.s.fetch(c, uid, command)
				return
			}
			c.say(`* 3 FETCH (UID %d FLAGS ([Gmail]/x) RFC822.SIZE 300)`, uid)
		}), "", 3},
		"short literal, then the end": {each(body, 1, func(c *talk, uid int, command string) {
			c.say("* 3 FETCH (UID %d BODY[] {300}\r\nFrom: half", uid)
			c.hangUp()
		}), "", 2},
		"short literal for ever": {each(func(c string) bool { return strings.Contains(c, "BODY") }, always, func(c *talk, uid int, command string) {
			c.say("* 3 FETCH (UID %d BODY[] {300}\r\nFrom: half", uid)
			c.hangUp()
		}), fault.MailUnreadable, 4},
		"half a literal, then silence": {each(body, 1, func(c *talk, uid int, command string) {
			c.say("* 3 FETCH (UID %d BODY[] {300}\r\nFrom: half", uid)
			_, _ = c.r.ReadString('\n')
		}), "", 2},
		"bye": {each(body, 1, func(c *talk, uid int, command string) {
			c.say("* BYE internal error")
			c.hangUp()
		}), "", 2},
		"empty body": {each(body, 1, func(c *talk, uid int, command string) {
			c.say(`* 3 FETCH (UID %d BODY[] "")`, uid)
		}), "", 1},
		"nil body": {each(body, always, func(c *talk, uid int, command string) {
			c.say(`* 3 FETCH (UID %d BODY[] NIL)`, uid)
		}), "", 1},
		"truncated by the server": {each(body, 1, func(c *talk, uid int, command string) {
			c.say("* 3 FETCH (UID %d BODY[] {20}\r\nFrom: half a mail..\n)", uid)
		}), "", 1},
		"size too large": {each(meta, always, func(c *talk, uid int, command string) {
			c.say("* 3 FETCH (UID %d RFC822.SIZE 900000)", uid)
		}), "", 1},
		"size far too small": {func(s *script) {
			s.mails[odd] = string(sized(odd, 5<<20))
			each(meta, always, func(c *talk, uid int, command string) {
				c.say("* 3 FETCH (UID %d RFC822.SIZE 10)", uid)
			})(s)
		}, "", 1},
		"literal of a terabyte": {each(body, always, func(c *talk, uid int, command string) {
			c.say("* 3 FETCH (UID %d BODY[] {1099511627776}\r\nFrom: half", uid)
		}), fault.MailUnreadable, 5},
		"no answer at all": {each(func(string) bool { return true }, always, func(*talk, int, string) {}), "", 1},
		"answer is NO": {func(s *script) {
			s.answer = func(c *talk, tag, command string) bool {
				if !isBodyFetch(command) || !slices.Contains(s.asked(command), odd) {
					return false
				}
				c.say("%s NO [EXPUNGEISSUED] some mails are gone", tag)
				return true
			}
		}, "", 1},
		"expunged meanwhile": {func(s *script) {
			s.answer = func(c *talk, tag, command string) bool {
				if isBodyFetch(command) {
					s.mu.Lock()
					delete(s.mails, odd)
					s.mu.Unlock()
				}
				return false
			}
		}, fault.MailGone, 1},
		"answers backwards": {func(s *script) {
			s.answer = func(c *talk, tag, command string) bool {
				if !strings.Contains(command, "FETCH") {
					return false
				}
				for _, uid := range slices.Backward(s.asked(command)) {
					s.fetch(c, uid, command)
				}
				c.say("%s OK done", tag)
				return true
			}
		}, "", 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, 5)
			tt.setup(s)
			s.start()
			want := make(map[uint32]string)
			for uid, raw := range s.mails {
				want[uint32(uid)] = raw
			}
			r := scan(t, s.source(), imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}})
			if name == "no answer at all" {
				// A mail that is hidden from the list does not exist for anybody.
				delete(want, odd)
			}
			var order []uint32
			for _, m := range r.mails {
				uid := m.item.Ref.UID
				order = append(order, uid)
				switch {
				case uid == odd && tt.problem != "":
					wantCode(t, m.problem, tt.problem)
				case m.problem != nil:
					t.Errorf("mail %d: %v", uid, m.problem)
				case m.raw != want[uid]:
					t.Errorf("mail %d has %d bytes, want %d: %.60q", uid, len(m.raw), len(want[uid]), m.raw)
				}
			}
			if len(order) != len(want) || !slices.IsSorted(order) {
				t.Errorf("mails came as %v", order)
			}
			if cur := r.last(t); cur.Next != 6 {
				t.Errorf("the cursor is %v", cur)
			}
			if s.logins > tt.logins {
				t.Errorf("%d sign-ins, want %d at most", s.logins, tt.logins)
			}
		})
	}
}

// TestGoodbyeOfABusyServerIsNoMailsFault: a server that hangs up because it is busy says nothing
// about the only mail there is.
func TestGoodbyeOfABusyServerIsNoMailsFault(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1000, 3 << 20} {
		s := newScript(t, 0)
		s.mails[1] = string(sized(1, size))
		s.answer = func(c *talk, _, command string) bool {
			if strings.Contains(command, "BODY") {
				c.say("* BYE [UNAVAILABLE] Too many connections")
				c.hangUp()
			}
			return strings.Contains(command, "BODY")
		}
		s.start()
		r := &recorder{t: t}
		err := s.source().Scan(t.Context(), imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}}, r)
		wantCode(t, err, fault.MailBusy)
		if len(r.cur) != 0 {
			t.Errorf("%d bytes: the cursor passed the mail: %v", size, r.cur)
		}
	}
}

// TestSystematicFaultKeepsTheMails: when no mail can be read, the server is broken, not the mails.
func TestSystematicFaultKeepsTheMails(t *testing.T) {
	t.Parallel()
	s := newScript(t, 30)
	s.answer = func(c *talk, tag, command string) bool {
		if !strings.Contains(command, "BODY") {
			return false
		}
		c.say("%s BAD what?", tag)
		return true
	}
	s.start()
	r := &recorder{t: t}
	err := s.source().Scan(t.Context(), imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}}, r)
	wantCode(t, err, fault.MailProtocol)
	if len(r.mails) != 0 || len(r.cur) != 0 {
		t.Errorf("%d mails were given up, cursors %v", len(r.mails), r.cur)
	}
}

// TestErrorsHoldNoContent: what a broken server says may be a piece of a mail.
func TestErrorsHoldNoContent(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"CANARY", "* 1 CANARY (x", `* LIST (CANARY] "/"`, "* 1 FETCH (CANARY 1)", "* BYE CANARY", `T4 NO CANARY`, "T4 BAD [CANARY CANARY] CANARY"} {
		s := newScript(t, 1)
		s.answer = func(c *talk, tag, command string) bool {
			if strings.HasPrefix(command, "EXAMINE") {
				c.say("%s", strings.Replace(line, "T4", tag, 1))
				c.hangUp()
				return true
			}
			return false
		}
		s.start()
		err := s.source().Scan(t.Context(), imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}}, &recorder{t: t})
		if err == nil || strings.Contains(strings.ToUpper(strings.ReplaceAll(err.Error(), "[CANARY]", "")), "CANARY") {
			t.Errorf("%q: %v", line, err)
		}
	}
}
