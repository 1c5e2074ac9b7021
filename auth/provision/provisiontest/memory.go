// Package provisiontest helps to test the provisioning protocol: a store in memory, and the suite
// that every [provision.Store] must pass.
//
// [Memory] is the twin of the databases, for tests of the protocol's rules. [RunStore] holds a
// store to its promises. [Memory] is safe for concurrent use; nothing here outlives the test.
package provisiontest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

// Memory is a [provision.Store] that forgets everything with the process. The zero value is empty
// and ready.
type Memory struct {
	mu      sync.Mutex
	tenants map[string]*rows
	keys    map[string]*provision.Key
	claims  map[claim]owner
}

// rows are one tenant's.
type rows struct {
	tenant   provision.Tenant
	admins   map[provision.Account]provision.Admin
	users    map[string]*provision.User
	devices  map[string]*provision.Device
	policies map[string]provision.Policy
	nonces   map[string]time.Time
	events   []provision.Event
}

type claim struct {
	kind provision.ClaimKind
	hash [32]byte
}

type owner struct{ tenant, user string }

var _ provision.Store = (*Memory)(nil)

// lock returns the tenant's rows with the mutex held, or nil.
func (m *Memory) lock(id reqsig.TenantID) *rows {
	m.mu.Lock()
	return m.tenants[id.String()]
}

func (r *rows) log(e provision.Event) {
	e.ID = int64(len(r.events)) + 1
	e.At = micro(e.At)
	r.events = append(r.events, e)
}

func micro(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// Use implements [reqsig.NonceStore].
func (m *Memory) Use(_ context.Context, key reqsig.KeyRef, nonce string, expires time.Time) (bool, error) {
	r := m.lock(key.Tenant)
	defer m.mu.Unlock()
	if r == nil {
		return false, errors.New("use nonce: no tenant")
	}
	id := key.ID + "\n" + nonce
	if _, used := r.nonces[id]; used {
		return false, nil
	}
	r.nonces[id] = expires
	return true, nil
}

// Nonces counts the nonces kept, of all tenants.
func (m *Memory) Nonces() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, r := range m.tenants {
		n += len(r.nonces)
	}
	return n
}

// CreateTenant implements [provision.Tenancy].
func (m *Memory) CreateTenant(_ context.Context, t provision.Tenant, e provision.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.ID == "" {
		return errors.New("create tenant: no id")
	}
	for id, r := range m.tenants {
		if id == t.ID || r.tenant.Name == t.Name {
			return provision.ErrExists
		}
	}
	if m.tenants == nil {
		m.tenants, m.keys, m.claims = map[string]*rows{}, map[string]*provision.Key{}, map[claim]owner{}
	}
	t = copyTenant(t)
	t.CreatedAt = micro(t.CreatedAt)
	r := &rows{
		tenant: t, admins: map[provision.Account]provision.Admin{}, users: map[string]*provision.User{},
		devices: map[string]*provision.Device{}, policies: map[string]provision.Policy{}, nonces: map[string]time.Time{},
	}
	r.log(e)
	m.tenants[t.ID] = r
	return nil
}

// Tenants implements [provision.Tenancy].
func (m *Memory) Tenants(context.Context) ([]provision.Tenant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []provision.Tenant
	for _, r := range m.tenants {
		all = append(all, copyTenant(r.tenant))
	}
	slices.SortFunc(all, func(a, b provision.Tenant) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// Tenant implements [provision.Tenancy].
func (m *Memory) Tenant(_ context.Context, id reqsig.TenantID) (provision.Tenant, error) {
	r := m.lock(id)
	defer m.mu.Unlock()
	if r == nil {
		return provision.Tenant{}, provision.ErrNotFound
	}
	return copyTenant(r.tenant), nil
}

// SetTenant implements [provision.Tenancy].
func (m *Memory) SetTenant(_ context.Context, id reqsig.TenantID, t provision.Tenant, e provision.Event) error {
	r := m.lock(id)
	defer m.mu.Unlock()
	if r == nil {
		return provision.ErrNotFound
	}
	for other, o := range m.tenants {
		if other != id.String() && o.tenant.Name == t.Name {
			return provision.ErrExists
		}
	}
	t.ID, t.CreatedAt = r.tenant.ID, r.tenant.CreatedAt
	r.tenant = copyTenant(t)
	r.log(e)
	return nil
}

func copyTenant(t provision.Tenant) provision.Tenant {
	t.Sites, t.Mail = slices.Clone(t.Sites), slices.Clone(t.Mail)
	t.Domains, t.PolicyKeys = slices.Clone(t.Domains), slices.Clone(t.PolicyKeys)
	return t
}

// PutAdmin implements [provision.Tenancy].
func (m *Memory) PutAdmin(_ context.Context, id reqsig.TenantID, a provision.Admin, e provision.Event) error {
	r := m.lock(id)
	defer m.mu.Unlock()
	if r == nil {
		return provision.ErrNotFound
	}
	old, ok := r.admins[a.Account]
	if ok && old.Group == a.Group {
		return nil
	}
	if a.Since = old.Since; !ok {
		a.Since = micro(e.At)
	}
	r.admins[a.Account] = a
	r.log(e)
	return nil
}

// DeleteAdmin implements [provision.Tenancy].
func (m *Memory) DeleteAdmin(_ context.Context, id reqsig.TenantID, a provision.Account, e provision.Event) error {
	r := m.lock(id)
	defer m.mu.Unlock()
	if r == nil {
		return provision.ErrNotFound
	}
	if _, ok := r.admins[a]; !ok {
		return provision.ErrNotFound
	}
	delete(r.admins, a)
	r.log(e)
	return nil
}

// EndSessions implements [provision.Tenancy].
func (m *Memory) EndSessions(_ context.Context, id reqsig.TenantID, a provision.Account, e provision.Event) error {
	r := m.lock(id)
	defer m.mu.Unlock()
	if r == nil {
		return provision.ErrNotFound
	}
	admin, ok := r.admins[a]
	if !ok {
		return provision.ErrNotFound
	}
	admin.Since = micro(e.At)
	r.admins[a] = admin
	r.log(e)
	return nil
}

// Admins implements [provision.Tenancy].
func (m *Memory) Admins(_ context.Context, id reqsig.TenantID) ([]provision.Admin, error) {
	r := m.lock(id)
	defer m.mu.Unlock()
	var all []provision.Admin
	if r != nil {
		for _, a := range r.admins {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, func(a, b provision.Admin) int {
		return cmp.Or(cmp.Compare(a.Account.OrgID, b.Account.OrgID), cmp.Compare(a.Account.UserID, b.Account.UserID))
	})
	return all, nil
}

// Record implements [provision.Tenancy].
func (m *Memory) Record(_ context.Context, id reqsig.TenantID, e provision.Event) error {
	r := m.lock(id)
	defer m.mu.Unlock()
	if r == nil {
		return provision.ErrNotFound
	}
	r.log(e)
	return nil
}

// Events implements [provision.Tenancy].
func (m *Memory) Events(ctx context.Context, id reqsig.TenantID, before int64, limit int) ([]provision.Event, error) {
	return m.GroupEvents(ctx, id, "", before, limit)
}

// GroupEvents implements [provision.Tenancy].
func (m *Memory) GroupEvents(_ context.Context, id reqsig.TenantID, group string, before int64, limit int) ([]provision.Event, error) {
	r := m.lock(id)
	defer m.mu.Unlock()
	var some []provision.Event
	if r != nil {
		for _, e := range slices.Backward(r.events) {
			if (before == 0 || e.ID < before) && len(some) < limit && (group == "" || m.groupOfLocked(id, r, e) == group) {
				some = append(some, e)
			}
		}
	}
	return some, nil
}

// groupOfLocked returns the group that an event is of; "" for none.
func (m *Memory) groupOfLocked(id reqsig.TenantID, r *rows, e provision.Event) string {
	user := e.Subject
	switch kind, _, _ := strings.Cut(e.Action, "."); kind {
	case "policy":
		return e.Subject
	case "key":
		if k := m.keys[e.Subject]; k != nil && k.Tenant == id.String() {
			return k.Group
		}
		return ""
	case "device":
		d := r.devices[e.Subject]
		if d == nil {
			return ""
		}
		user = d.User
	case "user", "code":
	default:
		return ""
	}
	if u := r.users[user]; u != nil {
		return u.Group
	}
	return ""
}

// PutPolicy implements [provision.Policies].
func (m *Memory) PutPolicy(_ context.Context, id reqsig.TenantID, p provision.Policy, e provision.Event) error {
	r := m.lock(id)
	defer m.mu.Unlock()
	if r == nil {
		return provision.ErrNotFound
	}
	if old, ok := r.policies[p.Group]; ok {
		if old.Version == p.Version && slices.Equal(old.Payload, p.Payload) && slices.Equal(old.Signature, p.Signature) && old.KeyID == p.KeyID {
			return nil
		}
		if p.Version <= old.Version {
			return provision.ErrOlder
		}
	}
	p.Payload, p.Signature = slices.Clone(p.Payload), slices.Clone(p.Signature)
	r.policies[p.Group] = p
	r.log(e)
	return nil
}

// Policy implements [provision.Policies].
func (m *Memory) Policy(_ context.Context, id reqsig.TenantID, group string) (provision.Policy, error) {
	r := m.lock(id)
	defer m.mu.Unlock()
	if r == nil {
		return provision.Policy{}, provision.ErrNotFound
	}
	return r.policy(group)
}

func (r *rows) policy(group string) (provision.Policy, error) {
	p, ok := r.policies[group]
	if !ok {
		p, ok = r.policies[""]
	}
	if !ok {
		return p, provision.ErrNotFound
	}
	p.Payload, p.Signature = slices.Clone(p.Payload), slices.Clone(p.Signature)
	return p, nil
}
