package provisiontest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

// RunStore holds a store to the promises of [provision.Store]. open returns an empty store of the
// test t, which it closes with t.Cleanup; it is called once for each subtest, and in parallel.
func RunStore(t *testing.T, open func(t *testing.T) provision.Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*scene)
	}{
		{"B03NonceOnce", nonceOnce},
		{"B30NonceOfAnotherKey", nonceOfAnotherKey},
		{"Tenants", tenants},
		{"Admins", admins},
		{"AuditLog", auditLog},
		{"B04TwoKeysLive", twoKeysLive},
		{"B33EndedKeyIsFoundAsEnded", endedKey},
		{"SuspendedTenantHasNoKeys", suspendedTenant},
		{"B08UsersAreIdempotent", usersIdempotent},
		{"UsersOfOneTenantDiffer", usersDiffer},
		{"L04ListOfAGroup", listOfAGroup},
		{"L04SearchedUsers", searchedUsers},
		{"L04EventsOfAGroup", eventsOfAGroup},
		{"L04Totals", totals},
		{"UserStates", userStates},
		{"B07CodeOnce", codeOnce},
		{"B35CodeInParallel", codeInParallel},
		{"F47RegistrationRepeated", registrationRepeated},
		{"A05BoundOnceInATenant", boundOnceInATenant},
		{"A05BoundOnceAcrossTenants", boundOnceAcrossTenants},
		{"A05BoundOnceInParallel", boundOnceInParallel},
		{"A05BoundUserKeepsItsMailbox", boundUserKeeps},
		{"B09Deprovision", deprovision},
		{"LeaveReleases", leaveReleases},
		{"CheckIn", checkIn},
		{"B10PolicyOfAGroup", policyOfAGroup},
		{"A42OlderPolicy", olderPolicy},
		{"B05NeighbourIsInvisible", neighbourInvisible},
		{"ZeroTenantIsNobody", zeroTenant},
		{"B41StringsComeBack", stringsComeBack},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newScene(t, open(t)))
		})
	}
}

// scene is a store with two tenants and a clock that stands still until told.
type scene struct {
	*testing.T
	s    provision.Store
	x, y reqsig.TenantID
	now  time.Time
}

func newScene(t *testing.T, s provision.Store) *scene {
	c := &scene{T: t, s: s, now: time.Date(2026, 3, 1, 9, 0, 0, 123456000, time.UTC)}
	c.x, c.y = c.tenant("acme"), c.tenant("bolt")
	return c
}

func (c *scene) tenant(name string) reqsig.TenantID {
	c.Helper()
	t := provision.Tenant{ID: provision.NewTenantID(), Name: name, CreatedAt: c.now}
	c.ok(c.s.CreateTenant(c.Context(), t, c.event("tenant.create")))
	return reqsig.Operator(t.ID)
}

func (c *scene) event(action string) provision.Event {
	return provision.Event{At: c.now, Actor: "operator", Action: action, Subject: "s", Detail: "d"}
}

func (c *scene) ok(err error) {
	c.Helper()
	if err != nil {
		c.Fatalf("got %v, want no error", err)
	}
}

func (c *scene) is(err, want error) {
	c.Helper()
	if !errors.Is(err, want) {
		c.Fatalf("got error %v, want %v", err, want)
	}
}

func (c *scene) same(what string, got, want any) {
	c.Helper()
	if !reflect.DeepEqual(got, want) {
		c.Fatalf("%s: got %+v, want %+v", what, got, want)
	}
}

// person is the user n, the same for every tenant.
func person(n int) provision.User {
	return provision.User{
		ID: fmt.Sprintf("user-%03d", n), Group: "p",
		Account: provision.Account{OrgID: "00D000000000001AAA", UserID: fmt.Sprintf("005%015d", n)},
		Mailbox: fmt.Sprintf("u%d@example.com", n), Aliases: []string{fmt.Sprintf("a%d@example.com", n)},
	}
}

func (c *scene) put(id reqsig.TenantID, n int) provision.User {
	c.Helper()
	u, _, err := c.s.PutUser(c.Context(), id, person(n), c.event("user.put"))
	c.ok(err)
	return u
}

func hash(parts ...any) [32]byte { return sha256.Sum256([]byte(fmt.Sprint(parts...))) }

// registration is person n's computer k, with the claims of that person.
func (c *scene) registration(n, k int) provision.Registration {
	secret := hash("secret", n, k)
	// The id differs from call to call, as a server draws it anew for a repeated registration.
	id := provision.NewTenantID()
	return provision.Registration{
		Device: provision.Device{
			ID: id, User: person(n).ID, Registration: fmt.Sprintf("reg-%d-%d", n, k), KeyHash: secret[:],
			Report: provision.Report{Version: "1.2.3", OS: "linux", State: "up-to-date"},
		},
		Key: provision.Key{ID: id, Role: provision.RoleDevice, User: person(n).ID, Sealed: []byte("sealed"), CreatedAt: c.now},
		Claims: []provision.Claim{
			{Kind: provision.ClaimAccount, Hash: hash("account", n)},
			{Kind: provision.ClaimMailbox, Hash: hash("mailbox", n)},
			{Kind: provision.ClaimAddress, Hash: hash("address", n)},
		},
	}
}

func (c *scene) register(id reqsig.TenantID, r provision.Registration) (provision.Device, error) {
	return c.s.Register(c.Context(), id, r, c.event("device.register"))
}

func (c *scene) registered(id reqsig.TenantID, n, k int) provision.Device {
	c.Helper()
	d, err := c.register(id, c.registration(n, k))
	c.ok(err)
	return d
}

func (c *scene) key(role reqsig.Role, group string) provision.Key {
	return provision.Key{ID: provision.NewTenantID(), Role: role, Group: group, Sealed: []byte{0, 1, 255}, CreatedAt: c.now}
}

func (c *scene) code(id reqsig.TenantID, n int) (provision.Key, error) {
	k := c.key(provision.RoleCode, "")
	k.User, k.NotAfter = person(n).ID, c.now.Add(15*time.Minute)
	return k, c.s.AddCode(c.Context(), id, k, c.event("code.issue"))
}

func (c *scene) events(id reqsig.TenantID) int {
	c.Helper()
	all, err := c.s.Events(c.Context(), id, 0, 500)
	c.ok(err)
	return len(all)
}

// race calls f n times at once, with its number.
func race(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

func nonceOnce(c *scene) {
	key := reqsig.KeyRef{Tenant: c.x, ID: "k"}
	var mu sync.Mutex
	firsts := 0
	race(200, func(int) {
		first, err := c.s.Use(c.Context(), key, "nonce-nonce-nonce-nonce", c.now.Add(reqsig.Keep))
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			c.Errorf("use nonce: %v", err)
		}
		if first {
			firsts++
		}
	})
	c.same("first uses of one nonce", firsts, 1)
	for i := range 50 {
		first, err := c.s.Use(c.Context(), key, fmt.Sprint("nonce-", i), c.now.Add(reqsig.Keep+time.Duration(i)*time.Minute))
		c.ok(err)
		c.same("a new nonce is first", first, true)
	}
}

func nonceOfAnotherKey(c *scene) {
	for _, key := range []reqsig.KeyRef{{Tenant: c.x, ID: "k"}, {Tenant: c.x, ID: "l"}, {Tenant: c.y, ID: "k"}} {
		first, err := c.s.Use(c.Context(), key, "nonce", c.now.Add(reqsig.Keep))
		c.ok(err)
		c.same("first", first, true)
	}
	if _, err := c.s.Use(c.Context(), reqsig.KeyRef{ID: "k"}, "nonce", c.now); err == nil {
		c.Error("a nonce without a tenant was kept")
	}
}

func tenants(c *scene) {
	ctx := c.Context()
	full := provision.Tenant{
		ID: provision.NewTenantID(), Name: "Zoë & Söhne", CreatedAt: c.now,
		Sites:      []provision.Site{{Issuer: "https://z.my.site.com/p", OrgID: "00D000000000001AAA", ClientIDs: []string{"a", "b"}}},
		Mail:       []provision.MailIssuer{{Issuer: "https://accounts.google.com", ClientIDs: []string{"g"}}},
		Domains:    []string{"z.example"},
		PolicyKeys: [][]byte{[]byte(strings.Repeat("k", 32))},
	}
	c.ok(c.s.CreateTenant(ctx, full, c.event("tenant.create")))
	c.is(c.s.CreateTenant(ctx, full, c.event("tenant.create")), provision.ErrExists)
	twin := full
	twin.ID = provision.NewTenantID()
	c.is(c.s.CreateTenant(ctx, twin, c.event("tenant.create")), provision.ErrExists)
	got, err := c.s.Tenant(ctx, reqsig.Operator(full.ID))
	c.ok(err)
	c.same("tenant", got, full)

	changed := full
	changed.Name, changed.Domains, changed.Suspended = "zoe", nil, true
	changed.CreatedAt = c.now.Add(time.Hour) // not to be changed
	c.ok(c.s.SetTenant(ctx, reqsig.Operator(full.ID), changed, c.event("tenant.set")))
	changed.CreatedAt = full.CreatedAt
	got, err = c.s.Tenant(ctx, reqsig.Operator(full.ID))
	c.ok(err)
	if len(got.Domains) == 0 {
		got.Domains = nil
	}
	c.same("changed tenant", got, changed)
	changed.Name = "acme"
	c.is(c.s.SetTenant(ctx, reqsig.Operator(full.ID), changed, c.event("tenant.set")), provision.ErrExists)
	c.is(c.s.SetTenant(ctx, reqsig.Operator("nobody"), full, c.event("tenant.set")), provision.ErrNotFound)
	_, err = c.s.Tenant(ctx, reqsig.Operator("nobody"))
	c.is(err, provision.ErrNotFound)

	all, err := c.s.Tenants(ctx)
	c.ok(err)
	var names []string
	for _, one := range all {
		names = append(names, one.Name)
	}
	c.same("names", names, []string{"acme", "bolt", "zoe"})
}

func auditLog(c *scene) {
	ctx := c.Context()
	for i := range 5 {
		e := c.event("x")
		e.Detail = fmt.Sprint(i)
		c.ok(c.s.Record(ctx, c.x, e))
	}
	newest, err := c.s.Events(ctx, c.x, 0, 2)
	c.ok(err)
	c.same("length", len(newest), 2)
	c.same("newest first", []string{newest[0].Detail, newest[1].Detail}, []string{"4", "3"})
	older, err := c.s.Events(ctx, c.x, newest[1].ID, 100)
	c.ok(err)
	c.same("length", len(older), 4)
	want := provision.Event{ID: older[0].ID, At: c.now, Actor: "operator", Action: "x", Subject: "s", Detail: "2"}
	c.same("event", older[0], want)
	c.is(c.s.Record(ctx, reqsig.Operator("nobody"), c.event("x")), provision.ErrNotFound)
}
