package enrol_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hawser/auth/enrol"
	"hawser/auth/provision"
	"hawser/auth/secret"
	"hawser/sync/fault"
)

// in runs a test in a world whose time is its own.
func in(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newWorld(t)) })
}

// registered is a computer of an enabled user.
func (w *world) registered() *computer {
	w.Helper()
	w.user(provision.Active)
	c := w.open(enrol.Preset{})
	w.ok(c.Enrol(w.Context(), w.link()))
	c.await(enrol.SigningIn, time.Minute)
	c.prove()
	c.await(enrol.Active, time.Minute)
	return c
}

func TestEnrolRefusesWhatIsNoCode(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		w.user(provision.Active)
		c := w.open(enrol.Preset{})
		defer c.close()
		code := strings.Split(w.link().Reveal(), "code=")[1]
		_, tenantKey := w.vault.NewKey(w.tenant, provision.RoleTenant, "", time.Now())
		for _, pasted := range []string{
			"", "nonsense", code, "https://hawserd.example", "hawser://enrol?server=http://evil.example&code=" + code,
			"hawser://enrol?server=" + server + "&code=" + tenantKey.Text().Reveal(), strings.Repeat("A", 1<<16),
		} {
			if err := c.Enrol(t.Context(), secret.New(pasted)); !fault.Is(err, fault.EnrolRefused) || strings.Contains(err.Error(), code) {
				t.Errorf("%.40q: %v", pasted, err)
			}
		}
		if v := c.View(); v.Stage != enrol.Apart || w.calls != 0 {
			t.Errorf("nothing was joined, and %+v after %d calls", v, w.calls)
		}
		// The right form, and not the right code.
		wrong := strings.Replace(w.link().Reveal(), "code=", "code=7", 1)
		w.ok(c.Enrol(t.Context(), secret.New(wrong[:len(wrong)-len("&server=https%3A%2F%2Fhawserd.example")-1]+wrong[len(wrong)-len("&server=https%3A%2F%2Fhawserd.example"):])))
		synctest.Wait()
		if v := c.View(); v.Fault != fault.EnrolRefused || v.Stage != enrol.SettingUp {
			t.Errorf("a wrong code: %+v", v)
		}
		w.ok(c.Enrol(t.Context(), w.link())) // and the right one after it
		c.await(enrol.SigningIn, time.Minute)
	})
}

// TestB07CodeOnce: a code that was used, or is 15 minutes old, joins nobody.
func TestB07CodeOnce(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		w.user(provision.Active)
		c := w.open(enrol.Preset{})
		defer c.close()
		link := w.link()
		time.Sleep(16 * time.Minute)
		w.ok(c.Enrol(t.Context(), link))
		synctest.Wait()
		if v := c.View(); v.Fault != fault.EnrolSpent {
			t.Errorf("an old code: %+v", v)
		}
	})
}

// TestA07EnabledLater: the company is asked at least once a minute, and a sign-in is asked for once.
func TestA07EnabledLater(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		deploy, credential := w.vault.NewKey(w.tenant, provision.RoleDeployment, "", time.Now())
		w.ok(w.store.AddKey(t.Context(), w.tenant, deploy, event()))
		preset := enrol.Preset{Server: server, Key: credential.Text()}
		c := w.open(preset)
		c.await(enrol.SigningIn, time.Minute)
		if !c.Lacks(provision.SideSalesforce) || !c.Lacks(provision.SideMail) || !c.Pending() {
			t.Error("nothing was proven yet")
		}
		c.prove()
		c.await(enrol.Waiting, time.Minute)
		c.close()
		c = w.open(preset)
		defer func() { c.close() }()
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if v := c.View(); v.Stage != enrol.Waiting || v.Fault != fault.NotProvisioned || c.Lacks(provision.SideSalesforce) {
			t.Errorf("after three hours: %+v", v)
		}
		w.user(provision.Active)
		c.await(enrol.Active, time.Minute)
	})
}

// TestF47KilledBetweenSteps cuts the power at each write, and the line at each answer: whatever
// happens, one device comes of it.
func TestF47KilledBetweenSteps(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		for at := 1; at <= 12; at++ {
			w.disk.record, w.disk.saves, w.disk.failAt = secret.String{}, 0, 0
			w.user(provision.Active)
			c := w.open(enrol.Preset{})
			w.ok(c.Enrol(t.Context(), w.link()))
			w.mu.Lock()
			w.calls, w.cutAt = 0, at/2
			w.mu.Unlock()
			w.disk.mu.Lock()
			w.disk.saves, w.disk.failAt = 0, (at+1)/2
			w.disk.mu.Unlock()
			for range 3 {
				time.Sleep(time.Minute)
				synctest.Wait()
				c.close()
				if c = w.open(enrol.Preset{}); c.Lacks(provision.SideSalesforce) || c.Lacks(provision.SideMail) {
					c.prove()
				}
			}
			c.await(enrol.Active, 10*time.Minute)
			users, err := w.store.ListUsers(t.Context(), w.tenant, provision.UserQuery{Limit: 10})
			w.ok(err)
			active := 0
			for _, d := range users[0].Devices {
				if d.State == provision.DeviceActive {
					active++
				}
			}
			if len(users) != 1 || active != 1 {
				t.Fatalf("cut at %d: %d devices are active: %+v", at, active, users[0].Devices)
			}
			next, err := c.Farewell(t.Context())
			w.ok(err)
			c.close()
			w.disk.record = next
			c = w.open(enrol.Preset{})
			time.Sleep(time.Minute)
			synctest.Wait()
			c.close()
			if u, err := w.store.User(t.Context(), w.tenant, "ada"); err != nil || u.Bound {
				t.Fatalf("cut at %d: after leaving it is %+v, %v", at, u, err)
			}
		}
	})
}

// TestB08SuspendWithinAMinute at the server's own interval.
func TestB08SuspendWithinAMinute(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		c := w.registered()
		defer c.close()
		for range 20 {
			_, err := w.store.SetUserState(t.Context(), w.tenant, "ada", provision.Suspended, event())
			w.ok(err)
			if v := c.await(enrol.Suspended, time.Minute); v.Since.IsZero() {
				t.Error("it does not say since when")
			}
			_, err = w.store.SetUserState(t.Context(), w.tenant, "ada", provision.Active, event())
			w.ok(err)
			c.await(enrol.Active, time.Minute)
		}
	})
}

// TestB09OnlyAProvenOrder: what a proxy or a stranger says deletes nothing; the company's order does.
func TestB09OnlyAProvenOrder(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		c := w.registered()
		order := func(wipe *provision.WipeOrder) func(int, []byte) (int, []byte) {
			return func(int, []byte) (int, []byte) {
				raw, _ := json.Marshal(provision.CheckInOut{State: provision.StandingRemoved, TenantName: "Acme", Interval: 45, Wipe: wipe})
				return 200, raw
			}
		}
		for _, wipe := range []*provision.WipeOrder{nil, {At: time.Now(), By: "x"}, {At: time.Now(), By: "x", MAC: "AAAA"}} {
			w.lie("/v1/checkin", order(wipe))
			time.Sleep(time.Hour)
			synctest.Wait()
			if v := c.View(); v.Stage != enrol.Active || v.Fault != fault.NotTheServer || c.Doomed() {
				t.Fatalf("told %+v, it is %+v", wipe, v)
			}
		}
		w.lie("/v1/checkin", nil)
		_, err := w.store.SetUserState(t.Context(), w.tenant, "ada", provision.Deprovisioned, event())
		w.ok(err)
		if err := <-c.ended; !errors.Is(err, enrol.ErrRemoved) || !c.Doomed() {
			t.Fatalf("ended with %v", err)
		}
		c.run() // a crash before it was obeyed
		if err := <-c.ended; !errors.Is(err, enrol.ErrRemoved) {
			t.Fatalf("ended with %v", err)
		}
		next, err := c.Farewell(t.Context())
		w.ok(err)
		w.disk.record = next
		c = w.open(enrol.Preset{Server: server, Key: secret.New("not even looked at")})
		defer c.close()
		time.Sleep(time.Minute)
		synctest.Wait()
		if v := c.View(); v.Stage != enrol.Removed || v.By != "operator" || v.Company != "Acme" || v.Since.IsZero() || c.Doomed() {
			t.Errorf("the last screen: %+v", v)
		}
		users, err := w.store.ListUsers(t.Context(), w.tenant, provision.UserQuery{Limit: 10})
		w.ok(err)
		for _, d := range users[0].Devices {
			t.Errorf("device %+v is still there", d)
		}
	})
}

// TestA42PolicyOfALiar: unsigned, of another key, older, expired or another company's policies are
// refused and shown; the last good one stays.
func TestA42PolicyOfALiar(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		c := w.registered()
		defer func() { c.close() }()
		put := func(version int64) {
			kept, err := provision.CheckPolicy(w.signed(version, nil), w.row(), time.Now())
			w.ok(err)
			w.ok(w.store.PutPolicy(t.Context(), w.tenant, kept, event()))
		}
		put(5)
		if err := <-c.ended; !errors.Is(err, enrol.ErrSettings) {
			t.Fatalf("ended with %v", err)
		}
		c.run()
		good, _, _ := c.Settings()
		_, stranger, err := ed25519.GenerateKey(rand.Reader)
		w.ok(err)
		forged, err := provision.SignPolicy(provision.PolicyDocument{
			Tenant: w.tenant.String(), Version: 9, Issued: time.Now(), Expires: time.Now().Add(time.Hour), Settings: map[string]json.RawMessage{},
		}, stranger)
		w.ok(err)
		unsigned := w.signed(9, nil)
		unsigned.Signature = ""
		changed := w.signed(9, nil)
		changed.Payload = forged.Payload
		lies := map[string]struct {
			policy provision.PolicyEnvelope
			want   string
		}{
			"unsigned":    {unsigned, enrol.ReasonUnsigned},
			"forged":      {forged, enrol.ReasonUnsigned},
			"changed":     {changed, enrol.ReasonUnsigned},
			"older":       {w.signed(4, nil), enrol.ReasonOlder},
			"same number": {w.signed(5, func(d *provision.PolicyDocument) { d.Locked = []string{"trust.hosts"} }), enrol.ReasonOlder},
			"expired": {w.signed(9, func(d *provision.PolicyDocument) {
				d.Issued, d.Expires = d.Issued.Add(-2*time.Hour), d.Issued.Add(-time.Hour)
			}), enrol.ReasonExpired},
			"other tenant": {w.signed(9, func(d *provision.PolicyDocument) { d.Tenant = provision.NewTenantID() }), enrol.ReasonForeign},
		}
		w.lie("/v1/checkin", func(status int, body []byte) (int, []byte) {
			return status, []byte(strings.Replace(string(body), `"policyVersion":5`, `"policyVersion":9`, 1))
		})
		for name, l := range lies {
			raw, _ := json.Marshal(l.policy)
			w.lie("/v1/policy", func(int, []byte) (int, []byte) { return 200, raw })
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			now, _, version := c.Settings()
			if v := c.View(); v.Refused != l.want || v.Stage != enrol.Active || version != 5 || string(now["capture.folder"]) != string(good["capture.folder"]) {
				t.Errorf("%s: %+v, version %d", name, v, version)
			}
		}
		w.lie("/v1/policy", nil)
		w.lie("/v1/checkin", nil)
		put(10)
		if err := <-c.ended; !errors.Is(err, enrol.ErrSettings) {
			t.Fatalf("ended with %v", err)
		}
		c.run()
		if v := c.View(); v.Refused != "" || v.Policy != 10 {
			t.Errorf("a good one at last: %+v", v)
		}
		w.mu.Lock()
		w.down = true
		w.mu.Unlock()
		c.close()
		c = w.open(enrol.Preset{}) // kept for days without the server
		if _, _, version := c.Settings(); version != 10 {
			t.Errorf("after a restart version %d is in force", version)
		}
	})
}

func (w *world) row() provision.Tenant {
	w.Helper()
	t, err := w.store.Tenant(w.Context(), w.tenant)
	w.ok(err)
	return t
}

// TestF46WeekWithoutServer: the stage stays, the tries are few, and it goes on at the first answer.
func TestF46WeekWithoutServer(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		c := w.registered()
		defer c.close()
		w.mu.Lock()
		w.down, w.calls = true, 0
		w.mu.Unlock()
		const week = 7 * 24 * time.Hour
		time.Sleep(week)
		synctest.Wait()
		v := c.View()
		if v.Stage != enrol.Active || v.Fault != fault.Offline {
			t.Errorf("after a week: %+v", v)
		}
		if most := 2 * int(week/(4*time.Minute)); w.calls > most {
			t.Errorf("%d tries in a week, want at most %d", w.calls, most)
		}
		w.mu.Lock()
		w.down = false
		w.mu.Unlock()
		c.Nudge()
		synctest.Wait()
		if v := c.View(); v.Fault != "" || time.Since(v.LastSuccess) > time.Second {
			t.Errorf("and then: %+v", v)
		}
	})
}

// TestB39KeyDisabled: a computer whose key counts no longer says so, and deletes nothing by itself.
func TestB39KeyDisabled(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		c := w.registered()
		defer func() { c.close() }()
		row := w.row()
		row.Suspended = true
		w.ok(w.store.SetTenant(t.Context(), w.tenant, row, event()))
		time.Sleep(time.Minute)
		synctest.Wait()
		if v := c.View(); v.Fault != fault.KeyRefused || v.Stage != enrol.Active || c.Doomed() {
			t.Errorf("%+v", v)
		}
		w.mu.Lock() // no network and no restart is a way around it
		w.down = true
		w.mu.Unlock()
		time.Sleep(time.Hour)
		synctest.Wait()
		c.close()
		c = w.open(enrol.Preset{})
		synctest.Wait()
		if v := c.View(); v.Fault != fault.KeyRefused {
			t.Errorf("without a network: %+v", v)
		}
		w.mu.Lock()
		w.down = false
		w.mu.Unlock()
		row.Suspended = false
		w.ok(w.store.SetTenant(t.Context(), w.tenant, row, event()))
		c.Nudge()
		synctest.Wait()
		if v := c.View(); v.Fault != "" {
			t.Errorf("taken again: %+v", v)
		}
	})
}

// TestLateAnswer: what comes of an enrolment that another one has replaced changes nothing.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		w.user(provision.Active)
		c := w.open(enrol.Preset{})
		defer c.close()
		w.ok(c.Enrol(t.Context(), w.link()))
		c.await(enrol.SigningIn, time.Minute)
		w.lie("/v1/register", func(status int, body []byte) (int, []byte) {
			w.lie("/v1/register", nil)
			w.ok(c.Enrol(t.Context(), w.link())) // pasted while the answer was on its way
			return status, body
		})
		c.prove()
		synctest.Wait()
		if v := c.View(); v.Stage == enrol.Active || !c.Pending() {
			t.Errorf("the answer to the old one counts: %+v", v)
		}
	})
}

// TestA06StaleProof: a sign-in that was too long ago is asked for again, on both sides.
func TestA06StaleProof(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		w.user(provision.Active)
		c := w.open(enrol.Preset{})
		defer c.close()
		w.ok(c.Enrol(t.Context(), w.link()))
		c.await(enrol.SigningIn, time.Minute)
		w.mu.Lock()
		w.down = true
		w.mu.Unlock()
		c.prove()
		time.Sleep(14 * time.Minute)
		w.mu.Lock()
		w.down = false
		w.mu.Unlock()
		c.await(enrol.SigningIn, time.Minute)
		if v := c.View(); v.Fault != fault.IdentityStale || !c.Lacks(provision.SideSalesforce) || !c.Lacks(provision.SideMail) {
			t.Errorf("%+v", v)
		}
		c.prove()
		c.await(enrol.Active, time.Minute)
	})
}

// TestAwakeSharesAWakeUp: with a computer that wakes every 50 seconds anyway, no check-in wakes it
// once more; and none comes early.
func TestAwakeSharesAWakeUp(t *testing.T) {
	t.Parallel()
	in(t, func(w *world) {
		c := w.registered()
		defer c.close()
		c.Nudge()
		synctest.Wait()
		for range 100 {
			time.Sleep(25 * time.Second)
			c.Awake() // too early
			synctest.Wait()
			before := w.calls
			time.Sleep(25*time.Second - time.Millisecond)
			synctest.Wait()
			alone := w.calls - before
			c.Awake()
			synctest.Wait()
			if shared := w.calls - before - alone; alone != 0 || shared != 1 {
				t.Fatalf("%d check-ins of their own, %d shared", alone, shared)
			}
		}
	})
}
