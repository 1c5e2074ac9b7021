package tenantdb

import (
	"context"
	"sync"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

// maxRecent bounds how many keys are remembered. One takes about half a kilobyte with what its
// computer is told, which only who has that many computers pays.
const maxRecent = 1_000_000

// maxFloors bounds how many changes of single users and keys are told apart in a tenant.
const maxFloors = 10_000

// recent remembers keys, and what computers were told, until a change is heard of. Changes are
// numbered as this process hears of them: what was read from the database before a change of it
// was heard is not used any more. In a SQLite file every change is made by this process. In
// PostgreSQL those of other servers come with the answer to the next nonce that is used, so that
// a request never passes on what was true before it came.
type recent struct {
	mu      sync.RWMutex
	heard   int64 // the number of the last change
	rounds  int64 // how often versions of tenants were heard
	keys    map[string]*remembered
	tenants map[string]*floors
}

// remembered is one key. keyAt and standingAt are the last changes heard of before reading began.
type remembered struct {
	key        *provision.Key
	floors     *floors // of its tenant
	keyAt      int64
	standing   *provision.Standing
	standingAt int64
}

// floors say from which change on what was read of a tenant is of use.
type floors struct {
	version int64 // of the tenant in the database, as last heard
	round   int64 // in which it was heard
	all     int64
	of      map[string]int64 // by subject
}

// The subjects of changes. The empty one is the whole tenant.
func ofUser(id string) string { return "u:" + id }
func ofKey(id string) string  { return "k:" + id }

func newRecent() *recent {
	return &recent{keys: map[string]*remembered{}, tenants: map[string]*floors{}}
}

// now is what has to be noted before something is read that will be remembered.
func (r *recent) now() int64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.heard
}

// holds reports whether what was read at a moment is still of use.
func (m *remembered) holds(at int64) bool {
	f := m.floors
	if at < f.all {
		return false
	}
	return len(f.of) == 0 || at >= f.of[ofUser(m.key.User)] && at >= f.of[ofKey(m.key.ID)]
}

func (r *recent) key(id string) *provision.Key {
	r.mu.RLock()
	defer r.mu.RUnlock()
	m := r.keys[id]
	if m == nil || !m.holds(m.keyAt) {
		return nil
	}
	return m.key
}

func (r *recent) standing(tenant, device string) *provision.Standing {
	r.mu.RLock()
	defer r.mu.RUnlock()
	m := r.keys[device]
	if m == nil || m.standing == nil || m.key.Tenant != tenant || !m.holds(m.standingAt) {
		return nil
	}
	return m.standing
}

func (r *recent) keepKey(k *provision.Key, at int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.keys[k.ID]
	if m == nil {
		if len(r.keys) >= maxRecent {
			r.dropOneLocked()
		}
		m = &remembered{}
		r.keys[k.ID] = m
	}
	m.key, m.keyAt, m.floors = k, at, r.floorsLocked(k.Tenant)
}

// dropOneLocked makes room. It does not matter whose.
func (r *recent) dropOneLocked() {
	for id := range r.keys {
		delete(r.keys, id)
		return
	}
}

// keepStanding adds to a key that is remembered.
func (r *recent) keepStanding(device string, s *provision.Standing, at int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.keys[device]; m != nil {
		m.standing, m.standingAt = s, at
	}
}

// change notes that something changed.
func (r *recent) change(tenant, subject string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changeLocked(tenant, subject)
}

func (r *recent) changeLocked(tenant, subject string) *floors {
	r.heard++
	f := r.floorsLocked(tenant)
	if subject == "" || len(f.of) >= maxFloors {
		f.all = r.heard
		clear(f.of)
	} else {
		f.of[subject] = r.heard
	}
	return f
}

func (r *recent) floorsLocked(tenant string) *floors {
	f := r.tenants[tenant]
	if f == nil {
		f = &floors{of: map[string]int64{}}
		r.tenants[tenant] = f
	}
	return f
}

// round is what has to be noted before a tenant's version is read.
func (r *recent) round() int64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.rounds
}

// version returns the tenant's version of which everything was heard, 0 for none, and in which
// round it was.
func (r *recent) version(tenant string) (version, round int64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if f := r.tenants[tenant]; f != nil {
		return f.version, f.round
	}
	return 0, 0
}

// hear notes changes up to a version of a tenant.
func (r *recent) hear(tenant string, version int64, subjects []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rounds++
	for _, s := range subjects {
		f := r.changeLocked(tenant, s)
		f.version, f.round = version, r.rounds
	}
}

// Recall implements [provision.Keys].
func (d *DB) Recall(id string) *provision.Key { return d.recent.key(id) }

// tenantVersion is how often a tenant was changed in a database that several servers share.
type tenantVersion struct {
	tenant  string
	version int64
}

// listen hears of what other servers changed before these versions were read, which was after the
// noted round. A version that is lower than one that was heard by then is that of another database,
// put in the place of a lost one; one that was heard since belongs to a batch that was read later.
func (d *DB) listen(ctx context.Context, round int64, seen []tenantVersion) error {
	d.listening.Lock()
	defer d.listening.Unlock()
	for _, v := range seen {
		known, heard := d.recent.version(v.tenant)
		if v.version == known || v.version < known && heard > round {
			continue
		}
		subjects := []string{""}
		if known > 0 && v.version > known && v.version-known <= maxChanged {
			subjects = nil
			err := d.list(ctx, "read changes", reqsig.Operator(v.tenant), func(ctx context.Context, q querier) error {
				subjects = nil
				return each(ctx, q, func(r rows) error {
					var s string
					err := r.Scan(&s)
					subjects = append(subjects, s)
					return err
				}, "SELECT subject FROM changed WHERE tenant = $1 AND version > $2 AND version <= $3", v.tenant, known, v.version)
			})
			if err != nil {
				return err
			}
			if int64(len(subjects)) != v.version-known { // some were written over meanwhile
				subjects = []string{""}
			}
		}
		d.recent.hear(v.tenant, v.version, subjects)
	}
	return nil
}
