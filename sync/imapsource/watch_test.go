package imapsource_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"hawser/sync/fault"
	"hawser/sync/imapsource"
	"hawser/sync/sourcetest/dovecottest"
)

// watching runs Watch and notes what it tells.
type watching struct {
	mu      sync.Mutex
	changes int
	states  []fault.Code
	err     error
	done    chan struct{}
}

func watch(t testing.TB, cfg imapsource.Config, folders ...string) *watching {
	t.Helper()
	w := &watching{done: make(chan struct{})}
	cfg.State = func(code fault.Code) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.states = append(w.states, code)
	}
	src := open(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(w.done)
		err := src.Watch(ctx, folders, func(string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.changes++
		})
		w.mu.Lock()
		defer w.mu.Unlock()
		w.err = err
	}()
	t.Cleanup(func() {
		cancel()
		<-w.done
	})
	return w
}

func (w *watching) changed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changes
}

func (w *watching) told() []fault.Code {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]fault.Code(nil), w.states...)
}

func quick(cfg imapsource.Config) imapsource.Config {
	cfg.Timeouts.Probe, cfg.Timeouts.Answer = 300*time.Millisecond, time.Second
	return cfg
}

// TestDefaultsNoticeADeadConnectionInAMinute is the arithmetic behind the quick tests below.
func TestDefaultsNoticeADeadConnectionInAMinute(t *testing.T) {
	t.Parallel()
	d := imapsource.Defaults()
	if worst := d.Probe + d.Answer; worst > 60*time.Second {
		t.Errorf("a dead connection is noticed after %v", worst)
	}
}

func TestWatchNoticesSilentDeath(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	link := dovecottest.NewProxy(t, s.Addr)
	w := watch(t, quick(config(link.Addr, s.TLS, "alice@example.org", "token-alice")), "INBOX")
	within(t, 20*time.Second, "first change", func() bool { return w.changed() == 1 })
	time.Sleep(700 * time.Millisecond)
	if states := w.told(); len(states) != 0 {
		t.Fatalf("a healthy connection is told as %v", states)
	}
	link.Stall() // the proxy still acknowledges every byte
	within(t, 20*time.Second, "death noticed", func() bool { return len(w.told()) == 1 })
	s.Append(t, "alice@example.org", "INBOX", mail(1)) // nobody hears of it
	link.Heal()
	within(t, 20*time.Second, "change after reconnection", func() bool { return w.changed() >= 2 })
	if states := w.told(); states[0] != fault.Stalled || states[len(states)-1] != "" {
		t.Errorf("states %v", states)
	}
	n := w.changed()
	s.Append(t, "alice@example.org", "INBOX", mail(2))
	within(t, 20*time.Second, "change on the new connection", func() bool { return w.changed() > n })
}

func TestWatchReconnectsWithoutHammering(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	link := dovecottest.NewProxy(t, s.Addr)
	w := watch(t, config(link.Addr, s.TLS, "alice@example.org", "token-alice"), "INBOX", "Sent")
	within(t, 20*time.Second, "both connected", func() bool { return w.changed() == 2 })
	link.Cut()
	before := link.Accepted()
	time.Sleep(3 * time.Second)
	if n := link.Accepted() - before; n < 1 || n > 3 {
		t.Errorf("%d attempts in the first three seconds", n)
	}
	link.Heal()
	within(t, 15*time.Second, "both connected again", func() bool { return w.changed() >= 4 })
}

func TestWatchTakesAFreshTokenBeforeExpiry(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{Users: map[string]string{"first": "alice@example.org", "second": "alice@example.org"}})
	supply := &tokens{list: []string{"first", "second"}}
	cfg := quick(config(s.Addr, s.TLS, "alice@example.org"))
	cfg.Token = supply.token
	var mu sync.Mutex
	now := time.Now()
	expiry := now.Add(time.Hour)
	cfg.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	cfg.TokenExpiry = func() time.Time { mu.Lock(); defer mu.Unlock(); return expiry }
	w := watch(t, cfg, "INBOX")
	within(t, 20*time.Second, "connected", func() bool { return w.changed() == 1 })
	time.Sleep(500 * time.Millisecond)
	mu.Lock()
	now = now.Add(56 * time.Minute)
	mu.Unlock()
	within(t, 20*time.Second, "connected anew", func() bool { return w.changed() == 2 })
	supply.mu.Lock()
	stale := strings.Join(supply.stale, " ")
	supply.mu.Unlock()
	if stale != "first" {
		t.Errorf("stale tokens: %q", stale)
	}
	time.Sleep(700 * time.Millisecond)
	if n := w.changed(); n != 2 {
		t.Errorf("connected %d times although no token came that lasts longer", n)
	}
	if states := w.told(); len(states) != 0 {
		t.Errorf("a planned reconnection was told as %v", states)
	}
}

func TestWatchEndsWhenAPersonHasToAct(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	w := watch(t, config(s.Addr, s.TLS, "alice@example.org", "wrong"), "INBOX", "Sent")
	select {
	case <-w.done:
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on")
	}
	wantCode(t, w.err, fault.MailRefused)
}

func TestWatchWaitsForAFolder(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	w := watch(t, quick(config(s.Addr, s.TLS, "alice@example.org", "token-alice")), "Salesforce")
	time.Sleep(700 * time.Millisecond)
	if w.changed() != 0 {
		t.Fatal("a missing folder changed")
	}
	s.Append(t, "alice@example.org", "Salesforce", mail(1))
	within(t, 20*time.Second, "the new folder", func() bool { return w.changed() > 0 })
}

func TestWatchWithoutIdle(t *testing.T) {
	t.Parallel()
	for name, setup := range map[string]func(*script){
		"not announced": func(s *script) { s.caps = "AUTH=XOAUTH2 SASL-IR" },
		"not understood": func(s *script) {
			s.answer = func(c *talk, tag, command string) bool {
				if command != "IDLE" {
					return false
				}
				c.say("%s BAD what?", tag)
				return true
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, 1)
			setup(s)
			answer := s.answer
			s.answer = func(c *talk, tag, command string) bool {
				if command == "NOOP" && s.saw("NOOP") == 2 {
					c.say("* 2 EXISTS")
				}
				return answer != nil && answer(c, tag, command)
			}
			s.start()
			cfg := quick(config(s.addr, s.tls, "alice@example.org", "token"))
			cfg.Timeouts.Answer = 20 * time.Second
			w := watch(t, cfg, "INBOX")
			within(t, 20*time.Second, "the change told by NOOP", func() bool { return w.changed() == 2 })
			if s.logins != 1 {
				t.Errorf("%d sign-ins", s.logins)
			}
		})
	}
}
