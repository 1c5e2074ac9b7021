package provisiontest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

// isNot reports an error that is no answer to a second use of a code.
func (c *scene) isNot(err error) {
	if !errors.Is(err, provision.ErrSpent) {
		c.Errorf("got error %v, want %v", err, provision.ErrSpent)
	}
}

func registrationRepeated(c *scene) {
	ctx := c.Context()
	c.put(c.x, 1)
	first := c.registered(c.x, 1, 1)
	c.same("state", first.State, provision.DeviceActive)
	c.same("created", first.Created, c.now)
	key, err := c.s.Key(ctx, first.ID)
	c.ok(err)
	c.same("key", []any{key.Tenant, key.Role, key.User, string(key.Sealed)}, []any{c.x.String(), provision.RoleDevice, person(1).ID, "sealed"})
	before := c.events(c.x)

	// A server that was killed before it answered sees the same registration with another id.
	c.now = c.now.Add(time.Hour)
	again := c.registration(1, 1)
	d, err := c.register(c.x, again)
	c.ok(err)
	c.same("device", d, first)
	c.same("events", c.events(c.x), before)
	_, err = c.s.Key(ctx, again.Device.ID)
	c.is(err, provision.ErrNotFound)

	var mu sync.Mutex
	ids := map[string]bool{}
	race(20, func(int) {
		d, err := c.register(c.x, c.registration(1, 2))
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			c.Errorf("register in parallel: %v", err)
		}
		ids[d.ID] = true
	})
	c.same("devices of 20 parallel repeats", len(ids), 1)

	c.put(c.x, 2)
	for _, change := range []func(*provision.Registration){
		func(r *provision.Registration) { r.Device.KeyHash = []byte("another secret") },
		func(r *provision.Registration) { r.Device.User = person(2).ID },
	} {
		r := c.registration(1, 1)
		change(&r)
		_, err := c.register(c.x, r)
		c.is(err, provision.ErrConflict)
	}
	taken := c.registration(1, 3)
	taken.Device.ID, taken.Key.ID = first.ID, first.ID
	_, err = c.register(c.x, taken)
	c.is(err, provision.ErrExists)
	c.ok(c.s.Leave(ctx, c.x, first.ID, c.event("device.leave")))
	_, err = c.register(c.x, c.registration(1, 1))
	c.is(err, provision.ErrConflict)
	_, err = c.register(c.x, c.registration(9, 1))
	c.is(err, provision.ErrNotFound)
}

func boundOnceInATenant(c *scene) {
	c.put(c.x, 1)
	c.put(c.x, 2)
	c.registered(c.x, 1, 1)
	for i := range 3 {
		r := c.registration(2, 1)
		r.Claims[i].Hash = c.registration(1, 1).Claims[i].Hash
		_, err := c.register(c.x, r)
		c.is(err, provision.ErrConflict)
	}
	u, err := c.s.User(c.Context(), c.x, person(2).ID)
	c.ok(err)
	c.same("bound", u.Bound, false)
	c.registered(c.x, 2, 1) // no claim of the refused tries was kept

	other := c.registration(1, 2) // a second computer with another mailbox
	other.Claims[1].Hash = hash("another mailbox")
	_, err = c.register(c.x, other)
	c.is(err, provision.ErrConflict)
	fewer := c.registration(1, 3) // without the provider's word
	fewer.Claims = fewer.Claims[:1]
	_, err = c.register(c.x, fewer)
	c.ok(err)
	suspended := person(1).ID
	_, err = c.s.SetUserState(c.Context(), c.x, suspended, provision.Suspended, c.event("user.suspend"))
	c.ok(err)
	_, err = c.register(c.x, c.registration(1, 4))
	c.is(err, provision.ErrState)
}

func boundOnceAcrossTenants(c *scene) {
	c.put(c.x, 1)
	c.put(c.y, 1)
	c.put(c.y, 2)
	c.registered(c.x, 1, 1)
	_, err := c.register(c.y, c.registration(1, 1))
	c.is(err, provision.ErrConflict)
	for i := range 3 {
		r := c.registration(2, 1)
		r.Claims[i].Hash = c.registration(1, 1).Claims[i].Hash
		_, err := c.register(c.y, r)
		c.is(err, provision.ErrConflict)
	}
	// The same hash as another kind of claim is another thing.
	r := c.registration(2, 1)
	r.Claims[0].Hash = c.registration(1, 1).Claims[1].Hash
	_, err = c.register(c.y, r)
	c.ok(err)
	_, err = c.s.SetUserState(c.Context(), c.x, person(1).ID, provision.Deprovisioned, c.event("user.deprovision"))
	c.ok(err)
	c.registered(c.y, 1, 1)
}

func boundOnceInParallel(c *scene) {
	for n := range 20 {
		c.put(c.x, n)
		c.put(c.y, n)
	}
	var mu sync.Mutex
	won := 0
	race(40, func(i int) {
		r := c.registration(i/2, i)
		r.Claims[1].Hash = hash("one mailbox for all")
		_, err := c.register([]reqsig.TenantID{c.x, c.y}[i%2], r)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			won++
		} else if !errors.Is(err, provision.ErrConflict) {
			c.Errorf("register in parallel: %v", err)
		}
	})
	c.same("bound", won, 1)
}

func boundUserKeeps(c *scene) {
	ctx := c.Context()
	c.put(c.x, 1)
	d := c.registered(c.x, 1, 1)
	for _, change := range []func(*provision.User){
		func(u *provision.User) { u.Account = person(2).Account },
		func(u *provision.User) { u.Mailbox = person(2).Mailbox },
	} {
		u := person(1)
		change(&u)
		_, _, err := c.s.PutUser(ctx, c.x, u, c.event("user.put"))
		c.is(err, provision.ErrBound)
	}
	u := person(1)
	u.Group, u.Aliases = "q", []string{"new@example.com"}
	now, _, err := c.s.PutUser(ctx, c.x, u, c.event("user.put"))
	c.ok(err)
	c.same("still bound", now.Bound, true)
	c.ok(c.s.Leave(ctx, c.x, d.ID, c.event("device.leave")))
	u.Mailbox = person(2).Mailbox
	_, _, err = c.s.PutUser(ctx, c.x, u, c.event("user.put"))
	c.ok(err)
}

func deprovision(c *scene) {
	ctx := c.Context()
	c.put(c.x, 1)
	d := c.registered(c.x, 1, 1)
	k, err := c.code(c.x, 1)
	c.ok(err)
	c.now = c.now.Add(time.Minute)
	e := c.event("user.deprovision")
	e.Actor = "t_key"
	u, err := c.s.SetUserState(ctx, c.x, person(1).ID, provision.Deprovisioned, e)
	c.ok(err)
	c.same("bound", u.Bound, false)
	got, err := c.s.Device(ctx, c.x, d.ID)
	c.ok(err)
	c.same("device", []any{got.State, got.StateAt, got.StateBy}, []any{provision.DeviceWiping, c.now, "t_key"})
	code, err := c.s.Key(ctx, k.ID)
	c.ok(err)
	c.same("code ended", code.NotAfter, c.now)
	c.is(c.s.Leave(ctx, c.x, d.ID, c.event("device.leave")), provision.ErrNotFound)

	c.now = c.now.Add(time.Minute)
	s, err := c.s.CheckIn(ctx, c.x, d.ID, provision.Report{Version: "2"}, c.now)
	c.ok(err)
	c.same("standing", []any{s.Device, s.DeviceAt, s.DeviceBy, s.User}, []any{provision.DeviceWiping, c.now.Add(-time.Minute), "t_key", provision.Deprovisioned})
	rep := provision.Report{Version: "2", Counts: provision.Counts{Waiting: 3}}
	c.ok(c.s.FinishWipe(ctx, c.x, d.ID, rep, c.event("device.wiped")))
	c.is(c.s.FinishWipe(ctx, c.x, d.ID, rep, c.event("device.wiped")), provision.ErrNotFound)
	_, err = c.s.CheckIn(ctx, c.x, d.ID, rep, c.now)
	c.is(err, provision.ErrNotFound)
	got, err = c.s.Device(ctx, c.x, d.ID)
	c.ok(err)
	c.same("wiped", []any{got.State, got.Report}, []any{provision.DeviceWiped, rep})
	key, err := c.s.Key(ctx, d.ID)
	c.ok(err)
	c.same("key ended", key.NotAfter, c.now)

	c.put(c.x, 1)
	c.registered(c.x, 1, 2) // a fresh registration binds anew
}

func leaveReleases(c *scene) {
	ctx := c.Context()
	c.put(c.x, 1)
	c.put(c.y, 1)
	one, two := c.registered(c.x, 1, 1), c.registered(c.x, 1, 2)
	c.ok(c.s.Leave(ctx, c.x, one.ID, c.event("device.leave")))
	c.is(c.s.Leave(ctx, c.x, one.ID, c.event("device.leave")), provision.ErrNotFound)
	key, err := c.s.Key(ctx, one.ID)
	c.ok(err)
	c.same("key ended", key.NotAfter, c.now)
	_, err = c.register(c.y, c.registration(1, 3))
	c.is(err, provision.ErrConflict) // the other computer holds the claims
	c.ok(c.s.Leave(ctx, c.x, two.ID, c.event("device.leave")))
	u, err := c.s.User(ctx, c.x, person(1).ID)
	c.ok(err)
	c.same("bound", u.Bound, false)
	c.registered(c.y, 1, 4)
}

func checkIn(c *scene) {
	ctx := c.Context()
	c.put(c.x, 1)
	d := c.registered(c.x, 1, 1)
	c.now = c.now.Add(time.Minute)
	before := c.events(c.x)
	rep := provision.Report{Version: "1.3", OS: "windows", State: "waiting", Fault: "offline", PolicyVersion: 4,
		Counts: provision.Counts{Seen: 1 << 40, Captured: 1, Filtered: 2, Held: 3, Waiting: 4, NeedsYou: 5}}
	s, err := c.s.CheckIn(ctx, c.x, d.ID, rep, c.now)
	c.ok(err)
	d.Report, d.LastSeen = rep, c.now
	c.same("standing", s, provision.Standing{
		TenantName: "acme", Group: "p", Aliases: person(1).Aliases,
		User: provision.Active, UserAt: d.Created.Add(0), Device: provision.DeviceActive, DeviceAt: d.StateAt, DeviceBy: d.StateBy,
	})
	c.same("events", c.events(c.x), before)
	got, err := c.s.Device(ctx, c.x, d.ID)
	c.ok(err)
	c.same("kept", got, d)
	c.ok(c.s.PutPolicy(ctx, c.x, provision.Policy{Version: 7, Payload: []byte("p"), Signature: []byte("s")}, c.event("policy.put")))
	s, err = c.s.CheckIn(ctx, c.x, d.ID, rep, c.now)
	c.ok(err)
	c.same("policy of the tenant", s.PolicyVersion, int64(7))
	c.ok(c.s.PutPolicy(ctx, c.x, provision.Policy{Group: "p", Version: 2, Payload: []byte("p"), Signature: []byte("s")}, c.event("policy.put")))
	_, err = c.s.SetUserState(ctx, c.x, person(1).ID, provision.Suspended, c.event("user.suspend"))
	c.ok(err)
	s, err = c.s.CheckIn(ctx, c.x, d.ID, rep, c.now)
	c.ok(err)
	c.same("policy of the group", []any{s.PolicyVersion, s.User}, []any{int64(2), provision.Suspended})
	_, err = c.s.CheckIn(ctx, c.x, "unknown", rep, c.now)
	c.is(err, provision.ErrNotFound)
	c.is(c.s.FinishWipe(ctx, c.x, d.ID, rep, c.event("device.wiped")), provision.ErrNotFound)
}

func policyOfAGroup(c *scene) {
	ctx := c.Context()
	_, err := c.s.Policy(ctx, c.x, "p")
	c.is(err, provision.ErrNotFound)
	all := provision.Policy{Version: 3, Payload: []byte("all\x00\xff"), Signature: []byte("sig"), KeyID: "k1"}
	p := provision.Policy{Group: "p", Version: 1, Payload: []byte("p"), Signature: []byte("sig p"), KeyID: "k2"}
	for _, one := range []provision.Policy{all, p} {
		c.ok(c.s.PutPolicy(ctx, c.x, one, c.event("policy.put")))
	}
	for group, want := range map[string]provision.Policy{"": all, "q": all, "p": p} {
		got, err := c.s.Policy(ctx, c.x, group)
		c.ok(err)
		c.same(fmt.Sprintf("policy of %q", group), got, want)
	}
	_, err = c.s.Policy(ctx, c.y, "p")
	c.is(err, provision.ErrNotFound)
	c.is(c.s.PutPolicy(ctx, reqsig.Operator("nobody"), all, c.event("policy.put")), provision.ErrNotFound)
}

func olderPolicy(c *scene) {
	ctx := c.Context()
	p := provision.Policy{Version: 3, Payload: []byte("three"), Signature: []byte("sig"), KeyID: "k"}
	put := func(p provision.Policy) error { return c.s.PutPolicy(ctx, c.x, p, c.event("policy.put")) }
	c.ok(put(p))
	before := c.events(c.x)
	c.ok(put(p))
	c.same("events", c.events(c.x), before)
	other := p
	other.Payload = []byte("another three")
	c.is(put(other), provision.ErrOlder)
	other.Version = 2
	c.is(put(other), provision.ErrOlder)
	other.Version = 4
	c.ok(put(other))
	got, err := c.s.Policy(ctx, c.x, "")
	c.ok(err)
	c.same("policy", got, other)
}
