package imapsource_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/imapsource"
	"hawser/sync/sourcetest"
	"hawser/sync/sourcetest/dovecottest"
)

// server is what the contract needs of an IMAP server.
type server interface {
	config() imapsource.Config // a mailbox of its own
	add(folder string, raw []byte, flags ...string)
	flag(folder string, uid uint32, flag string)
	remove(folder string, uid uint32)
	renumber(folder string)
}

// dovecot is the real one.
type dovecot struct {
	t    testing.TB
	s    *dovecottest.Server
	user string
}

func (d *dovecot) config() imapsource.Config {
	return config(d.s.Addr, d.s.TLS, d.user, "token-"+d.user)
}

func (d *dovecot) add(folder string, raw []byte, flags ...string) {
	d.s.Append(d.t, d.user, folder, raw, flags...)
}

func (d *dovecot) flag(folder string, uid uint32, flag string) {
	d.s.Do(d.t, d.user, "SELECT "+folder, fmt.Sprintf("UID STORE %d +FLAGS (%s)", uid, flag))
}

func (d *dovecot) remove(folder string, uid uint32) {
	d.s.Do(d.t, d.user, "SELECT "+folder, fmt.Sprintf(`UID STORE %d +FLAGS (\Deleted)`, uid), "EXPUNGE")
}

func (d *dovecot) renumber(folder string) {
	d.s.Do(d.t, d.user, "SELECT "+folder, "CREATE copy", "COPY 1:* copy", "CLOSE", "DELETE "+folder, "RENAME copy "+folder)
}

func TestContractDovecot(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	contract(t, func(t *testing.T) server { return newDovecotUser(t, s) })
}

// newDovecotUser returns a fresh mailbox on s.
func newDovecotUser(t testing.TB, s *dovecottest.Server) *dovecot {
	user := strings.ToLower(strings.NewReplacer("/", "-", "#", "-", "+", "-").Replace(t.Name())) + "@example.org"
	s.Accept("token-"+user, user)
	return &dovecot{t: t, s: s, user: user}
}

// contract is what every server has to fulfil for the adapter to work, and the adapter for the
// engine.
func contract(t *testing.T, fresh func(*testing.T) server) {
	tests := map[string]func(*testing.T, server){
		"folders":           contractFolders,
		"scan":              contractScan,
		"cursor":            contractCursor,
		"headers first":     contractHeadersFirst,
		"keyword":           contractKeyword,
		"renumbered":        contractRenumbered,
		"large":             contractLarge,
		"list":              contractList,
		"fetch":             contractFetch,
		"watch":             contractWatch,
		"missing":           contractMissing,
		"sink error":        contractSinkError,
		"gone":              contractGone,
		"folder in Chinese": contractFolderName,
		"choosing":          contractChoosing,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

func contractFolders(t *testing.T, s server) {
	s.add("Salesforce", mail(1))
	src := open(t, s.config())
	folders, err := src.Folders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []capture.Folder{{Name: "INBOX", Role: "inbox"}, {Name: "Sent", Role: "sent"}, {Name: "Salesforce"}} {
		if !slices.Contains(folders, want) {
			t.Errorf("%v is not among %v", want, folders)
		}
	}
}

func contractScan(t *testing.T, s server) {
	for i := 1; i <= 7; i++ {
		s.add("Salesforce", sized(i, 200+i*1000), `\Seen`)
	}
	src := open(t, s.config())
	r := scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "Salesforce"}})
	if nums := r.numbers(t); !slices.Equal(nums, upTo(1, 7)) {
		t.Fatalf("got mails %v", nums)
	}
	for i, m := range r.mails {
		if m.raw != string(sized(i+1, 200+(i+1)*1000)) {
			t.Errorf("mail %d differs", i+1)
		}
		if m.item.Size != int64(len(m.raw)) || m.item.Ref.Folder != "Salesforce" || m.item.Ref.UID == 0 || m.item.Ref.Validity == 0 {
			t.Errorf("mail %d: %+v", i+1, m.item)
		}
		if age := time.Since(m.item.Received); age < -time.Minute || age > time.Hour {
			t.Errorf("mail %d was received %v ago", i+1, age)
		}
		if !slices.Contains(m.item.Flags, `\Seen`) {
			t.Errorf("mail %d has flags %v", i+1, m.item.Flags)
		}
	}
	// Nothing may have been changed by reading.
	s.add("Salesforce", mail(8))
	r = scan(t, src, imapsource.ScanRequest{Cursor: r.last(t)})
	if nums := r.numbers(t); !slices.Equal(nums, []int{8}) || slices.Contains(r.mails[0].item.Flags, `\Seen`) {
		t.Fatalf("got %v with flags %v", nums, r.mails[0].item.Flags)
	}
	again := scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "Salesforce"}})
	if slices.Contains(again.mails[7].item.Flags, `\Seen`) {
		t.Error("reading a mail marked it as read")
	}
}

func contractCursor(t *testing.T, s server) {
	s.add("Salesforce", mail(1))
	s.add("Salesforce", mail(2))
	src := open(t, s.config())
	first := scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "Salesforce"}})
	idle := scan(t, src, imapsource.ScanRequest{Cursor: first.last(t)})
	if len(idle.mails) != 0 {
		t.Errorf("nothing new, and yet %v", idle.numbers(t))
	}
	s.add("Salesforce", mail(3))
	next := scan(t, src, imapsource.ScanRequest{Cursor: first.last(t)})
	if nums := next.numbers(t); !slices.Equal(nums, []int{3}) {
		t.Errorf("got %v", nums)
	}
}

func contractHeadersFirst(t *testing.T, s server) {
	for i := 1; i <= 6; i++ {
		s.add("Salesforce", mail(i))
	}
	src := open(t, s.config())
	r := &recorder{t: t, want: func(head string) bool { return number(t, head)%2 == 0 }}
	req := imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "Salesforce"}, HeadersFirst: true}
	if err := src.Scan(t.Context(), req, r); err != nil {
		t.Fatal(err)
	}
	if len(r.heads) != 6 || !strings.HasSuffix(r.heads[0], "\r\n\r\n") || strings.Contains(r.heads[0], "line 0") {
		t.Errorf("got %d header blocks, the first %q", len(r.heads), r.heads[0])
	}
	if nums := r.numbers(t); !slices.Equal(nums, []int{2, 4, 6}) {
		t.Errorf("got %v", nums)
	}
}

func contractKeyword(t *testing.T, s server) {
	for i := 1; i <= 5; i++ {
		s.add("INBOX", mail(i))
	}
	src := open(t, s.config())
	all := scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}})
	uid := func(i int) uint32 { return all.mails[i-1].item.Ref.UID }
	s.flag("INBOX", uid(2), "$Salesforce")
	s.flag("INBOX", uid(4), "$Salesforce")

	byKeyword := func(cur capture.Cursor) (*recorder, []int) {
		r := scan(t, src, imapsource.ScanRequest{Cursor: cur, Keyword: "$Salesforce"})
		return r, r.numbers(t)
	}
	r, nums := byKeyword(capture.Cursor{Folder: "INBOX"})
	if !slices.Equal(nums, []int{2, 4}) {
		t.Fatalf("got %v", nums)
	}
	cur := r.last(t)
	if r, nums := byKeyword(cur); len(nums) != 0 || len(r.cur) != 0 {
		t.Fatalf("nothing changed, and yet %v, cursors %v", nums, r.cur)
	}
	s.flag("INBOX", uid(1), "$Salesforce")
	r, nums = byKeyword(cur)
	if !slices.Equal(nums, []int{1}) {
		t.Fatalf("an old mail was marked, got %v", nums)
	}
	if _, nums := byKeyword(capture.Cursor{Folder: "INBOX"}); !slices.Equal(nums, []int{1, 2, 4}) {
		t.Fatalf("an empty cursor offers all, got %v", nums)
	}
}

func contractRenumbered(t *testing.T, s server) {
	for i := 1; i <= 4; i++ {
		s.add("Salesforce", mail(i))
	}
	src := open(t, s.config())
	before := scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "Salesforce"}}).last(t)
	s.renumber("Salesforce")
	r := &recorder{t: t, want: func(head string) bool { return number(t, head) > 2 }}
	if err := src.Scan(t.Context(), imapsource.ScanRequest{Cursor: before}, r); err != nil {
		t.Fatal(err)
	}
	if len(r.heads) != 4 {
		t.Errorf("%d headers were offered of 4", len(r.heads))
	}
	if nums := r.numbers(t); !slices.Equal(nums, []int{3, 4}) {
		t.Errorf("got %v", nums)
	}
	after := r.last(t)
	if after.Validity == before.Validity {
		t.Error("the validity did not change: the test is void")
	}
	if idle := scan(t, src, imapsource.ScanRequest{Cursor: after}); len(idle.mails)+len(idle.heads) != 0 {
		t.Error("the new cursor does not hold")
	}
}

func contractLarge(t *testing.T, s server) {
	big := sized(2, 3<<20+12345)
	s.add("Salesforce", mail(1))
	s.add("Salesforce", big)
	s.add("Salesforce", mail(3))
	src := open(t, s.config())
	r := scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "Salesforce"}})
	if nums := r.numbers(t); !slices.Equal(nums, upTo(1, 3)) || r.mails[1].raw != string(big) {
		t.Fatalf("got %v, the large one with %d of %d bytes", nums, len(r.mails[1].raw), len(big))
	}
	r = scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "Salesforce"}, MaxSize: 2 << 20})
	if len(r.mails) != 3 || r.mails[0].problem != nil || r.mails[2].problem != nil {
		t.Fatalf("got %d mails", len(r.mails))
	}
	wantCode(t, r.mails[1].problem, fault.MailTooLarge)
	head, _, _ := bytes.Cut(big, []byte("\r\n\r\n"))
	if r.mails[1].raw != string(head)+"\r\n\r\n" {
		t.Errorf("with the header block %q", r.mails[1].raw)
	}
}

func contractList(t *testing.T, s server) {
	for i := 1; i <= 5; i++ {
		s.add("INBOX", mail(i))
	}
	s.add("INBOX", []byte("From: =?utf-8?q?J=C3=BCrgen?= <j@example.net>\r\nSubject: mail 6\r\n\r\nZebra in the text\r\n"))
	src := open(t, s.config())
	list := func(search string, limit int) []int {
		t.Helper()
		items, err := src.List(t.Context(), "INBOX", search, limit)
		if err != nil {
			t.Fatal(err)
		}
		var nums []int
		for _, item := range items {
			b, err := io.ReadAll(item.Raw)
			if err != nil || item.Received.IsZero() {
				t.Fatalf("%v: %v", item, err)
			}
			nums = append(nums, number(t, string(b)))
		}
		return nums
	}
	for _, tt := range []struct {
		search string
		limit  int
		want   []int
	}{
		{"", 3, []int{6, 5, 4}},
		{"", 99, []int{6, 5, 4, 3, 2, 1}},
		{"mail 2", 10, []int{2}},
		{"bob@", 2, []int{5, 4}},
		{"Jürgen", 10, []int{6}},
		{"zebra", 10, []int{6}},
		{"no such text", 10, nil},
		{"\"\r\nA LOGOUT", 10, nil},
	} {
		if nums := list(tt.search, tt.limit); !slices.Equal(nums, tt.want) {
			t.Errorf("list %q, %d: got %v, want %v", tt.search, tt.limit, nums, tt.want)
		}
	}
}

func contractFetch(t *testing.T, s server) {
	for i := 1; i <= 3; i++ {
		s.add("INBOX", mail(i))
	}
	s.add("Other", mail(4))
	src := open(t, s.config())
	all := scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}})
	other := scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "Other"}})
	s.remove("INBOX", all.mails[1].item.Ref.UID)
	old := all.mails[0].item.Ref
	old.Validity++
	r := &recorder{t: t}
	refs := []capture.Ref{
		all.mails[2].item.Ref, all.mails[1].item.Ref, other.mails[0].item.Ref, old,
		{Folder: "Nowhere", Validity: 1, UID: 1},
	}
	if err := src.Fetch(t.Context(), refs, r); err != nil {
		t.Fatal(err)
	}
	var read []int
	var gone []capture.Ref
	for _, m := range r.mails {
		if m.problem == nil {
			read = append(read, number(t, m.raw))
			continue
		}
		wantCode(t, m.problem, fault.MailGone)
		gone = append(gone, m.item.Ref)
	}
	slices.Sort(read)
	if !slices.Equal(read, []int{3, 4}) || len(gone) != 3 {
		t.Errorf("read %v, gone %v", read, gone)
	}
}

func contractWatch(t *testing.T, s server) {
	s.add("INBOX", mail(1))
	s.add("Salesforce", mail(2))
	src := open(t, s.config())
	ctx, cancel := context.WithCancel(t.Context())
	changes := make(chan string, 100)
	done := make(chan error, 1)
	go func() {
		done <- src.Watch(ctx, []string{"INBOX", "Salesforce"}, func(folder string) { changes <- folder })
	}()
	expect := func(folder string) {
		t.Helper()
		deadline := time.After(5 * time.Second)
		for {
			select {
			case f := <-changes:
				if f == folder {
					return
				}
			case <-deadline:
				t.Fatalf("no change of %s was told", folder)
			}
		}
	}
	seen := map[string]bool{}
	for !seen["INBOX"] || !seen["Salesforce"] {
		seen[<-changes] = true
	}
	time.Sleep(100 * time.Millisecond) // until both wait
	start := time.Now()
	s.add("Salesforce", mail(3))
	expect("Salesforce")
	t.Logf("a new mail was told after %v", time.Since(start))
	s.flag("INBOX", 1, "$Salesforce")
	expect("INBOX")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("watch: %v", err)
	}
}

func contractMissing(t *testing.T, s server) {
	src := open(t, s.config())
	err := src.Scan(t.Context(), imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "Nowhere"}}, &recorder{t: t})
	wantCode(t, err, fault.FolderMissing)
	s.add("INBOX", mail(1))
	if r := scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}}); len(r.mails) != 1 {
		t.Error("the connection did not survive")
	}
}

func contractSinkError(t *testing.T, s server) {
	for i := 1; i <= 4; i++ {
		s.add("INBOX", mail(i))
	}
	src := open(t, s.config())
	r := &recorder{t: t, onMail: func(item capture.Item) error {
		if item.Ref.UID > 2 {
			return io.ErrClosedPipe
		}
		return nil
	}}
	err := src.Scan(t.Context(), imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}}, r)
	if err != io.ErrClosedPipe || len(r.cur) != 0 {
		t.Errorf("got %v, cursors %v", err, r.cur)
	}
	if r := scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}}); len(r.mails) != 4 {
		t.Errorf("afterwards %d mails", len(r.mails))
	}
}

func contractGone(t *testing.T, s server) {
	for i := 1; i <= 3; i++ {
		s.add("INBOX", sized(i, 2<<20))
	}
	src := open(t, s.config())
	r := &recorder{t: t}
	r.onMail = func(item capture.Item) error {
		if item.Ref.UID == 1 && item.Raw != nil {
			s.remove("INBOX", 2) // while the scan is on its way there
		}
		return nil
	}
	if err := src.Scan(t.Context(), imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}}, r); err != nil {
		t.Fatal(err)
	}
	if len(r.mails) != 3 || r.mails[0].problem != nil || r.mails[2].problem != nil {
		t.Fatalf("got %d mails", len(r.mails))
	}
	// A server may keep an expunged mail readable for the sessions that know it (RFC 2180).
	if r.mails[1].problem != nil {
		wantCode(t, r.mails[1].problem, fault.MailGone)
	}
}

func contractFolderName(t *testing.T, s server) {
	const folder = "客户 & Umsätze"
	s.add(`&W6JiNw- &- Ums&AOQ-tze`, mail(1))
	src := open(t, s.config())
	folders, err := src.Folders(t.Context())
	if err != nil || !slices.Contains(folders, capture.Folder{Name: folder}) {
		t.Fatalf("got %v, %v", folders, err)
	}
	if r := scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: folder}}); len(r.mails) != 1 {
		t.Errorf("got %d mails", len(r.mails))
	}
}

// pretend is the in-process provider.
type pretend struct {
	t    testing.TB
	p    *sourcetest.Provider
	user string
}

func (p *pretend) config() imapsource.Config {
	token, _ := p.p.OAuth.Issue(p.user, "https://mail.example/")
	return config(p.p.IMAPAddr(), p.p.CA().TLSConfig(), p.user, token)
}

func (p *pretend) decoded(folder string) string {
	return strings.ReplaceAll(folder, `&W6JiNw- &- Ums&AOQ-tze`, "客户 & Umsätze")
}

func (p *pretend) add(folder string, raw []byte, flags ...string) {
	p.p.Append(p.user, p.decoded(folder), raw, flags...)
}

func (p *pretend) flag(folder string, uid uint32, flag string) {
	if err := p.p.Flag(p.user, folder, uid, flag); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pretend) remove(folder string, uid uint32) {
	p.p.Append(p.user, "Elsewhere", mail(0))
	if _, err := p.p.Move(p.user, folder, uid, "Elsewhere"); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pretend) renumber(folder string) {
	if err := p.p.BumpUIDValidity(p.user, folder); err != nil {
		p.t.Fatal(err)
	}
}

func TestContractPretend(t *testing.T) {
	t.Parallel()
	contract(t, func(t *testing.T) server {
		p := &sourcetest.Provider{}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close() })
		return &pretend{t: t, p: p, user: sourcetest.DemoUser}
	})
}
