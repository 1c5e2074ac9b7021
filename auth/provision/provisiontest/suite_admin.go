package provisiontest

import (
	"fmt"
	"strings"
	"time"

	"hawser/auth/provision"
)

func admins(c *scene) {
	ctx := c.Context()
	a := provision.Admin{Account: person(1).Account}
	b := provision.Admin{Account: person(2).Account, Group: "p"}
	for _, one := range []provision.Admin{b, a, a} {
		c.ok(c.s.PutAdmin(ctx, c.x, one, c.event("admin.put")))
	}
	c.same("events", c.events(c.x), 3)
	a.Since, b.Since = c.now, c.now
	c.now = c.now.Add(time.Minute)
	a.Group = "q"
	c.ok(c.s.PutAdmin(ctx, c.x, a, c.event("admin.put")))
	all, err := c.s.Admins(ctx, c.x)
	c.ok(err)
	c.same("admins", all, []provision.Admin{a, b})
	c.ok(c.s.EndSessions(ctx, c.x, b.Account, c.event("admin.signout")))
	b.Since = c.now
	c.is(c.s.EndSessions(ctx, c.y, b.Account, c.event("admin.signout")), provision.ErrNotFound)
	all, err = c.s.Admins(ctx, c.x)
	c.ok(err)
	c.same("admins", all, []provision.Admin{a, b})
	c.ok(c.s.DeleteAdmin(ctx, c.x, a.Account, c.event("admin.delete")))
	c.is(c.s.DeleteAdmin(ctx, c.x, a.Account, c.event("admin.delete")), provision.ErrNotFound)
	all, err = c.s.Admins(ctx, c.x)
	c.ok(err)
	c.same("admins", all, []provision.Admin{b})
}

func searchedUsers(c *scene) {
	ctx := c.Context()
	for n, mailbox := range []string{"zoe@example.com", "user-1@example.com", "ann@example.com", "u%@example.com"} {
		u := person(n)
		u.Group, u.Mailbox = []string{"p", "q"}[n%2], mailbox
		_, _, err := c.s.PutUser(ctx, c.x, u, c.event("user.put"))
		c.ok(err)
	}
	c.put(c.y, 1)
	d := c.registered(c.x, 2, 1)
	found := func(q provision.UserQuery) string {
		q.Limit = 500
		all, err := c.s.ListUsers(ctx, c.x, q)
		c.ok(err)
		var ids []string
		for _, u := range all {
			ids = append(ids, strings.TrimPrefix(u.ID, "user-00"))
		}
		return strings.Join(ids, " ")
	}
	for _, one := range []struct {
		q    provision.UserQuery
		want string
	}{
		{provision.UserQuery{Prefix: "user-"}, "0 1 2 3"},
		{provision.UserQuery{Prefix: "user-", After: "user-001"}, "2 3"},
		{provision.UserQuery{Prefix: "user-1"}, "1"},
		{provision.UserQuery{Prefix: "user-", Group: "q"}, "1 3"},
		{provision.UserQuery{Prefix: "Ann@"}, "2"}, // a mailbox is in lower case, an id is as it is
		{provision.UserQuery{Prefix: "USER-0"}, ""},
		{provision.UserQuery{Prefix: "u%"}, "3"},
		{provision.UserQuery{Prefix: "%"}, ""},
		{provision.UserQuery{Prefix: "_"}, ""},
		{provision.UserQuery{ID: "user-002"}, "2"},
		{provision.UserQuery{ID: "user-002", Group: "q"}, ""},
		{provision.UserQuery{ID: "user-00"}, ""},
		{provision.UserQuery{ID: "user-002", Prefix: "zoe"}, ""},
	} {
		c.same(fmt.Sprintf("%+v", one.q), found(one.q), one.want)
	}
	one, err := c.s.ListUsers(ctx, c.x, provision.UserQuery{ID: "user-002", Limit: 1})
	c.ok(err)
	c.same("devices", one[0].Devices, []provision.Device{d})
}

// keyOf adds a group's key with an event of that number.
func (c *scene) keyOf(group string, n int) provision.Key {
	k := c.key(provision.RoleTenant, group)
	e := c.event("key.add")
	e.Subject, e.Detail = k.ID, fmt.Sprint(n)
	c.ok(c.s.AddKey(c.Context(), c.x, k, e))
	return k
}

func eventsOfAGroup(c *scene) {
	ctx := c.Context()
	own, foreign := c.keyOf("p", 1), c.keyOf("q", 2)
	record := func(action, subject string, n int) {
		e := c.event(action)
		e.Subject, e.Detail = subject, fmt.Sprint(n)
		c.ok(c.s.Record(ctx, c.x, e))
	}
	for n := range 2 {
		u := person(n)
		u.Group = []string{"p", "q"}[n]
		e := c.event("user.put")
		e.Subject, e.Detail = u.ID, fmt.Sprint(3+n)
		_, _, err := c.s.PutUser(ctx, c.x, u, e)
		c.ok(err)
	}
	for n := range 2 {
		d := c.registered(c.x, n, 1)
		record("device.leave", d.ID, 5+n)
		record("code.issue", person(n).ID, 7+n)
	}
	record("policy.put", "p", 9)
	record("policy.put", "q", 10)
	record("policy.put", "", 11)
	// Somebody who may name things names them like a neighbour's.
	record("user.put", own.ID, 12)
	record("user.put", foreign.ID, 13)
	record("key.add", person(0).ID, 14)
	record("admin.put", person(0).ID, 15)
	record("tenant.set", "p", 16)
	list := func(group string, before int64, limit int) (details []string, last int64) {
		events, err := c.s.GroupEvents(ctx, c.x, group, before, limit)
		c.ok(err)
		for _, e := range events {
			if e.Detail != "d" {
				details = append(details, e.Detail)
			}
			last = e.ID
		}
		return details, last
	}
	all, _ := list("p", 0, 100)
	c.same("group p", all, []string{"9", "7", "5", "3", "1"})
	all, _ = list("q", 0, 100)
	c.same("group q", all, []string{"10", "8", "6", "4", "2"})
	two, last := list("p", 0, 2)
	c.same("two of p", two, []string{"9", "7"})
	rest, _ := list("p", last, 100)
	c.same("the rest of p", rest, []string{"5", "3", "1"})
	all, _ = list("", 0, 100)
	c.same("the whole tenant", len(all), 16)
	none, err := c.s.GroupEvents(ctx, c.y, "p", 0, 100)
	c.ok(err)
	c.same("the neighbour's", len(none), 0)
}
