package deliver

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"hawser/sync/fault"
)

func TestBudget(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 25, 12, 0, 0, 0, time.FixedZone("", 3600))
	midnight := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name          string
		usage         Usage
		org           [2]int
		age           time.Duration
		live, backlog bool
		again         time.Time // for backlog
	}{
		{"fresh", Usage{}, [2]int{}, 0, true, true, time.Time{}},
		{"of yesterday", Usage{Day: "2026-11-24", Used: 999}, [2]int{}, 0, true, true, time.Time{}},
		{"up to the reserve", Usage{Day: "2026-11-25", Used: 119}, [2]int{}, 0, true, true, time.Time{}},
		{"in the reserve", Usage{Day: "2026-11-25", Used: 120}, [2]int{}, 0, true, false, midnight},
		{"the last one", Usage{Day: "2026-11-25", Used: 159}, [2]int{}, 0, true, false, midnight},
		{"spent", Usage{Day: "2026-11-25", Used: 160}, [2]int{}, 0, false, false, midnight},
		{"org at 90%", Usage{}, [2]int{900, 1000}, 0, true, true, time.Time{}},
		{"org over 90%", Usage{}, [2]int{901, 1000}, time.Minute, true, false, noon.Add(59 * time.Minute)},
		{"org over 90% an hour ago", Usage{}, [2]int{901, 1000}, time.Hour, true, true, time.Time{}},
		{"org unknown", Usage{}, [2]int{5, 0}, 0, true, true, time.Time{}},
	} {
		b := NewBudget(UsualAllowance, c.usage)
		b.Org(noon.Add(-c.age), c.org[0], c.org[1])
		if _, ok := b.May(noon, true); ok != c.live {
			t.Errorf("%s: live %v", c.name, ok)
		}
		if again, ok := b.May(noon, false); ok != c.backlog || !again.Equal(c.again) {
			t.Errorf("%s: backlog %v, again %v", c.name, ok, again)
		}
	}
}

// TestBudgetHolds spends at random over days: no day costs more than the allowance, and backlog
// never touches the reserve.
func TestBudgetHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := Allowance{Normal: rapid.IntRange(0, 9).Draw(t, "n"), Backfill: rapid.IntRange(0, 9).Draw(t, "b"), Reserve: rapid.IntRange(0, 5).Draw(t, "r")}
		b := NewBudget(a, Usage{})
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		perDay := map[string]int{}
		for range 60 {
			now = now.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "minutes")) * time.Minute)
			live := rapid.Bool().Draw(t, "live")
			day := now.Format(time.DateOnly)
			again, ok := b.May(now, live)
			if ok {
				b.Count(now)
				perDay[day]++
			} else if !again.After(now) || again.Sub(now) > 24*time.Hour {
				t.Fatalf("again at %v, now %v", again, now)
			}
			used := b.Usage(now)
			if used.Used != perDay[day] || used.Day != day || used.Used > b.Total() || (ok && !live && used.Used > b.Total()-a.Reserve) {
				t.Fatalf("%+v of %+v", used, a)
			}
			if rapid.Bool().Draw(t, "restart") {
				b = NewBudget(a, used)
			}
		}
	})
}

func TestBacklogWaitsForMidnightLiveGoesOn(t *testing.T) {
	t.Parallel()
	run(t, func(r *running) {
		r.org.lim.Records = 1
		r.d.cfg.Budget = NewBudget(Allowance{Normal: 9, Backfill: 4, Reserve: 6}, Usage{})
		for i := range 10 {
			r.queue.add(mail(i, 0), false)
		}
		r.wake <- struct{}{}
		synctest.Wait()
		midnight := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
		sent := r.queue.count(stateSent)
		if sent == 0 || sent > 4 || r.last.Fault != fault.BudgetSpent || !r.last.Until.Equal(midnight) {
			t.Errorf("%d sent, %+v", sent, r.last)
		}
		r.put(99)
		if r.queue.count(stateSent) != sent+1 || r.last.Fault != fault.BudgetSpent {
			t.Errorf("%d sent, %+v", r.queue.count(stateSent), r.last)
		}
		r.sleep(time.Until(midnight) - time.Second)
		if n := r.queue.count(stateSent); n != sent+1 {
			t.Errorf("%d sent before midnight", n)
		}
		r.sleep(2 * time.Minute)
		if n := r.queue.count(stateSent); n <= sent+1 {
			t.Errorf("%d sent after midnight", n)
		}
	})
}
