package imapsource_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/imapsource"
	"hawser/sync/mailparse"
	"hawser/sync/sourcetest/dovecottest"
)

// ledger is a sink that keeps mails by their Message-IDs and cursors by their folders, as the engine
// does: what was handed over before a cursor is kept, what came after the last one is forgotten.
type ledger struct {
	t       testing.TB
	mails   map[string]string // Message-ID to the raw mail
	pending map[string]string
	asked   map[string]bool // by header, and wanted
	cursors map[string]capture.Cursor
	twice   int // mails in full that were known
	gone    int
}

func newLedger(t testing.TB) *ledger {
	return &ledger{t: t, mails: map[string]string{}, cursors: map[string]capture.Cursor{}}
}

func id(t testing.TB, raw []byte) string {
	t.Helper()
	h, err := mailparse.ReadHeader(bytes.NewReader(raw))
	if err != nil || h.MessageID == "" {
		t.Fatalf("no Message-ID in %.80q", raw)
	}
	return h.MessageID
}

func (l *ledger) Wanted(_ context.Context, heads []capture.Item) ([]bool, error) {
	wanted := make([]bool, len(heads))
	for i, item := range heads {
		raw, err := io.ReadAll(item.Raw)
		if err != nil {
			return nil, err
		}
		key := id(l.t, raw)
		wanted[i] = l.mails[key] == "" && l.pending[key] == "" && !l.asked[key]
		l.asked[key] = true
	}
	return wanted, nil
}

func (l *ledger) Mail(_ context.Context, item capture.Item, problem error) error {
	if problem != nil {
		if !fault.Is(problem, fault.MailGone) {
			return problem
		}
		l.gone++
		return nil
	}
	raw, err := io.ReadAll(item.Raw)
	if err != nil {
		return err
	}
	key := id(l.t, raw)
	if l.mails[key] != "" {
		l.twice++
	}
	l.pending[key] = string(raw)
	return nil
}

func (l *ledger) Reached(_ context.Context, cur capture.Cursor) error {
	for key, raw := range l.pending {
		l.mails[key] = raw
	}
	clear(l.pending)
	l.cursors[cur.Folder] = cur
	return nil
}

// look scans all folders, each from where it was read.
func (l *ledger) look(src *imapsource.Source) {
	l.t.Helper()
	folders, err := src.Folders(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	for _, f := range folders {
		l.folder(src, f.Name)
	}
}

func (l *ledger) folder(src *imapsource.Source, name string) {
	l.t.Helper()
	cur := l.cursors[name]
	cur.Folder = name
	l.pending, l.asked = map[string]string{}, map[string]bool{}
	err := src.Scan(l.t.Context(), imapsource.ScanRequest{Cursor: cur, HeadersFirst: true}, l)
	if err != nil && !fault.Is(err, fault.FolderMissing) && !fault.Is(err, fault.MailBusy) { // the next look does it
		l.t.Fatal(err)
	}
}

// numbers returns the numbers of all mails that are kept.
func (l *ledger) numbers() []int {
	var nums []int
	for _, raw := range l.mails {
		nums = append(nums, number(l.t, raw))
	}
	slices.Sort(nums)
	return nums
}

// TestNothingIsMissing (F23, F24, F26, F30, F31, I02, I09) changes a mailbox in every way that other
// programs do, before and in the middle of scans: each mail is kept once, whole, and none is missing.
func TestNothingIsMissing(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	do := func(commands ...string) func(*dovecot) {
		return func(d *dovecot) { d.s.Do(d.t, d.user, commands...) }
	}
	for name, tt := range map[string]struct {
		change func(d *dovecot)
		want   []int // 1 to 8 lie in INBOX, 9 to 12 in Kunden before
	}{
		"UIDVALIDITY":     {change: func(d *dovecot) { d.renumber("Kunden"); d.add("Kunden", mail(13)) }, want: upTo(1, 13)},
		"rename":          {change: func(d *dovecot) { do("RENAME Kunden Alt/Kunden")(d); d.add("Alt/Kunden", mail(13)) }, want: upTo(1, 13)},
		"rename and anew": {change: func(d *dovecot) { do("RENAME Kunden Alt")(d); d.add("Kunden", mail(13)) }, want: upTo(1, 13)},
		"out and back":    {change: do("SELECT INBOX", "UID MOVE 2 Kunden", "SELECT Kunden", "UID MOVE 5 INBOX"), want: upTo(1, 12)},
		"label":           {change: do("SELECT INBOX", "UID COPY 2:4 Kunden", "UID STORE 3 +FLAGS (work)"), want: upTo(1, 12)},
		"label taken off": {change: do("SELECT INBOX", "UID COPY 2 Kunden", "UID STORE 2 +FLAGS (\\Deleted)", "EXPUNGE"), want: upTo(1, 12)},
		"emptied and refilled": {change: func(d *dovecot) {
			do("SELECT Kunden", "UID STORE 1:* +FLAGS (\\Deleted)", "EXPUNGE")(d)
			for i := 9; i <= 13; i++ {
				d.add("Kunden", mail(i))
			}
		}, want: upTo(1, 13)},
		"sent and received": {change: func(d *dovecot) { d.add("Sent", mail(13)); d.add("INBOX", mail(13)) }, want: upTo(1, 13)},
		"same second": {change: func(d *dovecot) {
			for i := range 5 {
				d.add("INBOX", mail(13+i))
			}
		}, want: upTo(1, 17)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDovecotUser(t, s)
			for i := 1; i <= 12; i++ {
				d.add(map[bool]string{true: "INBOX", false: "Kunden"}[i <= 8], mail(i))
			}
			src := open(t, d.config())
			l := newLedger(t)
			l.look(src)
			if nums := l.numbers(); !slices.Equal(nums, upTo(1, 12)) {
				t.Fatalf("at first: %v", nums)
			}
			tt.change(d)
			l.look(src)
			if nums := l.numbers(); !slices.Equal(nums, tt.want) || l.twice > 0 || l.gone > 0 {
				t.Errorf("afterwards: %v, %d read again, %d gone", nums, l.twice, l.gone)
			}
			for _, raw := range l.mails {
				if raw != string(mail(number(t, raw))) {
					t.Errorf("mail %d is not whole", number(t, raw))
				}
			}
			// Somebody who starts from nothing, as after a reinstall, finds what is there now.
			other := newLedger(t)
			other.look(open(t, d.config()))
			if nums := other.numbers(); !slices.Equal(nums, tt.want) {
				t.Errorf("a second computer finds %v", nums)
			}
		})
	}
}

// TestChangesDuringAScan (F26, F31) changes the folder right before a scan reads what it found: after
// the next look each mail that is still there is kept, and the others are counted.
func TestChangesDuringAScan(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	for name, tt := range map[string]struct {
		folder string // INBOX when empty
		when   string // the beginning of the command before which it happens
		change func(d *dovecot)
		want   []int
		gone   bool // mail 3 may be gone before it could be read
	}{
		"arrival before the search": {when: "UID SEARCH", change: func(d *dovecot) { d.add("INBOX", mail(9)) }, want: upTo(1, 9)},
		"arrival before headers":    {when: "UID FETCH", change: func(d *dovecot) { d.add("INBOX", mail(9)) }, want: upTo(1, 9)},
		"arrival before bodies":     {when: "UID FETCH 1:8 (UID BODY.PEEK[])", change: func(d *dovecot) { d.add("INBOX", mail(9)) }, want: upTo(1, 9)},
		"expunge before headers":    {when: "UID FETCH", change: func(d *dovecot) { d.remove("INBOX", 3) }, want: []int{1, 2, 4, 5, 6, 7, 8}, gone: true},
		"expunge before bodies":     {when: "UID FETCH 1:8 (UID BODY.PEEK[])", change: func(d *dovecot) { d.remove("INBOX", 3) }, want: []int{1, 2, 4, 5, 6, 7, 8}, gone: true},
		"move before bodies": {when: "UID FETCH 1:8 (UID BODY.PEEK[])", change: func(d *dovecot) {
			d.s.Do(d.t, d.user, "CREATE Kunden", "SELECT INBOX", "UID MOVE 3 Kunden")
		}, want: upTo(1, 8)},
		"renumbered before bodies": {when: "UID FETCH 1:8 (UID BODY.PEEK[])", change: func(d *dovecot) {
			d.s.Do(d.t, d.user, "CREATE Rest", "SELECT INBOX", "UID MOVE 1:* Rest")
			for i := 8; i >= 1; i-- {
				d.add("INBOX", mail(i))
			}
		}, want: upTo(1, 8)},
		"UIDVALIDITY before bodies": {folder: "Kunden", when: "UID FETCH 1:8 (UID BODY.PEEK[])", change: func(d *dovecot) {
			d.renumber("Kunden")
		}, want: upTo(1, 8)},
		"other mails under the same UIDs": {folder: "Kunden", when: "UID FETCH 1:8 (UID BODY.PEEK[])", change: func(d *dovecot) {
			d.s.Do(d.t, d.user, "RENAME Kunden Alt")
			for i := 9; i <= 16; i++ {
				d.add("Kunden", mail(i))
			}
		}, want: upTo(1, 16)},
		"deleted before the search": {when: "UID SEARCH", change: func(d *dovecot) {
			d.s.Do(d.t, d.user, "SELECT INBOX", "UID STORE 1:* +FLAGS (\\Deleted)", "EXPUNGE")
			d.add("INBOX", mail(9))
		}, want: []int{9}, gone: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDovecotUser(t, s)
			if tt.folder == "" {
				tt.folder = "INBOX"
			}
			for i := 1; i <= 8; i++ {
				d.add(tt.folder, mail(i))
			}
			var once sync.Once
			happened := false
			src, m := d.behind(t, dovecottest.Mask{Before: func(command string) {
				if strings.HasPrefix(command, tt.when) {
					once.Do(func() { tt.change(d); happened = true })
				}
			}})
			l := newLedger(t)
			l.look(src)
			if !happened {
				t.Fatalf("nothing happened: %q", m.Commands())
			}
			l.look(src)
			nums := l.numbers()
			if tt.gone { // the server may keep a mail readable for those who know it (RFC 2180)
				nums = slices.DeleteFunc(nums, func(n int) bool { return !slices.Contains(tt.want, n) })
			}
			if !slices.Equal(nums, tt.want) || l.twice > 0 {
				t.Errorf("got %v, %d read again; %d gone", nums, l.twice, l.gone)
			}
			for key, raw := range l.mails {
				if raw != string(mail(number(t, raw))) || key != id(t, []byte(raw)) {
					t.Errorf("%s is not whole", key)
				}
			}
		})
	}
}

// TestSecondClient reads while another program moves, marks, deletes and adds mails all the time:
// in the end, what is in the mailbox is kept.
func TestSecondClient(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	d := newDovecotUser(t, s)
	src := open(t, d.config())
	d.add("INBOX", mail(1))
	d.add("Kunden", mail(2))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 12 {
			n := 3 + 3*i
			for k := range 3 {
				d.add([]string{"INBOX", "Kunden"}[k%2], mail(n+k))
			}
			d.s.Do(t, d.user, "SELECT INBOX", "UID STORE 1:* +FLAGS (\\Seen)", "MOVE 1 Kunden", "SELECT Kunden", "MOVE 1 INBOX")
		}
	}()
	l := newLedger(t)
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		l.look(src)
	}
	if nums := l.numbers(); !slices.Equal(nums, upTo(1, 38)) {
		t.Errorf("kept are %v", nums)
	}
}

// TestFindAndHeads: a mail is found by its Message-ID wherever it lies, and what only looks alike is not.
func TestFindAndHeads(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	d := newDovecotUser(t, s)
	furnish(d)
	with := func(n int, field string) []byte {
		return fmt.Appendf(nil, "Subject: mail %d\r\n%s\r\n\r\nThe body names <m3@example.net>.\r\n", n, field)
	}
	d.add("INBOX", with(21, "Message-ID: <xm3@example.net>"))
	d.add("INBOX", with(22, "References: <m3@example.net>"))
	d.add("INBOX", with(23, "Message-ID:\r\n <Odd.One@Example.NET>"))
	d.add("Kunden/Alpha", with(24, "Message-ID: odd.none@example.net"))
	d.add("Kunden/Alpha", mail(3)) // a label
	d.add("Trash", mail(3))
	d.add("Trash", with(25, "Message-ID: <only@trash.example>"))
	gmail := dovecottest.Mask{Labels: func(string, uint32) []string { return nil }}
	for name, mask := range map[string]dovecottest.Mask{"plain": {}, "exchange": {Hide: dovecottest.All}, "gmail": gmail} {
		src, _ := d.behind(t, mask)
		for messageID, want := range map[string][]string{
			"<m3@example.net>":            {"INBOX 3", "Kunden/Alpha 3"},
			"m3@EXAMPLE.net":              {"INBOX 3", "Kunden/Alpha 3"},
			"<Odd.One@example.net>":       {"INBOX 23"},
			"<odd.none@example.net>":      {"Kunden/Alpha 24"},
			"<only@trash.example>":        {"Trash 25"},
			"<m8@example.net>":            {"Sent 8"},
			"<nobody@example.net>":        nil,
			"<\"x\\\"y\r\nz@example.net>": nil,
			"":                            nil,
		} {
			refs, err := src.Find(t.Context(), messageID)
			if err != nil {
				t.Fatal(err)
			}
			items, err := src.Heads(t.Context(), append(refs, capture.Ref{Folder: "INBOX", Validity: 1, UID: 1}, capture.Ref{Folder: "Nowhere", Validity: 1, UID: 1}))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, n := range listed(t, items) {
				got = append(got, fmt.Sprint(items[i].Ref.Folder, " ", n))
				if items[i].Files != 0 || items[i].Size == 0 || items[i].Ref != refs[i] {
					t.Errorf("item %+v", items[i])
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q: got %v, want %v", name, messageID, got, want)
			}
		}
	}
}

// TestFindEndsWithItsContext also leaves a source behind that works.
func TestFindEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	d := newDovecotUser(t, s)
	furnish(d)
	ctx, cancel := context.WithCancel(t.Context())
	src, _ := d.behind(t, dovecottest.Mask{Before: func(command string) {
		if strings.HasPrefix(command, "UID SEARCH") {
			cancel()
		}
	}})
	if _, err := src.Find(ctx, "<m9@example.net>"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if items, err := src.List(t.Context(), "INBOX", "", 3); err != nil || len(items) != 3 {
		t.Errorf("afterwards: %v", err)
	}
}
