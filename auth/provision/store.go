package provision

import (
	"context"
	"errors"
	"time"

	"hawser/auth/reqsig"
)

// What stores answer. They may be wrapped; compare with errors.Is. Any other error means that the
// store could not do its work, and that nothing was changed.
var (
	// ErrNotFound: no such row in this tenant. A row of another tenant is not found either.
	ErrNotFound = errors.New("not found")
	// ErrExists: the id, or the tenant's name, is taken.
	ErrExists = errors.New("exists already")
	// ErrConflict: a mailbox or an account belongs to another user, of this tenant or of another
	// one: the error does not say which.
	ErrConflict = errors.New("taken by another user")
	// ErrBound: the user's account or mailbox cannot change while a registration holds them.
	ErrBound = errors.New("bound")
	// ErrState: the user's state does not allow it.
	ErrState = errors.New("not in this state")
	// ErrSpent: the enrolment code was used, replaced, or is too old.
	ErrSpent = errors.New("code is spent")
	// ErrTooMany: two keys live already.
	ErrTooMany = errors.New("too many live keys")
	// ErrOlder: a policy of this version or a later one is kept already.
	ErrOlder = errors.New("not newer")
	// ErrBusy: the store has too much to do, or is being restarted; the call may be repeated.
	ErrBusy = errors.New("store is busy")
)

// Store keeps what the protocol needs. Rules that every implementation follows:
//
//   - Each method is one transaction: all of it happens, durably, before it returns nil, or
//     nothing. Parallel calls have the effect of some order of single calls.
//   - A method with a tenant sees and changes that tenant's rows alone; for the zero tenant and
//     for an unknown one it finds nothing and writes nothing ([ErrNotFound], or an empty list).
//     Only the claims' uniqueness reaches across tenants, and all it gives away is [ErrConflict].
//   - A method with an [Event] writes that event in its transaction exactly when it changed
//     something: a repeated call that changes nothing writes none. Event.At is the present time
//     of the call; stores read no clock.
//   - Times keep microseconds and come back in UTC; a zero time comes back zero. Strings come back
//     byte for byte. A nil slice and an empty one are the same.
//
// Implementations are safe for concurrent use by several processes.
type Store interface {
	// NonceStore: Use answers false, nil for a repeated nonce. A nonce under the zero tenant is
	// an error.
	reqsig.NonceStore

	Tenancy
	Keys
	Users
	Devices
	Policies
}

// Tenancy is the operator's administration of tenants, their admins and the audit log.
type Tenancy interface {
	// CreateTenant adds a tenant. [ErrExists] when its id or name is taken. The event is the first
	// of the new tenant's log.
	CreateTenant(ctx context.Context, t Tenant, e Event) error
	// Tenants lists every tenant by name.
	Tenants(ctx context.Context) ([]Tenant, error)
	// Tenant returns one tenant, or [ErrNotFound].
	Tenant(ctx context.Context, id reqsig.TenantID) (Tenant, error)
	// SetTenant replaces everything but id and creation time. [ErrNotFound]; [ErrExists] when the
	// name is another tenant's.
	SetTenant(ctx context.Context, id reqsig.TenantID, t Tenant, e Event) error

	// PutAdmin lets an account open the admin page, with Since at e.At, or changes its group and
	// nothing else; a.Since is ignored. [ErrNotFound] when the tenant is unknown.
	PutAdmin(ctx context.Context, id reqsig.TenantID, a Admin, e Event) error
	// DeleteAdmin takes that away. [ErrNotFound].
	DeleteAdmin(ctx context.Context, id reqsig.TenantID, a Account, e Event) error
	// EndSessions sets Since to e.At. [ErrNotFound] when the account is no admin.
	EndSessions(ctx context.Context, id reqsig.TenantID, a Account, e Event) error
	// Admins lists a tenant's admins by org and user id.
	Admins(ctx context.Context, id reqsig.TenantID) ([]Admin, error)

	// Record writes an event of which nothing else is kept.
	Record(ctx context.Context, id reqsig.TenantID, e Event) error
	// Events lists a tenant's audit log, newest first: at most limit events with an id below
	// before; before 0 begins at the newest.
	Events(ctx context.Context, id reqsig.TenantID, before int64, limit int) ([]Event, error)
	// GroupEvents is Events of what was done to the group's present users, to their codes and
	// computers, and to the group's keys and policy; group "" is the whole tenant.
	GroupEvents(ctx context.Context, id reqsig.TenantID, group string, before int64, limit int) ([]Event, error)
}

// Keys are the secrets that sign requests, enrolment codes among them.
type Keys interface {
	// Key finds a key by its id alone: before it is found, nobody knows whose it is. Ended keys
	// are found too, spent codes for a day after their end at least. A key of a suspended tenant
	// is [ErrNotFound].
	Key(ctx context.Context, id string) (Key, error)
	// Recall returns a key that Key found before, unless the store has heard of a change of it; it
	// waits for nothing. A store has heard of every change, by any process, that was made before
	// the latest Use of a nonce of the key's tenant began. Nil is nothing remembered, and a store
	// need not remember anything. Nobody changes the key; another one is another pointer.
	Recall(id string) *Key

	// AddKey adds a tenant or deployment key; k.Tenant is ignored in favour of id. [ErrExists]
	// when the key id is taken, in any tenant; [ErrTooMany] when two keys of that role and group
	// are without an end or end after e.At; [ErrNotFound] when the tenant is unknown.
	AddKey(ctx context.Context, id reqsig.TenantID, k Key, e Event) error
	// EndKey sets when a tenant or deployment key ends. [ErrNotFound], also for other roles.
	EndKey(ctx context.Context, id reqsig.TenantID, key string, notAfter time.Time, e Event) error
	// TenantKeys lists tenant and deployment keys, oldest first, without their secrets.
	TenantKeys(ctx context.Context, id reqsig.TenantID) ([]Key, error)

	// AddCode adds an enrolment code for k.User and ends the user's other unspent codes at e.At.
	// [ErrNotFound] when there is no such user; [ErrState] when the user is deprovisioned;
	// [ErrExists] when the key id is taken.
	AddCode(ctx context.Context, id reqsig.TenantID, k Key, e Event) error
}

// Users are the people whom tenants provisioned.
type Users interface {
	// PutUser creates a user (state Active) or replaces group, account, mailbox and aliases of the
	// one with that external id; of u, only these five are read. A deprovisioned user comes back
	// Active; a suspended one stays suspended. created is true when no row was there before. Same
	// values again change nothing, Updated included.
	// [ErrConflict] when another user of the tenant who is not deprovisioned has the account or
	// the primary address; [ErrBound] when the user is bound and account or mailbox would change.
	PutUser(ctx context.Context, id reqsig.TenantID, u User, e Event) (now User, created bool, err error)
	// User returns one user without devices, or [ErrNotFound]. Deprovisioned users are found.
	User(ctx context.Context, id reqsig.TenantID, user string) (User, error)
	// UserByAccount returns the user with that account who is not deprovisioned, or [ErrNotFound].
	UserByAccount(ctx context.Context, id reqsig.TenantID, a Account) (User, error)
	// ListUsers lists users by external id in byte order, each with its devices.
	ListUsers(ctx context.Context, id reqsig.TenantID, q UserQuery) ([]User, error)
	// SetUserState suspends, resumes (Active) or deprovisions; the same state again changes
	// nothing. Deprovisioning ends the user's unspent codes, releases all claims (Bound is false
	// then) and turns active devices to DeviceWiping with StateAt and StateBy of the event.
	// [ErrNotFound]; [ErrState] when a deprovisioned user is to be suspended or resumed.
	SetUserState(ctx context.Context, id reqsig.TenantID, user string, to UserState, e Event) (User, error)
	// Totals counts a group's users and devices; group "" is the whole tenant. Of Users, states
	// without a user are missing or 0.
	Totals(ctx context.Context, id reqsig.TenantID, group string, since time.Time) (Totals, error)
}

// Devices are the registered computers.
type Devices interface {
	// Register makes a device, its key and its user's claims, and spends the code. In this order:
	//
	//  1. A device of this tenant with the same Registration exists: the same User and KeyHash,
	//     and DeviceActive: it is returned as it is, and nothing changes, whatever became of the
	//     code. Otherwise [ErrConflict].
	//  2. [ErrNotFound] when there is no such user.
	//  3. With a Code: [ErrSpent] unless it is an unspent code of this user that ends after e.At.
	//  4. [ErrState] unless the user is Active.
	//  5. [ErrConflict] when a claim is another user's, in any tenant, or when the user holds a
	//     claim of the same kind with another hash. Claims that the user holds already are kept,
	//     missing ones added.
	//  6. [ErrExists] when the device's id is taken.
	//
	// The new device is DeviceActive, created at e.At; the user is Bound; the code is SpentBy the
	// registration. A second computer of the same user is a second device under the same claims.
	Register(ctx context.Context, id reqsig.TenantID, r Registration, e Event) (Device, error)
	// Device returns a device in any state, or [ErrNotFound].
	Device(ctx context.Context, id reqsig.TenantID, device string) (Device, error)
	// CheckIn keeps the report and the time of an active or wiping device and says where it
	// stands; other devices, and those of a suspended tenant, are [ErrNotFound]. It writes no
	// event. The report is in all answers of this process at once; it reaches the disk, and other
	// processes, within ten seconds, unless the next one takes its place before. Where a device
	// stands may come from memory as in Recall: a change counts from the next Use on.
	CheckIn(ctx context.Context, id reqsig.TenantID, device string, r Report, at time.Time) (Standing, error)
	// FinishWipe takes a wiping device's report that everything is gone, sets DeviceWiped and ends
	// its key at e.At. [ErrNotFound] for a device in another state.
	FinishWipe(ctx context.Context, id reqsig.TenantID, device string, r Report, e Event) error
	// Leave sets an active device to DeviceLeft and ends its key at e.At. When it was the user's
	// last active device, the user's claims are released and Bound is false. [ErrNotFound] for a
	// device in another state.
	Leave(ctx context.Context, id reqsig.TenantID, device string, e Event) error
}

// Policies are the signed policies of tenants and groups.
type Policies interface {
	// PutPolicy keeps a group's policy. [ErrOlder] unless its version is above that of the one it
	// replaces; exactly the same policy again changes nothing and is no error. [ErrNotFound] when
	// the tenant is unknown.
	PutPolicy(ctx context.Context, id reqsig.TenantID, p Policy, e Event) error
	// Policy returns the group's policy, the tenant's own (group "") when the group has none, or
	// [ErrNotFound].
	Policy(ctx context.Context, id reqsig.TenantID, group string) (Policy, error)
}
