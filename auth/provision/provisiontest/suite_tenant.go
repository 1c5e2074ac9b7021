package provisiontest

import (
	"fmt"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

// probe calls every method that takes a tenant and an id of somebody else's row, and returns by
// name those that found or changed something.
func (c *scene) probe(id reqsig.TenantID, device string, key string) (leaks []string) {
	ctx, s := c.Context(), c.s
	note := func(name string, err error) {
		if err == nil {
			leaks = append(leaks, name)
		}
	}
	user := person(1).ID
	_, err := s.User(ctx, id, user)
	note("User", err)
	_, err = s.UserByAccount(ctx, id, person(1).Account)
	note("UserByAccount", err)
	for _, to := range []provision.UserState{provision.Suspended, provision.Active, provision.Deprovisioned} {
		_, err = s.SetUserState(ctx, id, user, to, c.event("probe"))
		note("SetUserState", err)
	}
	_, err = s.Device(ctx, id, device)
	note("Device", err)
	_, err = s.CheckIn(ctx, id, device, provision.Report{Version: "probe"}, c.now)
	note("CheckIn", err)
	note("FinishWipe", s.FinishWipe(ctx, id, device, provision.Report{}, c.event("probe")))
	note("Leave", s.Leave(ctx, id, device, c.event("probe")))
	_, err = s.Policy(ctx, id, "p")
	note("Policy", err)
	note("EndKey", s.EndKey(ctx, id, key, c.now, c.event("probe")))
	note("EndSessions", s.EndSessions(ctx, id, person(1).Account, c.event("probe")))
	note("DeleteAdmin", s.DeleteAdmin(ctx, id, person(1).Account, c.event("probe")))
	_, err = c.code(id, 1)
	note("AddCode", err)
	r := c.registration(1, 1)
	_, err = c.register(id, r)
	note("Register", err)

	users, err := s.ListUsers(ctx, id, provision.UserQuery{Limit: 500})
	c.ok(err)
	admins, err := s.Admins(ctx, id)
	c.ok(err)
	keys, err := s.TenantKeys(ctx, id)
	c.ok(err)
	totals, err := s.Totals(ctx, id, "", time.Time{})
	c.ok(err)
	if n := len(users) + len(admins) + len(keys); n > 0 || totals.Devices+totals.Bound+totals.Counts.Seen != 0 {
		leaks = append(leaks, "a list")
	}
	return leaks
}

// populate gives a tenant one row of everything.
func (c *scene) populate(id reqsig.TenantID) (device, key string) {
	ctx := c.Context()
	c.put(id, 1)
	d := c.registered(id, 1, 1)
	_, err := c.s.CheckIn(ctx, id, d.ID, provision.Report{Version: "1", Counts: provision.Counts{Seen: 9}}, c.now)
	c.ok(err)
	k := c.key(provision.RoleTenant, "")
	c.ok(c.s.AddKey(ctx, id, k, c.event("key.add")))
	c.ok(c.s.PutAdmin(ctx, id, provision.Admin{Account: person(1).Account}, c.event("admin.put")))
	c.ok(c.s.PutPolicy(ctx, id, provision.Policy{Group: "p", Version: 1, Payload: []byte("p"), Signature: []byte("s")}, c.event("policy.put")))
	return d.ID, k.ID
}

// snapshot is all that can be read of a tenant with one row of everything.
func (c *scene) snapshot(id reqsig.TenantID, device string) string {
	ctx := c.Context()
	users, err := c.s.ListUsers(ctx, id, provision.UserQuery{Limit: 500})
	c.ok(err)
	d, err := c.s.Device(ctx, id, device)
	c.ok(err)
	keys, err := c.s.TenantKeys(ctx, id)
	c.ok(err)
	events, err := c.s.Events(ctx, id, 0, 500)
	c.ok(err)
	p, err := c.s.Policy(ctx, id, "p")
	c.ok(err)
	return fmt.Sprintf("%+v %+v %+v %+v %+v", users, d, keys, events, p)
}

func neighbourInvisible(c *scene) {
	device, key := c.populate(c.x)
	before, events := c.snapshot(c.x, device), c.events(c.y)
	if leaks := c.probe(c.y, device, key); len(leaks) > 0 {
		c.Errorf("the neighbour reaches %v", leaks)
	}
	c.same("the tenant's rows", c.snapshot(c.x, device), before)
	c.same("the neighbour's own log", c.events(c.y), events)
	// The same external id in both tenants is two users.
	u := person(1)
	u.Group = "other"
	_, _, err := c.s.PutUser(c.Context(), c.y, u, c.event("user.put"))
	c.ok(err)
	_, err = c.s.SetUserState(c.Context(), c.y, u.ID, provision.Deprovisioned, c.event("user.deprovision"))
	c.ok(err)
	c.same("the tenant's rows", c.snapshot(c.x, device), before)
}

func zeroTenant(c *scene) {
	device, key := c.populate(c.x)
	before := c.snapshot(c.x, device)
	for name, id := range map[string]reqsig.TenantID{"zero": {}, "unknown": reqsig.Operator("unknown"), "quoted": reqsig.Operator("' or '1'='1")} {
		if leaks := c.probe(id, device, key); len(leaks) > 0 {
			c.Errorf("%s tenant reaches %v", name, leaks)
		}
		_, err := c.s.Tenant(c.Context(), id)
		c.is(err, provision.ErrNotFound)
		_, _, err = c.s.PutUser(c.Context(), id, person(5), c.event("user.put"))
		c.is(err, provision.ErrNotFound)
		c.is(c.s.PutAdmin(c.Context(), id, provision.Admin{}, c.event("admin.put")), provision.ErrNotFound)
		c.is(c.s.Record(c.Context(), id, c.event("x")), provision.ErrNotFound)
		c.same("events", c.events(id), 0)
	}
	c.same("the tenant's rows", c.snapshot(c.x, device), before)
}

func stringsComeBack(c *scene) {
	for i, evil := range []string{`';-- drop table users`, "%_*?[a]", "a\r\nb", "\x1b[31mred", "\u202ecod.exe", `\u0000`, "ÿ𝄞", `{"a":1}`, "$1 ? :x @x"} {
		u := person(i)
		u.ID, u.Group, u.Mailbox, u.Aliases = evil, evil, evil, []string{evil, "b"}
		now, _, err := c.s.PutUser(c.Context(), c.x, u, c.event("user.put"))
		c.ok(err)
		c.same("put", []any{now.ID, now.Group, now.Mailbox, now.Aliases}, []any{evil, evil, evil, u.Aliases})
		got, err := c.s.User(c.Context(), c.x, evil)
		c.ok(err)
		c.same("read", got, now)
		list, err := c.s.ListUsers(c.Context(), c.x, provision.UserQuery{Group: evil, Limit: 500})
		c.ok(err)
		c.same("listed", len(list), 1)
		e := c.event(evil)
		e.Detail = evil
		c.ok(c.s.Record(c.Context(), c.x, e))
		events, err := c.s.Events(c.Context(), c.x, 0, 1)
		c.ok(err)
		c.same("event", events[0].Detail, evil)
	}
}
