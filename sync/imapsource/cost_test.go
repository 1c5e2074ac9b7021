package imapsource_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/imapsource"
	"hawser/sync/sourcetest/dovecottest"
)

// windowed is how many mails of a folder lie within the history window.
const windowed = 40

// sizedUser returns a mailbox of its own for each size.
func sizedUser(t testing.TB, s *dovecottest.Server, n int) *dovecot {
	d := newDovecotUser(t, s)
	d.user = fmt.Sprintf("size%d-%s", n, d.user)
	s.Accept("token-"+d.user, d.user)
	return d
}

// history fills a folder with n mails, of which the last recent ones came within a month.
func history(t testing.TB, d *dovecot, folder string, n, recent int) {
	now := time.Now()
	d.s.AppendManyAt(t, d.user, folder, n, func(i int) (time.Time, []byte) {
		left := n - i // 1 is the newest
		at := now.Add(-time.Duration(left) * 29 * 24 * time.Hour / time.Duration(recent+1))
		if left > recent {
			at = now.AddDate(0, 0, -40).Add(-time.Duration(left) * time.Minute)
		}
		return at, mail(i + 1)
	})
}

// TestCostDoesNotGrowWithTheMailbox: a pass over folders where nothing changed, and a first look into
// a window of time, take the same commands and the same bytes in a folder ten times as large.
func TestCostDoesNotGrowWithTheMailbox(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	type cost struct {
		commands []string
		received int64
	}
	measure := func(t *testing.T, mask dovecottest.Mask, n int) map[string]cost {
		d := sizedUser(t, s, n)
		history(t, d, "INBOX", n, windowed)
		src, m := d.behind(t, mask)
		costs := map[string]cost{}
		look := func(what string, req imapsource.ScanRequest) *recorder {
			m.Reset()
			r := scan(t, src, req)
			_, received := m.Bytes()
			costs[what] = cost{m.Commands(), received}
			return r
		}
		since := time.Now().AddDate(0, 0, -30)
		warm := imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}, HeadersFirst: true, Since: since}
		scan(t, src, warm) // signs in
		first := look("first look", warm)
		if nums := first.numbers(t); !slices.Equal(nums, upTo(n-windowed+1, n)) {
			t.Errorf("of %d mails: %v", n, nums)
		}
		look("no change", imapsource.ScanRequest{Cursor: first.last(t), HeadersFirst: true, Since: since})
		marks := look("first marks", imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}, Keyword: "$Salesforce"})
		look("no mark", imapsource.ScanRequest{Cursor: marks.last(t), Keyword: "$Salesforce"})
		d.add("INBOX", mail(n+1))
		if nums := look("one mail", imapsource.ScanRequest{Cursor: first.last(t), HeadersFirst: true}).numbers(t); !slices.Equal(nums, []int{n + 1}) {
			t.Errorf("after one more mail: %v", nums)
		}
		return costs
	}
	for name, mask := range map[string]dovecottest.Mask{"plain": {}, "exchange": {Hide: dovecottest.All}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			small, large := measure(t, mask, 150), measure(t, mask, 1500)
			for what, a := range small {
				b := large[what]
				if len(a.commands) != len(b.commands) || float64(b.received) > 1.05*float64(a.received)+200 { // a busy server says so
					t.Errorf("%s: %d bytes by %q, in the large folder %d by %q", what, a.received, a.commands, b.received, b.commands)
				}
			}
			if c := large["no change"]; len(c.commands) != 1 || c.received > 600 {
				t.Errorf("no change costs %d bytes and %q", c.received, c.commands)
			}
		})
	}
}
