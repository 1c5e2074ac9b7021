package provisiontest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

// Key implements [provision.Keys].
func (m *Memory) Key(_ context.Context, id string) (provision.Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.keys[id]
	if !ok || m.tenants[k.Tenant].tenant.Suspended {
		return provision.Key{}, provision.ErrNotFound
	}
	return *k, nil
}

// Recall implements [provision.Keys]: everything is in memory, so nothing has to be remembered.
func (m *Memory) Recall(string) *provision.Key { return nil }

// addKeyLocked keeps a copy of k under the tenant.
func (m *Memory) addKeyLocked(id reqsig.TenantID, k provision.Key) {
	k.Tenant, k.Sealed = id.String(), slices.Clone(k.Sealed)
	k.NotAfter, k.CreatedAt = micro(k.NotAfter), micro(k.CreatedAt)
	m.keys[k.ID] = &k
}

func standing(k *provision.Key) bool {
	return k.Role == provision.RoleTenant || k.Role == provision.RoleDeployment
}

func live(k *provision.Key, at time.Time) bool { return k.NotAfter.IsZero() || k.NotAfter.After(at) }

// AddKey implements [provision.Keys].
func (m *Memory) AddKey(_ context.Context, id reqsig.TenantID, k provision.Key, e provision.Event) error {
	r := m.lock(id)
	defer m.mu.Unlock()
	if r == nil {
		return provision.ErrNotFound
	}
	if m.keys[k.ID] != nil {
		return provision.ErrExists
	}
	n := 0
	for _, other := range m.keys {
		if other.Tenant == id.String() && other.Role == k.Role && other.Group == k.Group && live(other, e.At) {
			n++
		}
	}
	if n >= 2 {
		return provision.ErrTooMany
	}
	m.addKeyLocked(id, k)
	r.log(e)
	return nil
}

// EndKey implements [provision.Keys].
func (m *Memory) EndKey(_ context.Context, id reqsig.TenantID, key string, notAfter time.Time, e provision.Event) error {
	r := m.lock(id)
	defer m.mu.Unlock()
	k := m.keys[key]
	if r == nil || k == nil || k.Tenant != id.String() || !standing(k) {
		return provision.ErrNotFound
	}
	if notAfter = micro(notAfter); !k.NotAfter.Equal(notAfter) {
		k.NotAfter = notAfter
		r.log(e)
	}
	return nil
}

// TenantKeys implements [provision.Keys].
func (m *Memory) TenantKeys(_ context.Context, id reqsig.TenantID) ([]provision.Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []provision.Key
	for _, k := range m.keys {
		if !id.IsZero() && k.Tenant == id.String() && standing(k) {
			c := *k
			c.Sealed = nil
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b provision.Key) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// AddCode implements [provision.Keys].
func (m *Memory) AddCode(_ context.Context, id reqsig.TenantID, k provision.Key, e provision.Event) error {
	r := m.lock(id)
	defer m.mu.Unlock()
	if r == nil || r.users[k.User] == nil {
		return provision.ErrNotFound
	}
	if r.users[k.User].State == provision.Deprovisioned {
		return provision.ErrState
	}
	if m.keys[k.ID] != nil {
		return provision.ErrExists
	}
	m.endCodesLocked(id, k.User, e.At)
	m.addKeyLocked(id, k)
	r.log(e)
	return nil
}

func (m *Memory) endCodesLocked(id reqsig.TenantID, user string, at time.Time) {
	for _, k := range m.keys {
		if k.Tenant == id.String() && k.Role == provision.RoleCode && k.User == user && k.SpentBy == "" && live(k, at) {
			k.NotAfter = micro(at)
		}
	}
}

// PutUser implements [provision.Users].
func (m *Memory) PutUser(_ context.Context, id reqsig.TenantID, u provision.User, e provision.Event) (provision.User, bool, error) {
	r := m.lock(id)
	defer m.mu.Unlock()
	if r == nil {
		return provision.User{}, false, provision.ErrNotFound
	}
	old := r.users[u.ID]
	if old != nil && old.Bound && (old.Account != u.Account || old.Mailbox != u.Mailbox) {
		return provision.User{}, false, provision.ErrBound
	}
	for _, o := range r.users {
		if o.ID != u.ID && o.State != provision.Deprovisioned && (o.Account == u.Account || o.Mailbox == u.Mailbox) {
			return provision.User{}, false, provision.ErrConflict
		}
	}
	now := provision.User{ID: u.ID, State: provision.Active, StateAt: micro(e.At), StateBy: e.Actor, Created: micro(e.At)}
	if old != nil {
		created := old.Created
		if old.State != provision.Deprovisioned {
			now = *old
			if old.Group == u.Group && old.Account == u.Account && old.Mailbox == u.Mailbox && slices.Equal(old.Aliases, u.Aliases) {
				return copyUser(*old), false, nil
			}
		}
		now.Created = created
	}
	now.Group, now.Account, now.Mailbox, now.Aliases = u.Group, u.Account, u.Mailbox, slices.Clone(u.Aliases)
	now.Updated = micro(e.At)
	r.users[u.ID] = &now
	r.log(e)
	return copyUser(now), old == nil, nil
}

func copyUser(u provision.User) provision.User {
	u.Aliases, u.Devices = slices.Clone(u.Aliases), nil
	return u
}

// User implements [provision.Users].
func (m *Memory) User(_ context.Context, id reqsig.TenantID, user string) (provision.User, error) {
	r := m.lock(id)
	defer m.mu.Unlock()
	if r == nil || r.users[user] == nil {
		return provision.User{}, provision.ErrNotFound
	}
	return copyUser(*r.users[user]), nil
}

// UserByAccount implements [provision.Users].
func (m *Memory) UserByAccount(_ context.Context, id reqsig.TenantID, a provision.Account) (provision.User, error) {
	r := m.lock(id)
	defer m.mu.Unlock()
	if r != nil {
		for _, u := range r.users {
			if u.Account == a && u.State != provision.Deprovisioned {
				return copyUser(*u), nil
			}
		}
	}
	return provision.User{}, provision.ErrNotFound
}

// ListUsers implements [provision.Users].
func (m *Memory) ListUsers(_ context.Context, id reqsig.TenantID, q provision.UserQuery) ([]provision.User, error) {
	r := m.lock(id)
	defer m.mu.Unlock()
	var all []provision.User
	if r == nil {
		return nil, nil
	}
	for _, u := range r.users {
		if (q.Group == "" || q.Group == u.Group) && (q.ID == "" || q.ID == u.ID) && u.ID > q.After &&
			(strings.HasPrefix(u.ID, q.Prefix) || strings.HasPrefix(u.Mailbox, strings.ToLower(q.Prefix))) {
			c := copyUser(*u)
			c.Devices = r.devicesOf(u.ID)
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b provision.User) int { return cmp.Compare(a.ID, b.ID) })
	return all[:min(len(all), q.Limit)], nil
}

// devicesOf lists the devices that are active or still wiping, newest first.
func (r *rows) devicesOf(user string) []provision.Device {
	var all []provision.Device
	for _, d := range r.devices {
		if d.User == user && (d.State == provision.DeviceActive || d.State == provision.DeviceWiping) {
			all = append(all, copyDevice(*d))
		}
	}
	slices.SortFunc(all, func(a, b provision.Device) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
	return all
}

func copyDevice(d provision.Device) provision.Device {
	d.KeyHash = bytes.Clone(d.KeyHash)
	return d
}

// SetUserState implements [provision.Users].
func (m *Memory) SetUserState(_ context.Context, id reqsig.TenantID, user string, to provision.UserState, e provision.Event) (provision.User, error) {
	r := m.lock(id)
	defer m.mu.Unlock()
	if r == nil || r.users[user] == nil {
		return provision.User{}, provision.ErrNotFound
	}
	u := r.users[user]
	switch {
	case to != provision.Active && to != provision.Suspended && to != provision.Deprovisioned:
		return provision.User{}, errors.New("set user state: unknown state")
	case u.State == to:
		return copyUser(*u), nil
	case u.State == provision.Deprovisioned:
		return provision.User{}, provision.ErrState
	}
	u.State, u.StateAt, u.StateBy, u.Updated = to, micro(e.At), e.Actor, micro(e.At)
	if to == provision.Deprovisioned {
		m.endCodesLocked(id, user, e.At)
		m.releaseLocked(id, u)
		for _, d := range r.devices {
			if d.User == user && d.State == provision.DeviceActive {
				d.State, d.StateAt, d.StateBy = provision.DeviceWiping, micro(e.At), e.Actor
			}
		}
	}
	r.log(e)
	return copyUser(*u), nil
}

func (m *Memory) releaseLocked(id reqsig.TenantID, u *provision.User) {
	u.Bound = false
	for c, o := range m.claims {
		if o == (owner{id.String(), u.ID}) {
			delete(m.claims, c)
		}
	}
}

// Totals implements [provision.Users].
func (m *Memory) Totals(_ context.Context, id reqsig.TenantID, group string, since time.Time) (provision.Totals, error) {
	r := m.lock(id)
	defer m.mu.Unlock()
	t := provision.Totals{Users: map[provision.UserState]int64{}}
	if r == nil {
		return t, nil
	}
	for _, u := range r.users {
		if group == "" || u.Group == group {
			t.Users[u.State]++
			if u.Bound {
				t.Bound++
			}
		}
	}
	for _, d := range r.devices {
		if d.State != provision.DeviceActive || group != "" && r.users[d.User].Group != group {
			continue
		}
		t.Devices++
		if !d.LastSeen.IsZero() && !d.LastSeen.Before(since) {
			t.Reporting++
		}
		c := d.Report.Counts
		t.Counts.Seen += c.Seen
		t.Counts.Captured += c.Captured
		t.Counts.Filtered += c.Filtered
		t.Counts.Held += c.Held
		t.Counts.Waiting += c.Waiting
		t.Counts.NeedsYou += c.NeedsYou
	}
	return t, nil
}
