package provisiontest

import (
	"fmt"
	"sync"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

func twoKeysLive(c *scene) {
	ctx := c.Context()
	first, second := c.key(provision.RoleTenant, ""), c.key(provision.RoleTenant, "")
	second.CreatedAt = c.now.Add(time.Second)
	c.ok(c.s.AddKey(ctx, c.x, first, c.event("key.add")))
	c.is(c.s.AddKey(ctx, c.x, first, c.event("key.add")), provision.ErrExists)
	c.is(c.s.AddKey(ctx, c.y, first, c.event("key.add")), provision.ErrExists)
	c.ok(c.s.AddKey(ctx, c.x, second, c.event("key.add")))
	third := c.key(provision.RoleTenant, "")
	c.is(c.s.AddKey(ctx, c.x, third, c.event("key.add")), provision.ErrTooMany)
	c.ok(c.s.AddKey(ctx, c.x, c.key(provision.RoleTenant, "p"), c.event("key.add")))
	c.ok(c.s.AddKey(ctx, c.x, c.key(provision.RoleDeployment, ""), c.event("key.add")))
	c.ok(c.s.AddKey(ctx, c.y, c.key(provision.RoleTenant, ""), c.event("key.add")))

	end := c.now.Add(time.Hour)
	c.ok(c.s.EndKey(ctx, c.x, first.ID, end, c.event("key.end")))
	before := c.events(c.x)
	c.ok(c.s.EndKey(ctx, c.x, first.ID, end, c.event("key.end")))
	c.same("events after the same end again", c.events(c.x), before)
	c.is(c.s.AddKey(ctx, c.x, third, c.event("key.add")), provision.ErrTooMany)
	c.now = end
	c.ok(c.s.AddKey(ctx, c.x, third, c.event("key.add")))

	all, err := c.s.TenantKeys(ctx, c.x)
	c.ok(err)
	c.same("keys", len(all), 5)
	for _, k := range all {
		if len(k.Sealed) != 0 {
			c.Error("a list hands out sealed secrets")
		}
	}
	c.is(c.s.AddKey(ctx, reqsig.Operator("nobody"), c.key(provision.RoleTenant, ""), c.event("key.add")), provision.ErrNotFound)
}

func endedKey(c *scene) {
	ctx := c.Context()
	k := c.key(provision.RoleTenant, "p")
	c.ok(c.s.AddKey(ctx, c.x, k, c.event("key.add")))
	got, err := c.s.Key(ctx, k.ID)
	c.ok(err)
	k.Tenant = c.x.String()
	c.same("key", got, k)
	k.NotAfter = c.now.Add(-time.Second)
	c.ok(c.s.EndKey(ctx, c.x, k.ID, k.NotAfter, c.event("key.end")))
	got, err = c.s.Key(ctx, k.ID)
	c.ok(err)
	c.same("ended key", got, k)
	_, err = c.s.Key(ctx, "unknown")
	c.is(err, provision.ErrNotFound)
	c.is(c.s.EndKey(ctx, c.y, k.ID, c.now, c.event("key.end")), provision.ErrNotFound)
	c.put(c.x, 1)
	d := c.registered(c.x, 1, 1)
	c.is(c.s.EndKey(ctx, c.x, d.ID, c.now, c.event("key.end")), provision.ErrNotFound)
}

func suspendedTenant(c *scene) {
	ctx := c.Context()
	k := c.key(provision.RoleTenant, "")
	c.ok(c.s.AddKey(ctx, c.x, k, c.event("key.add")))
	t, err := c.s.Tenant(ctx, c.x)
	c.ok(err)
	t.Suspended = true
	c.ok(c.s.SetTenant(ctx, c.x, t, c.event("tenant.set")))
	_, err = c.s.Key(ctx, k.ID)
	c.is(err, provision.ErrNotFound)
	t.Suspended = false
	c.ok(c.s.SetTenant(ctx, c.x, t, c.event("tenant.set")))
	_, err = c.s.Key(ctx, k.ID)
	c.ok(err)
}

func usersIdempotent(c *scene) {
	ctx := c.Context()
	u, created, err := c.s.PutUser(ctx, c.x, person(1), c.event("user.put"))
	c.ok(err)
	want := person(1)
	want.State, want.StateAt, want.StateBy, want.Created, want.Updated = provision.Active, c.now, "operator", c.now, c.now
	c.same("user", u, want)
	c.same("created", created, true)
	before := c.events(c.x)

	c.now = c.now.Add(time.Minute)
	u, created, err = c.s.PutUser(ctx, c.x, person(1), c.event("user.put"))
	c.ok(err)
	c.same("the same again", u, want)
	c.same("created", created, false)
	c.same("events", c.events(c.x), before)

	moved := person(1)
	moved.Group, moved.Aliases = "q", nil
	u, _, err = c.s.PutUser(ctx, c.x, moved, c.event("user.put"))
	c.ok(err)
	want.Group, want.Aliases, want.Updated = "q", nil, c.now
	if len(u.Aliases) == 0 {
		u.Aliases = nil
	}
	c.same("moved", u, want)
	got, err := c.s.UserByAccount(ctx, c.x, want.Account)
	c.ok(err)
	c.same("by account", got.ID, want.ID)
	_, _, err = c.s.PutUser(ctx, reqsig.Operator("nobody"), person(1), c.event("user.put"))
	c.is(err, provision.ErrNotFound)
}

func usersDiffer(c *scene) {
	ctx := c.Context()
	c.put(c.x, 1)
	c.put(c.y, 1) // until somebody proves to be the one, both tenants may expect them
	for _, change := range []func(*provision.User){
		func(u *provision.User) { u.Account = person(1).Account },
		func(u *provision.User) { u.Mailbox = person(1).Mailbox },
	} {
		u := person(2)
		change(&u)
		_, _, err := c.s.PutUser(ctx, c.x, u, c.event("user.put"))
		c.is(err, provision.ErrConflict)
	}
	_, err := c.s.User(ctx, c.x, person(2).ID)
	c.is(err, provision.ErrNotFound)
	_, err = c.s.SetUserState(ctx, c.x, person(1).ID, provision.Deprovisioned, c.event("user.deprovision"))
	c.ok(err)
	u := person(2)
	u.Account, u.Mailbox = person(1).Account, person(1).Mailbox
	_, _, err = c.s.PutUser(ctx, c.x, u, c.event("user.put"))
	c.ok(err)
	_, _, err = c.s.PutUser(ctx, c.x, person(1), c.event("user.put"))
	c.is(err, provision.ErrConflict)
}

func listOfAGroup(c *scene) {
	ctx := c.Context()
	for n := range 7 {
		u := person(n)
		u.Group = []string{"p", "q", ""}[n%3]
		_, _, err := c.s.PutUser(ctx, c.x, u, c.event("user.put"))
		c.ok(err)
	}
	c.put(c.y, 3)
	one, two := c.registered(c.x, 3, 1), c.registered(c.x, 3, 2)
	ids := func(q provision.UserQuery) (ids []string) {
		all, err := c.s.ListUsers(ctx, c.x, q)
		c.ok(err)
		for _, u := range all {
			ids = append(ids, u.ID)
		}
		return ids
	}
	c.same("first page", ids(provision.UserQuery{Limit: 3}), []string{"user-000", "user-001", "user-002"})
	c.same("next page", ids(provision.UserQuery{After: "user-002", Limit: 3}), []string{"user-003", "user-004", "user-005"})
	c.same("group p", ids(provision.UserQuery{Group: "p", Limit: 500}), []string{"user-000", "user-003", "user-006"})
	c.same("group q", ids(provision.UserQuery{Group: "q", After: "user-001", Limit: 500}), []string{"user-004"})
	c.same("no such group", len(ids(provision.UserQuery{Group: "r", Limit: 500})), 0)

	c.ok(c.s.Leave(ctx, c.x, one.ID, c.event("device.leave")))
	all, err := c.s.ListUsers(ctx, c.x, provision.UserQuery{After: "user-002", Limit: 1})
	c.ok(err)
	c.same("devices", len(all[0].Devices), 1)
	c.same("device", all[0].Devices[0], two)
}

func totals(c *scene) {
	ctx := c.Context()
	for n := range 4 {
		u := person(n)
		u.Group = []string{"p", "q"}[n%2]
		_, _, err := c.s.PutUser(ctx, c.x, u, c.event("user.put"))
		c.ok(err)
		d := c.registered(c.x, n, 1)
		if n < 3 {
			_, err = c.s.CheckIn(ctx, c.x, d.ID, provision.Report{Counts: provision.Counts{Seen: 10, Captured: 5, Filtered: 3, Held: 1, Waiting: 1, NeedsYou: 1}}, c.now.Add(time.Duration(n)*time.Hour))
			c.ok(err)
		}
	}
	_, err := c.s.SetUserState(ctx, c.x, person(2).ID, provision.Suspended, c.event("user.suspend"))
	c.ok(err)
	_, err = c.s.SetUserState(ctx, c.x, person(3).ID, provision.Deprovisioned, c.event("user.deprovision"))
	c.ok(err)
	check := func(group string, users [3]int64, bound, devices, reporting, times int64) {
		c.Helper()
		got, err := c.s.Totals(ctx, c.x, group, c.now.Add(time.Hour))
		c.ok(err)
		c.same("users", [3]int64{got.Users[provision.Active], got.Users[provision.Suspended], got.Users[provision.Deprovisioned]}, users)
		c.same("bound, devices, reporting", []int64{got.Bound, got.Devices, got.Reporting}, []int64{bound, devices, reporting})
		c.same("counts", got.Counts, provision.Counts{Seen: 10 * times, Captured: 5 * times, Filtered: 3 * times, Held: times, Waiting: times, NeedsYou: times})
	}
	check("", [3]int64{2, 1, 1}, 3, 3, 2, 3)
	check("p", [3]int64{1, 1, 0}, 2, 2, 1, 2)
	check("q", [3]int64{1, 0, 1}, 1, 1, 1, 1)
	got, err := c.s.Totals(ctx, c.y, "", time.Time{})
	c.ok(err)
	c.same("neighbour", got.Devices+got.Bound+got.Users[provision.Active], int64(0))
}

func userStates(c *scene) {
	ctx := c.Context()
	c.put(c.x, 1)
	set := func(to provision.UserState) error {
		c.now = c.now.Add(time.Second)
		u, err := c.s.SetUserState(ctx, c.x, person(1).ID, to, c.event("user.state"))
		if err == nil {
			c.same("state", u.State, to)
		}
		return err
	}
	before := c.events(c.x)
	for _, to := range []provision.UserState{provision.Suspended, provision.Suspended, provision.Active, provision.Suspended} {
		c.ok(set(to))
	}
	c.same("events of changes", c.events(c.x), before+3)
	u := c.put(c.x, 1)
	c.same("a suspended user stays so", u.State, provision.Suspended)
	c.ok(set(provision.Deprovisioned))
	at := c.now
	c.ok(set(provision.Deprovisioned))
	u, err := c.s.User(ctx, c.x, person(1).ID)
	c.ok(err)
	c.same("time of the first", u.StateAt, at)
	c.is(set(provision.Suspended), provision.ErrState)
	c.is(set(provision.Active), provision.ErrState)
	_, err = c.s.UserByAccount(ctx, c.x, person(1).Account)
	c.is(err, provision.ErrNotFound)
	_, err = c.code(c.x, 1)
	c.is(err, provision.ErrState)
	u = c.put(c.x, 1)
	c.same("provisioned again", u.State, provision.Active)
	if _, err := c.s.SetUserState(ctx, c.x, person(1).ID, "sleepy", c.event("user.state")); err == nil {
		c.Error("an unknown state was taken")
	}
	_, err = c.s.SetUserState(ctx, c.x, "nobody", provision.Active, c.event("user.state"))
	c.is(err, provision.ErrNotFound)
}

func codeOnce(c *scene) {
	ctx := c.Context()
	c.put(c.x, 1)
	c.put(c.x, 2)
	_, err := c.code(c.x, 3)
	c.is(err, provision.ErrNotFound)
	old, err := c.code(c.x, 1)
	c.ok(err)
	k, err := c.code(c.x, 1)
	c.ok(err)
	c.is(c.s.AddCode(ctx, c.x, k, c.event("code.issue")), provision.ErrExists)
	with := func(n int, code string) error {
		r := c.registration(n, 1)
		r.Code = code
		_, err := c.register(c.x, r)
		return err
	}
	c.is(with(1, old.ID), provision.ErrSpent) // replaced by the newer one
	c.is(with(2, k.ID), provision.ErrSpent)   // of another user
	c.is(with(1, "unknown"), provision.ErrSpent)
	c.now = k.NotAfter
	c.is(with(1, k.ID), provision.ErrSpent) // too old
	c.now = c.now.Add(-time.Second)
	c.ok(with(1, k.ID))
	c.ok(with(1, k.ID)) // the same registration again
	again := c.registration(1, 2)
	again.Code = k.ID
	_, err = c.register(c.x, again)
	c.is(err, provision.ErrSpent)
	got, err := c.s.Key(ctx, k.ID)
	c.ok(err)
	c.same("spent by", got.SpentBy, "reg-1-1")
	c.same("user", got.User, person(1).ID)
	c.same("role", got.Role, provision.RoleCode)
}

func codeInParallel(c *scene) {
	c.put(c.x, 1)
	k, err := c.code(c.x, 1)
	c.ok(err)
	var mu sync.Mutex
	results := map[string]int{}
	race(100, func(i int) {
		r := c.registration(1, i)
		r.Code = k.ID
		_, err := c.register(c.x, r)
		mu.Lock()
		defer mu.Unlock()
		results[fmt.Sprint(err)]++
		if err != nil {
			c.isNot(err)
		}
	})
	c.same("successes", results[fmt.Sprint(error(nil))], 1)
}
