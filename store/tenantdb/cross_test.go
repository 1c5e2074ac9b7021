package tenantdb_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
	"hawser/store/tenantdb"
)

var pairs = flag.Int("pairs", 2000, "random pairs of tenants and methods to try on each kind of database")

// prey are ids to ask for: a neighbour's, or nobody's.
type prey struct {
	tenant, user, device, key, registration, group string
	account, admin                                 provision.Account
	mailbox                                        string
	event                                          int64 // id in the audit log
}

// preyOf are the i-th user's ids of a company.
func preyOf(c company, i int, event int64) prey {
	return prey{
		tenant: c.id.String(), user: c.users[i], device: c.devices[i], key: c.key, registration: "r-" + c.devices[i], group: "",
		account: c.accounts[i], mailbox: fmt.Sprintf("u%d@%s.example", i, strings.TrimPrefix(c.id.String(), "n_")),
		admin: provision.Account{OrgID: "00D" + strings.TrimPrefix(c.id.String(), "n_"), UserID: "005" + strings.TrimPrefix(c.id.String(), "n_")}, event: event,
	}
}

// own is the tenant that asks, and a user of it who is registered.
type own struct {
	id     reqsig.TenantID
	user   provision.User
	device string
}

// crossings call every method of the store that takes a tenant, in the name of one and with ids of p. What they
// return may not depend on whether p exists in another tenant. None changes anything.
var crossings = map[string]func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error){
	"Tenant": func(ctx context.Context, d *tenantdb.DB, x own, _ prey) (any, error) { return d.Tenant(ctx, x.id) },
	"SetTenant": func(ctx context.Context, d *tenantdb.DB, _ own, p prey) (any, error) {
		return nil, d.SetTenant(ctx, reqsig.TenantID{}, provision.Tenant{ID: p.tenant, Name: "free"}, event("trespass"))
	},
	"PutAdmin": func(ctx context.Context, d *tenantdb.DB, _ own, p prey) (any, error) {
		return nil, d.PutAdmin(ctx, reqsig.TenantID{}, provision.Admin{Account: p.admin}, event("trespass"))
	},
	"DeleteAdmin": func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error) {
		return nil, d.DeleteAdmin(ctx, x.id, p.admin, event("trespass"))
	},
	"Admins": func(ctx context.Context, d *tenantdb.DB, x own, _ prey) (any, error) { return d.Admins(ctx, x.id) },
	"Record": func(ctx context.Context, d *tenantdb.DB, _ own, p prey) (any, error) {
		return nil, d.Record(ctx, reqsig.TenantID{}, provision.Event{At: start, Actor: p.key, Action: "trespass", Subject: p.user})
	},
	"Events": func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error) {
		events, err := d.Events(ctx, x.id, p.event+1, 10_000)
		return len(slices.DeleteFunc(events, func(e provision.Event) bool { return e.Subject != p.user && e.Subject != p.device })), err
	},
	"GroupEvents": func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error) {
		return d.GroupEvents(ctx, x.id, p.user, p.event+1, 10_000)
	},
	"EndSessions": func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error) {
		return nil, d.EndSessions(ctx, x.id, p.admin, event("trespass"))
	},
	"AddKey": func(ctx context.Context, d *tenantdb.DB, _ own, p prey) (any, error) {
		return nil, d.AddKey(ctx, reqsig.TenantID{}, provision.Key{ID: "new", Tenant: p.tenant, Role: provision.RoleTenant, Sealed: []byte("s")}, event("trespass"))
	},
	"EndKey": func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error) {
		return nil, d.EndKey(ctx, x.id, p.key, start, event("trespass"))
	},
	"TenantKeys": func(ctx context.Context, d *tenantdb.DB, x own, _ prey) (any, error) { return d.TenantKeys(ctx, x.id) },
	"AddCode": func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error) {
		return nil, d.AddCode(ctx, x.id, provision.Key{ID: "new", Tenant: p.tenant, Role: provision.RoleCode, User: p.user, Sealed: []byte("s")}, event("trespass"))
	},
	"PutUser": func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error) {
		// Our own user is bound, so that nothing changes whoever else has the account.
		u := x.user
		u.Account, u.Mailbox = p.account, p.mailbox
		now, created, err := d.PutUser(ctx, x.id, u, event("trespass"))
		return fmt.Sprint(now, created), err
	},
	"User": func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error) {
		return d.User(ctx, x.id, p.user)
	},
	"UserByAccount": func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error) {
		return d.UserByAccount(ctx, x.id, p.account)
	},
	"ListUsers": func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error) {
		return d.ListUsers(ctx, x.id, provision.UserQuery{Group: p.group, ID: p.user, After: p.user[:1], Prefix: p.user, Limit: 500})
	},
	"SetUserState": func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error) {
		return d.SetUserState(ctx, x.id, p.user, provision.Deprovisioned, event("trespass"))
	},
	"Totals": func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error) {
		return d.Totals(ctx, x.id, p.group, start)
	},
	"Register": func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error) {
		r := registration("new", p.user, 99, "")
		r.Device.Registration = p.registration
		return d.Register(ctx, x.id, r, event("trespass"))
	},
	"Device": func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error) {
		return d.Device(ctx, x.id, p.device)
	},
	"CheckIn": func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error) {
		return d.CheckIn(ctx, x.id, p.device, provision.Report{Version: "trespass"}, start)
	},
	"FinishWipe": func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error) {
		return nil, d.FinishWipe(ctx, x.id, p.device, provision.Report{}, event("trespass"))
	},
	"Leave": func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error) {
		return nil, d.Leave(ctx, x.id, p.device, event("trespass"))
	},
	"PutPolicy": func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error) {
		return nil, d.PutPolicy(ctx, x.id, provision.Policy{Version: 1, Payload: []byte(p.tenant), Signature: []byte("s"), KeyID: p.key}, event("trespass"))
	},
	"Policy": func(ctx context.Context, d *tenantdb.DB, x own, p prey) (any, error) {
		return d.Policy(ctx, x.id, p.user)
	},
}

// withoutTenant are the methods that take none, and why that is right.
var withoutTenant = map[string]string{
	"Use":          "the tenant is in the key; see TestB30 and TestB29NonceOnceEver",
	"Key":          "before a key is found nobody knows whose it is; it tells its own row alone, and a signature is checked with it",
	"Recall":       "it repeats what Key said",
	"CreateTenant": "the operator's; the tenant is the row",
	"Tenants":      "the operator's list",
	"Close":        "", "Ping": "", "Mark": "of the whole database", "SetMark": "of the whole database", "Forget": "by time alone",
}

// TestEveryMethodHasACrossing: a method that is added to the store is tried with a neighbour's ids, or said to
// need no tenant.
func TestEveryMethodHasACrossing(t *testing.T) {
	t.Parallel()
	tenant := reflect.TypeFor[reqsig.TenantID]()
	methods := map[string]reflect.Type{}
	for _, of := range []reflect.Type{reflect.TypeFor[*tenantdb.DB](), reflect.TypeFor[provision.Store]()} {
		for i := range of.NumMethod() {
			methods[of.Method(i).Name] = of.Method(i).Type
		}
	}
	for name, m := range methods {
		takes := false
		for i := range m.NumIn() {
			takes = takes || m.In(i) == tenant
		}
		_, exempt := withoutTenant[name]
		switch {
		case helper[name]:
		case takes && crossings[name] == nil:
			t.Errorf("%s takes a tenant, and nobody has tried it with a neighbour's ids", name)
		case !takes && !exempt:
			t.Errorf("%s takes no tenant: it could reach everybody", name)
		}
	}
	for name := range crossings {
		if methods[name] == nil {
			t.Errorf("%s is no method", name)
		}
	}
}

// helper are methods of the tests' own.
var helper = map[string]bool{"DieAfter": true, "Fill": true, "Touch": true}

// TestB05B36NoNeighbour asks for a neighbour's rows and for nobody's, by every method and in random pairs: the
// answers are the same, and nothing changes.
func TestB05B36NoNeighbour(t *testing.T) {
	t.Parallel()
	for dialect, where := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			d := open(t, where(t))
			var all []company
			for i := range 5 {
				all = append(all, found(t, d, fmt.Sprintf("c%d", i), 3))
			}
			before := everything(t, d, all...)
			names := slices.Sorted(func(yield func(string) bool) {
				for name := range crossings {
					if !yield(name) {
						return
					}
				}
			})
			var done atomic.Int64
			var wg sync.WaitGroup
			for worker := range uint64(8) {
				wg.Go(func() {
					dice := rand.New(rand.NewPCG(worker, 2))
					for !t.Failed() && done.Add(1) <= int64(*pairs) {
						a := dice.IntN(len(all))
						x, y := all[a], all[(a+1+dice.IntN(len(all)-1))%len(all)]
						name := names[dice.IntN(len(names))]
						if leak := trespass(t, d, name, x, preyOf(y, dice.IntN(3), int64(dice.IntN(60))), dice.Uint64()); leak != "" {
							t.Errorf("%s reaches %s: %s", x.id, y.id, leak)
						}
					}
				})
			}
			wg.Wait()
			if after := everything(t, d, all...); after != before {
				t.Errorf("changed from\n%.3000s\nto\n%.3000s", before, after)
			}
		})
	}
}

// trespass calls one method for a neighbour's ids and for nobody's, and says how the answers differ.
func trespass(t *testing.T, d *tenantdb.DB, name string, c company, theirs prey, salt uint64) string {
	x := own{id: c.id, device: c.devices[0], user: provision.User{ID: c.users[0], Account: c.accounts[0], Mailbox: "x"}}
	free := fmt.Sprintf("-free-%d", salt)
	nobodys := prey{
		tenant: theirs.tenant + free, user: theirs.user + free, device: theirs.device + free, key: theirs.key + free, registration: theirs.registration + free,
		account: provision.Account{OrgID: theirs.account.OrgID, UserID: theirs.account.UserID + free}, mailbox: "free" + theirs.mailbox,
		admin: provision.Account{OrgID: theirs.admin.OrgID, UserID: theirs.admin.UserID + free}, event: theirs.event,
	}
	got, err := crossings[name](t.Context(), d, x, theirs)
	want, errWant := crossings[name](t.Context(), d, x, nobodys)
	if fmt.Sprint(err) != fmt.Sprint(errWant) || !reflect.DeepEqual(got, want) {
		return fmt.Sprintf("%s: %+v, %v; for nobody's ids %+v, %v", name, got, err, want, errWant)
	}
	switch name {
	case "Tenant", "Admins", "Events", "GroupEvents", "TenantKeys", "ListUsers", "Totals", "Policy": // the caller's own
		if err != nil || strings.Contains(fmt.Sprintf("%+v", got), strings.TrimPrefix(theirs.tenant, "n_")+"-") {
			return fmt.Sprintf("%s: %+v, %v", name, got, err)
		}
		return ""
	case "PutUser":
		if !errors.Is(err, provision.ErrBound) {
			return fmt.Sprintf("%s: %v", name, err)
		}
		return ""
	case "PutPolicy":
		if !errors.Is(err, provision.ErrOlder) {
			return fmt.Sprintf("%s: %v", name, err)
		}
		return ""
	}
	if !errors.Is(err, provision.ErrNotFound) {
		return fmt.Sprintf("%s: %v", name, err)
	}
	return ""
}
