package provisiontest

import (
	"bytes"
	"context"
	"slices"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

// Register implements [provision.Devices].
func (m *Memory) Register(_ context.Context, id reqsig.TenantID, reg provision.Registration, e provision.Event) (provision.Device, error) {
	r := m.lock(id)
	defer m.mu.Unlock()
	if r == nil {
		return provision.Device{}, provision.ErrNotFound
	}
	d := reg.Device
	for _, old := range r.devices {
		if old.Registration != d.Registration {
			continue
		}
		if old.User != d.User || !bytes.Equal(old.KeyHash, d.KeyHash) || old.State != provision.DeviceActive {
			return provision.Device{}, provision.ErrConflict
		}
		return copyDevice(*old), nil
	}
	u := r.users[d.User]
	if u == nil {
		return provision.Device{}, provision.ErrNotFound
	}
	code := m.keys[reg.Code]
	if reg.Code != "" && (code == nil || code.Tenant != id.String() || code.Role != provision.RoleCode ||
		code.User != d.User || code.SpentBy != "" || !live(code, e.At)) {
		return provision.Device{}, provision.ErrSpent
	}
	if u.State != provision.Active {
		return provision.Device{}, provision.ErrState
	}
	if !m.claimableLocked(owner{id.String(), u.ID}, reg.Claims) {
		return provision.Device{}, provision.ErrConflict
	}
	if m.keys[d.ID] != nil {
		return provision.Device{}, provision.ErrExists
	}
	for _, c := range reg.Claims {
		m.claims[claim{c.Kind, c.Hash}] = owner{id.String(), u.ID}
	}
	if code != nil {
		code.SpentBy = d.Registration
	}
	u.Bound = true
	d.State, d.StateAt, d.StateBy, d.Created, d.LastSeen = provision.DeviceActive, micro(e.At), e.Actor, micro(e.At), time.Time{}
	d = copyDevice(d)
	r.devices[d.ID] = &d
	m.addKeyLocked(id, reg.Key)
	r.log(e)
	return copyDevice(d), nil
}

// claimableLocked reports whether the owner may hold all of these claims.
func (m *Memory) claimableLocked(o owner, claims []provision.Claim) bool {
	for _, c := range claims {
		if have, taken := m.claims[claim{c.Kind, c.Hash}]; taken && have != o {
			return false
		}
		for other, have := range m.claims {
			if have == o && other.kind == c.Kind && other.hash != c.Hash {
				return false
			}
		}
	}
	return true
}

// Device implements [provision.Devices].
func (m *Memory) Device(_ context.Context, id reqsig.TenantID, device string) (provision.Device, error) {
	r := m.lock(id)
	defer m.mu.Unlock()
	if r == nil || r.devices[device] == nil {
		return provision.Device{}, provision.ErrNotFound
	}
	return copyDevice(*r.devices[device]), nil
}

// CheckIn implements [provision.Devices].
func (m *Memory) CheckIn(_ context.Context, id reqsig.TenantID, device string, rep provision.Report, at time.Time) (provision.Standing, error) {
	r := m.lock(id)
	defer m.mu.Unlock()
	if r == nil || r.tenant.Suspended || r.devices[device] == nil {
		return provision.Standing{}, provision.ErrNotFound
	}
	d := r.devices[device]
	if d.State != provision.DeviceActive && d.State != provision.DeviceWiping {
		return provision.Standing{}, provision.ErrNotFound
	}
	d.Report, d.LastSeen = rep, micro(at)
	u := r.users[d.User]
	s := provision.Standing{
		TenantName: r.tenant.Name, Group: u.Group, Aliases: slices.Clone(u.Aliases),
		User: u.State, UserAt: u.StateAt, Device: d.State, DeviceAt: d.StateAt, DeviceBy: d.StateBy,
	}
	if p, err := r.policy(u.Group); err == nil {
		s.PolicyVersion = p.Version
	}
	return s, nil
}

// FinishWipe implements [provision.Devices].
func (m *Memory) FinishWipe(_ context.Context, id reqsig.TenantID, device string, rep provision.Report, e provision.Event) error {
	r := m.lock(id)
	defer m.mu.Unlock()
	if r == nil || r.devices[device] == nil || r.devices[device].State != provision.DeviceWiping {
		return provision.ErrNotFound
	}
	r.devices[device].Report, r.devices[device].LastSeen = rep, micro(e.At)
	m.endDeviceLocked(r.devices[device], provision.DeviceWiped, e)
	r.log(e)
	return nil
}

// Leave implements [provision.Devices].
func (m *Memory) Leave(_ context.Context, id reqsig.TenantID, device string, e provision.Event) error {
	r := m.lock(id)
	defer m.mu.Unlock()
	if r == nil || r.devices[device] == nil || r.devices[device].State != provision.DeviceActive {
		return provision.ErrNotFound
	}
	gone := r.devices[device]
	m.endDeviceLocked(gone, provision.DeviceLeft, e)
	last := true
	for _, d := range r.devices {
		last = last && (d.User != gone.User || d.State != provision.DeviceActive)
	}
	if last {
		m.releaseLocked(id, r.users[gone.User])
	}
	r.log(e)
	return nil
}

func (m *Memory) endDeviceLocked(d *provision.Device, to provision.DeviceState, e provision.Event) {
	d.State, d.StateAt, d.StateBy = to, micro(e.At), e.Actor
	m.keys[d.ID].NotAfter = micro(e.At)
}
