package notice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hawser/app/control"
	"hawser/app/control/controltest"
	"hawser/app/text"
	"hawser/sync/alarm"
	"hawser/sync/fault"
	"hawser/sync/leaktest"
)

// TestMain fails the package when a goroutine outlives its tests.
func TestMain(m *testing.M) { os.Exit(leaktest.Run(m.Run)) }

var start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// The names that no notice may hold.
const (
	privateName = "Jane Roe"
	privateHost = "acme.my.site.com"
)

// status is a healthy one with names in it.
func status(state control.State) control.Status {
	return control.Status{
		State: state, Since: start,
		Salesforce: control.Side{SignedIn: true, Account: privateName, Host: privateHost, Bound: privateName, Other: privateName, LastSuccess: start},
		Mail:       control.Side{SignedIn: true, Account: privateName, Bound: privateName, LastSuccess: start},
		Company:    control.Company{Name: privateName, By: privateName},
	}
}

// signedOut is a status after a refresh token was refused.
func signedOut(side string, why fault.Code) control.Status {
	s := status(control.NeedsSignIn)
	s.Which, s.Why = side, why
	return s
}

func stopped(why fault.Code) control.Status {
	s := status(control.NeedsYou)
	s.Why = why
	return s
}

func needsYou(n int) control.Status {
	s := status(control.NeedsYou)
	s.Counts = control.Counts{Waiting: n, NeedsYou: n}
	return s
}

func offline(side string, since time.Time) control.Status {
	s := status(control.Offline)
	s.Why, s.Since, s.Counts.Waiting = fault.Offline, since, 3
	if side == "mail" {
		s.Mail.Fault = fault.Offline
	} else {
		s.Salesforce.Fault = fault.Offline
	}
	return s
}

func noTray() control.Status {
	s := status(control.UpToDate)
	s.Notes = []control.Note{{Code: fault.NoTray}}
	return s
}

// troubles has one status for each cause there is, by its ID.
func troubles() map[string]control.Status {
	removed := status(control.NotEnrolled)
	removed.Why = fault.Removed
	mailbox := status(control.WrongAccount)
	mailbox.Which = "mail"
	return map[string]control.Status{
		"sign-in-salesforce": signedOut("salesforce", fault.TokenRevoked), "sign-in-mail": signedOut("mail", fault.MailRefused),
		"wrong-account": status(control.WrongAccount), "needs-you": needsYou(2), "stopped-key-store-locked": stopped(fault.KeyStoreLocked),
		"stuck-salesforce": offline("salesforce", start.Add(-time.Hour)), "stuck-mail": offline("mail", start.Add(-time.Hour)),
		"suspended": status(control.Suspended), "removed": removed, "no-tray": noTray(),
	}
}

func TestEveryCause(t *testing.T) {
	t.Parallel()
	for id, s := range troubles() {
		causes := Causes(s).Causes
		if len(causes) != 1 || causes[0].ID != id {
			t.Errorf("%s: %+v", id, causes)
			continue
		}
		for _, lang := range text.Languages() {
			for _, n := range []Notice{words(text.New(lang), causes[0]), good(text.New(lang), id)} {
				all := fmt.Sprint(n)
				if strings.Contains(all, "notice.") || strings.Contains(all, "<no value>") || n.Title == "" || n.Body == "" {
					t.Errorf("%s, %s: %+v", lang, id, n)
				}
				if strings.Contains(all, privateName) || strings.Contains(all, privateHost) {
					t.Errorf("%s, %s: a notice says who: %+v", lang, id, n)
				}
			}
		}
	}
	for name, s := range map[string]control.Status{
		"healthy": status(control.UpToDate), "at work": status(control.Working), "never signed in": signedOut("mail", ""),
		"signed out by hand": signedOut("salesforce", fault.NotSignedIn), "in the browser": signedOut("salesforce", fault.SignInTimeout),
		"offline with nothing to send": status(control.Offline),
	} {
		if got := Causes(s); len(got.Causes) != 0 || got.Hold {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if !Causes(status(control.Paused)).Hold || !Causes(control.Status{}).Hold || !Causes(status(control.NotEnrolled)).Reset {
		t.Error("a pause, a start or an end is taken for good news")
	}
	admin := words(text.New("en"), Causes(signedOut("salesforce", fault.AppBlocked)).Causes[0])
	if title, _, _ := text.New("en").Fault(fault.AppBlocked); admin.Title != title {
		t.Errorf("where an administrator has to act, the person is told %q", admin.Title)
	}
}

// week plays a week of troubles, minute by minute, over Plan alone.
func week(at func(minute int) []Cause) (shown []time.Duration, closed int) {
	h := History{}
	for minute := range 7 * 24 * 60 {
		now := start.Add(time.Duration(minute) * time.Minute)
		causes := at(minute)
		h.lasts(now, causes)
		show, end, _ := Plan(now, causes, h)
		for _, s := range show {
			shown = append(shown, now.Sub(start))
			h.shown(now, s.Cause, uint32(len(shown)))
		}
		for _, c := range end {
			if c.Notice != 0 {
				closed++
			}
			h.over(now, c.ID)
		}
	}
	return shown, closed
}

// scheduled is when a trouble of a week is told.
var scheduled = []time.Duration{0, 1 * time.Hour, 7 * time.Hour, 31 * time.Hour, 55 * time.Hour, 79 * time.Hour, 103 * time.Hour, 127 * time.Hour, 151 * time.Hour}

func TestJ06AWeekOfTrouble(t *testing.T) {
	t.Parallel()
	trouble := []Cause{{ID: "x", Kind: Stopped}}
	shown, closed := week(func(int) []Cause { return trouble })
	if !slices.Equal(shown, scheduled) || closed != 0 {
		t.Errorf("told at %v, closed %d", shown, closed)
	}
	for _, each := range []int{1, 7, 30, 61, 600, 1439} { // comes and goes
		shown, closed := week(func(minute int) []Cause {
			if minute/each%2 == 0 {
				return trouble
			}
			return nil
		})
		if len(shown) > len(scheduled) || closed > len(shown) {
			t.Errorf("coming and going every %d minutes: told at %v, closed %d", each, shown, closed)
		}
		for i := range shown {
			if shown[i] < scheduled[i] {
				t.Errorf("coming and going every %d minutes: told after %v, before %v", each, shown[i], scheduled[i])
			}
		}
	}
	shown, _ = week(func(minute int) []Cause { // two short troubles, three days apart
		if minute == 0 || minute == 3*24*60 {
			return trouble
		}
		return nil
	})
	if !slices.Equal(shown, []time.Duration{0, 72 * time.Hour}) {
		t.Errorf("two troubles were told at %v", shown)
	}
	shown, _ = week(func(int) []Cause {
		return []Cause{{ID: "x", Once: true}, {ID: "y", Since: start, Grace: 24 * time.Hour, Once: true}}
	})
	if !slices.Equal(shown, []time.Duration{0, 24 * time.Hour}) {
		t.Errorf("what is told once, and what waits a day: %v", shown)
	}
	shown, _ = week(func(minute int) []Cause {
		if minute/(2*24*60)%2 == 0 {
			return []Cause{{ID: "x", Once: true, Ever: true}}
		}
		return nil
	})
	if len(shown) != 1 {
		t.Errorf("what is told never again was told at %v", shown)
	}
}

// twin is a screen in memory.
type twin struct {
	mu     sync.Mutex
	all    []Notice // in the order in which they were shown
	on     map[uint32]Notice
	fails  error
	events chan Event
}

func newTwin() *twin { return &twin{on: map[uint32]Notice{}, events: make(chan Event)} }

// Show implements Screen.
func (w *twin) Show(_ context.Context, n Notice) (uint32, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, n)
	if w.fails != nil {
		return 0, w.fails
	}
	id := n.Replaces
	if id == 0 {
		id = uint32(len(w.all))
	}
	w.on[id] = n
	return id, nil
}

// Close implements Screen.
func (w *twin) Close(_ context.Context, id uint32) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.on, id)
	return nil
}

// Events implements Screen.
func (w *twin) Events() <-chan Event { return w.events }

// End implements Screen.
func (w *twin) End() { close(w.events) }

// seen returns the titles on the screen, and how many notices there ever were.
func (w *twin) seen() (titles []string, ever int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(w.on)) {
		titles = append(titles, w.on[id].Title)
	}
	return titles, len(w.all)
}

// memory is a Keeper.
type memory struct {
	mu  sync.Mutex
	raw []byte
}

// Load implements Keeper.
func (m *memory) Load(context.Context) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.raw, nil
}

// Save implements Keeper.
func (m *memory) Save(_ context.Context, raw []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.raw = slices.Clone(raw)
	return nil
}

// playing is a Notifier at work in a bubble of time.
type playing struct {
	*Notifier
	agent  *controltest.Agent
	screen *twin
	ended  chan error
	cancel context.CancelFunc
}

func play(t *testing.T, first control.Status, keep Keeper) *playing {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := &playing{agent: &controltest.Agent{}, screen: newTwin(), ended: make(chan error, 1), cancel: cancel}
	p.agent.Set(first)
	p.Notifier = New(Config{Agent: p.agent, Screen: p.screen, Text: text.New("en"), Log: slog.New(slog.DiscardHandler), Keep: keep})
	p.timer = alarm.Plain
	go func() { p.ended <- p.Run(ctx) }()
	synctest.Wait()
	return p
}

func (p *playing) set(s control.Status) {
	p.agent.Set(s)
	synctest.Wait()
}

func (p *playing) stop(t *testing.T) {
	t.Helper()
	p.cancel()
	if err := <-p.ended; err != nil {
		t.Errorf("run: %v", err)
	}
}

func (p *playing) shows(t *testing.T, ever int, titles ...string) {
	t.Helper()
	synctest.Wait()
	if got, n := p.screen.seen(); !slices.Equal(got, titles) || n != ever {
		t.Errorf("the screen shows %q after %d notices; want %q after %d", got, n, titles, ever)
	}
}

// TestJ06FiveHundredItems: as many mails fail as there are, one notice tells it, and one its end.
func TestJ06FiveHundredItems(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := play(t, status(control.UpToDate), nil)
		for n := range 500 {
			p.set(needsYou(n + 1))
			time.Sleep(time.Second)
		}
		p.shows(t, 1, "1 mail needs you")
		time.Sleep(time.Hour)
		p.shows(t, 2, "500 mails need you")
		p.set(status(control.UpToDate))
		p.shows(t, 3, "Nothing needs you any more")
		p.stop(t)
	})
}

// TestJ06AWeekOfTroubleRun plays the week over a running Notifier, with restarts of the agent.
func TestJ06AWeekOfTroubleRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keep, total := &memory{}, 0
		for range 7 {
			p := play(t, signedOut("mail", fault.TokenRevoked), keep)
			time.Sleep(12 * time.Hour)
			p.set(status(control.Working)) // a moment without
			p.set(signedOut("mail", fault.TokenRevoked))
			time.Sleep(12*time.Hour - time.Second)
			p.stop(t)
			if titles, _ := p.screen.seen(); len(titles) != 0 && titles[0] == "Sign in to your mailbox again" {
				t.Errorf("left on the screen: %q", titles)
			}
			p.screen.mu.Lock()
			for _, n := range p.screen.all {
				if !n.Good {
					total++
				}
			}
			p.screen.mu.Unlock()
		}
		if total < 8 || total > len(scheduled) {
			t.Errorf("%d notices in a week, want 8 or %d", total, len(scheduled))
		}
	})
}

// TestJ06OffSwitch: it is obeyed for every kind, and nothing is made up for later.
func TestJ06OffSwitch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for id, s := range troubles() {
			s.Since, s.Salesforce.LastSuccess, s.Mail.LastSuccess = time.Now(), time.Now(), time.Now()
			p := play(t, status(control.UpToDate), nil)
			p.Allow(false)
			p.set(s)
			time.Sleep(48 * time.Hour)
			if _, n := p.screen.seen(); n != 0 {
				t.Errorf("%s: %d notices although they are off", id, n)
			}
			p.Allow(true)
			synctest.Wait()
			if titles, n := p.screen.seen(); n != 1 || len(titles) != 1 {
				t.Errorf("%s: %d notices after they were turned on", id, n)
			}
			p.Allow(false)
			synctest.Wait()
			if titles, n := p.screen.seen(); n != 1 || len(titles) != 0 {
				t.Errorf("%s: %q stays on the screen", id, titles)
			}
			p.stop(t)
		}
	})
}

// TestLockedScreen: nothing is shown on a locked screen; it waits.
func TestLockedScreen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := play(t, status(control.UpToDate), nil)
		p.Lock(true)
		p.set(needsYou(3))
		time.Sleep(72 * time.Hour)
		p.shows(t, 0)
		p.Lock(false)
		p.shows(t, 1, "3 mails need you")
		p.stop(t)
	})
}

// TestPausedIsNotFixed: a pause hides the trouble and ends none.
func TestPausedIsNotFixed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := play(t, needsYou(1), nil)
		p.shows(t, 1, "1 mail needs you")
		p.set(status(control.Paused))
		p.shows(t, 1, "1 mail needs you")
		p.set(status(control.NotEnrolled)) // unbound: nothing is left, and nothing is good
		p.shows(t, 1)
		p.stop(t)
	})
}

// TestJ07SignInNotice: one notice with a button that signs in, and its end.
func TestJ07SignInNotice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := play(t, status(control.UpToDate), nil)
		p.set(signedOut("salesforce", fault.TokenRevoked))
		p.shows(t, 1, "Sign in to Salesforce again")
		n := p.screen.all[0]
		if len(n.Buttons) != 2 || n.Buttons[0] != (Button{DoSign, "Sign in"}) {
			t.Errorf("buttons %+v", n.Buttons)
		}
		for _, button := range []string{DoSign, DoOpen, Default} {
			p.screen.events <- Event{Notice: 1, Button: button}
		}
		p.screen.events <- Event{Notice: 99, Button: DoSign} // not ours
		synctest.Wait()
		if got := p.agent.Calls(); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"open home", "open home", "signin salesforce"}) {
			t.Errorf("the agent was told %q", got)
		}
		p.set(status(control.UpToDate))
		p.shows(t, 2, "Signed in to Salesforce again")
		p.stop(t)
	})
}

// TestButtonOfALongTask: a second click while the browser is open opens no second one.
func TestButtonOfALongTask(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := play(t, status(control.UpToDate), nil)
		p.agent.Hang = true
		p.set(signedOut("mail", fault.TokenRevoked))
		for range 3 {
			p.screen.events <- Event{Notice: 1, Button: DoSign}
			synctest.Wait()
		}
		p.stop(t)
		if got := p.agent.Calls(); !slices.Equal(got, []string{"signin mail", "signin cancelled"}) {
			t.Errorf("the agent was told %q", got)
		}
	})
}

// TestPutAway: what a person put away comes back when it is due, and its end is not told.
func TestPutAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := play(t, needsYou(1), nil)
		p.screen.events <- Event{Notice: 1}
		synctest.Wait()
		p.set(status(control.UpToDate))
		p.shows(t, 1, "1 mail needs you") // the twin leaves it there; nothing was added
		p.set(needsYou(2))
		time.Sleep(61 * time.Minute)
		p.screen.events <- Event{Gone: true} // another daemon, whose numbers are others
		synctest.Wait()
		p.set(status(control.UpToDate))
		if _, n := p.screen.seen(); n != 2 {
			t.Errorf("%d notices, want 2", n)
		}
		p.stop(t)
	})
}

// TestNoScreen: where nothing shows notices, it is not tried at every status.
func TestNoScreen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := play(t, status(control.UpToDate), nil)
		p.screen.fails = errors.Join(ErrNoScreen)
		for n := range 100 {
			p.set(needsYou(n + 1))
		}
		if _, n := p.screen.seen(); n != 1 {
			t.Errorf("tried %d times", n)
		}
		p.stop(t)
	})
}

// TestJ02NoTrayToldOnce: not after a restart, and not after a better day.
func TestJ02NoTrayToldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keep := &memory{}
		for day := range 5 {
			first := noTray()
			if day == 2 {
				first = status(control.UpToDate)
			}
			p := play(t, first, keep)
			if _, n := p.screen.seen(); n != map[bool]int{true: 1}[day == 0] {
				t.Errorf("day %d: told %d times", day, n)
			}
			time.Sleep(48 * time.Hour)
			p.stop(t)
		}
	})
}

// TestHistoryOfSomebodyElse: what was kept may be damaged.
func TestHistoryOfSomebodyElse(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "null", "[]", "{", `{"x":1}`, "\x00"} {
		synctest.Test(t, func(t *testing.T) {
			p := play(t, needsYou(1), &memory{raw: []byte(raw)})
			p.shows(t, 1, "1 mail needs you")
			p.stop(t)
		})
	}
}

// TestIdleNotifierSetsNoTimer: a healthy agent has nothing to wait for.
func TestIdleNotifierSetsNoTimer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		agent := &controltest.Agent{}
		agent.Set(status(control.UpToDate))
		n := New(Config{Agent: agent, Screen: newTwin(), Text: text.New("en"), Log: slog.New(slog.DiscardHandler)})
		n.timer = func(d time.Duration) *alarm.Timer {
			t.Errorf("a timer of %v", d)
			return alarm.Plain(d)
		}
		ended := make(chan error, 1)
		go func() { ended <- n.Run(ctx) }()
		time.Sleep(time.Hour)
		agent.Set(status(control.Working))
		time.Sleep(time.Hour)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
