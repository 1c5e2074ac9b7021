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

// dates fills INBOX with 18 mails around a time, in three time zones, and returns those that came at
// that time or later.
func dates(t testing.TB, d *dovecot) (since time.Time, want []int) {
	since = time.Date(2026, 3, 10, 1, 30, 0, 0, time.UTC)
	n := 0
	for _, zone := range []int{-12, 0, 14} {
		for _, off := range []time.Duration{-72 * time.Hour, -20 * time.Hour, -time.Second, 0, time.Second, 30 * time.Hour} {
			n++
			at := since.Add(off).In(time.FixedZone("", zone*3600))
			d.s.AppendAt(t, d.user, "INBOX", at, mail(n))
			if off >= 0 {
				want = append(want, n)
			}
		}
	}
	return since, want
}

// TestSinceIsExact: SEARCH SINCE knows days of the server's time zone; what comes out is exact to
// the second, in whatever zone a mail's date was stored.
func TestSinceIsExact(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"", "AAA+12", "AAA-14"} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			sinceIsExact(t, zone)
		})
	}
}

func sinceIsExact(t *testing.T, zone string) {
	s := dovecottest.Start(t, dovecottest.Config{Zone: zone})
	d := newDovecotUser(t, s)
	since, want := dates(t, d)
	n := 18
	src := open(t, d.config())
	if n, err := src.Count(t.Context(), "INBOX", since); err != nil || n != len(want) {
		t.Errorf("counted are %d, %v", n, err)
	}
	if n, err := src.Count(t.Context(), "INBOX", time.Time{}); err != nil || n != 18 {
		t.Errorf("counted are %d, %v", n, err)
	}
	for _, headersFirst := range []bool{false, true} {
		req := imapsource.ScanRequest{
			Cursor: capture.Cursor{Folder: "INBOX"}, HeadersFirst: headersFirst, Since: since.Add(300 * time.Millisecond),
		}
		r := scan(t, src, req)
		if nums := r.numbers(t); !slices.Equal(nums, want) {
			t.Errorf("headers first %v: got %v, want %v", headersFirst, nums, want)
		}
		// An old mail that is moved in later lies behind the cursor: it comes, whatever its date.
		n++
		s.AppendAt(t, d.user, "INBOX", since.AddDate(-2, 0, 0), mail(n))
		req.Cursor = r.last(t)
		if nums := scan(t, src, req).numbers(t); !slices.Equal(nums, []int{n}) {
			t.Errorf("moved in later: got %v", nums)
		}
		d.flag("INBOX", 1, fmt.Sprint("$Old", headersFirst))
		req = imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}, Keyword: fmt.Sprint("$Old", headersFirst), Since: since}
		if nums := scan(t, src, req).numbers(t); !slices.Equal(nums, []int{1}) {
			t.Errorf("an old mail that was marked: got %v", nums)
		}
	}
}
