package provision

import (
	"time"

	"hawser/auth/reqsig"
)

// The roles of keys.
const (
	RoleTenant     reqsig.Role = "tenant"     // the company's server or IT script
	RoleDeployment reqsig.Role = "deployment" // the installer or managed policy
	RoleCode       reqsig.Role = "code"       // an enrolment code: one user, once
	RoleDevice     reqsig.Role = "device"     // one registered computer
)

// Tenant is a company. What agents may sign in to is decided here, by the operator.
type Tenant struct {
	ID        string // row id, see [NewTenantID]; never changes
	Name      string // for people; unique among tenants
	Suspended bool   // all its keys are refused
	Sites     []Site
	Mail      []MailIssuer
	// Domains whose addresses need no id_token of the mail provider: the operator has checked that
	// they are the tenant's. Lower case.
	Domains []string
	// PolicyKeys are the Ed25519 public keys, 32 bytes each, that may sign the tenant's policy.
	// The private keys are never here.
	PolicyKeys [][]byte
	CreatedAt  time.Time
}

// Site is a place whose Salesforce id_tokens prove who a user is.
type Site struct {
	Issuer    string   `json:"issuer"`    // exactly as in the token: "https://acme.my.site.com/partners"
	OrgID     string   `json:"orgId"`     // 18 characters; tokens of another org are refused
	ClientIDs []string `json:"clientIds"` // accepted audiences
	// AdminClientID is the app with which the tenant's admins sign in to the admin page; "" when
	// they cannot do so at this site. No computer registers with it.
	AdminClientID string `json:"adminClientId,omitempty"`
}

// MailIssuer is an OpenID provider whose id_tokens prove a mailbox. In Microsoft's issuer,
// "{tenantid}" stands for the tenant in the token.
type MailIssuer struct {
	Issuer    string   `json:"issuer"`
	ClientIDs []string `json:"clientIds"`
}

// Key is a key as it is kept.
type Key struct {
	ID     string
	Tenant string // row id
	Role   reqsig.Role
	Group  string // RoleTenant: "" reaches the whole tenant, else this group's users alone
	User   string // RoleCode, RoleDevice: the user's external id
	Sealed []byte // the secret, sealed under a key outside the store; nil in lists
	// NotAfter is when the key ends; zero: no end. A revoked key is one that ended.
	NotAfter  time.Time
	SpentBy   string // RoleCode: the registration that used it, "" while unused
	CreatedAt time.Time
}

// UserState is what the company wants for a user.
type UserState string

// The states of a user.
const (
	Active        UserState = "active"
	Suspended     UserState = "suspended"     // agents stop and keep what they have
	Deprovisioned UserState = "deprovisioned" // agents revoke, wipe and report; the binding is gone
)

// Account is a Salesforce user: ids of 18 characters.
type Account struct {
	OrgID  string `json:"orgId"`
	UserID string `json:"userId"`
}

// User is a person that the tenant provisioned. External ids are the tenant's own.
type User struct {
	ID      string // external id, unique in the tenant
	Group   string // "" is no group
	Account Account
	Mailbox string   // primary address, lower case
	Aliases []string // at most MaxAliases, lower case
	State   UserState
	StateAt time.Time // when State was set
	StateBy string    // the actor that set it
	Bound   bool      // a registration has claimed account and mailbox
	Created time.Time
	Updated time.Time

	Devices []Device // only in lists, newest first, without those that left or were wiped
}

// MaxAliases is how many addresses a mailbox may have besides its primary one.
const MaxAliases = 4

// UserQuery selects users, ordered by external id.
type UserQuery struct {
	Group  string // "" is every group
	ID     string // this external id alone; "" is everybody
	Prefix string // of the external id or, in lower case, of the mailbox; "" is everybody
	After  string // external id after which to go on; "" is the beginning
	Limit  int    // 1 to 500
}

// DeviceState is where a registration stands.
type DeviceState string

// The states of a device.
const (
	DeviceActive DeviceState = "active"
	DeviceWiping DeviceState = "wiping" // told to wipe at its next check-in; may call nothing else
	DeviceWiped  DeviceState = "wiped"  // reported so; its key is dead
	DeviceLeft   DeviceState = "left"   // unregistered by its user; its key is dead
)

// Device is one registered computer.
type Device struct {
	ID           string // also the id of its key
	User         string // external id
	Registration string // the id that the agent chose
	KeyHash      []byte // SHA-256 of the device secret, to recognise a repeated registration
	State        DeviceState
	StateAt      time.Time
	StateBy      string
	Created      time.Time
	LastSeen     time.Time // last check-in; zero before the first
	Report       Report    // of the last check-in
}

// Counts are an agent's numbers. There is no other content of a check-in.
type Counts struct {
	Seen     int64 `json:"seen"`
	Captured int64 `json:"captured"`
	Filtered int64 `json:"filtered"`
	Held     int64 `json:"held"`
	Waiting  int64 `json:"waiting"`
	NeedsYou int64 `json:"needsYou"`
}

// Report is what an agent says of itself.
type Report struct {
	Version       string `json:"version"`         // of the agent
	OS            string `json:"os"`              // "windows", "darwin", "linux"
	State         string `json:"state"`           // the agent's state word
	Fault         string `json:"fault,omitempty"` // fault code in the way, "" when none
	PolicyVersion int64  `json:"policyVersion"`   // of the policy in force; 0 when none
	Counts        Counts `json:"counts"`
}

// ClaimKind says what a claim is of. A user has at most one claim of each kind.
type ClaimKind string

// The kinds of claims.
const (
	ClaimAccount ClaimKind = "account" // Salesforce org and user
	ClaimMailbox ClaimKind = "mailbox" // the mail provider's issuer and subject
	ClaimAddress ClaimKind = "address" // the primary address
)

// Claim is a hold on something that one user in the whole world may have: a hash keyed outside
// the store, so that a dump of the store names nobody.
type Claim struct {
	Kind ClaimKind
	Hash [32]byte
}

// Registration is a proven wish to register a computer.
type Registration struct {
	Device Device // State, times, Report are the store's to set; Report as first seen
	Key    Key    // RoleDevice, ID = Device.ID
	Code   string // key id of the enrolment code that signed; "" for a deployment key
	Claims []Claim
}

// Standing is what a device is told at a check-in.
type Standing struct {
	TenantName    string
	Group         string   // the user's
	Aliases       []string // the user's; not to be changed
	PolicyVersion int64    // of the policy that is meant for the group; 0 when there is none

	User     UserState
	UserAt   time.Time   // when User was set
	Device   DeviceState // DeviceActive or DeviceWiping
	DeviceAt time.Time   // when Device was set
	DeviceBy string      // by whom
}

// Policy is a signed policy as the tenant handed it in.
type Policy struct {
	Group     string // "" is for everybody without a policy of their group
	Version   int64  // from 1
	Payload   []byte // the exact signed bytes
	Signature []byte // Ed25519
	KeyID     string // of the public key
}

// Admin is a Salesforce user who may open the tenant's admin page.
type Admin struct {
	Account Account
	Group   string // "" sees the whole tenant, else this group's users alone
	// Since is set by the store: when the admin was added or last signed out. A session of the
	// admin page that began earlier is over.
	Since time.Time
}

// Event is a line of the audit log. It is written in the transaction of what it tells of.
type Event struct {
	ID      int64 // rises in a tenant; set by the store
	At      time.Time
	Actor   string // key id, "operator", or "admin:" or "stranger:" and a Salesforce user id
	Action  string // one of a fixed set of words: "user.put"
	Subject string // id of what it was done to: external id, device id, key id, group
	Detail  string // one of a fixed set of words, or a number; never content
}

// Totals are a tenant's or a group's numbers.
type Totals struct {
	Users     map[UserState]int64
	Bound     int64
	Devices   int64  // active ones
	Reporting int64  // active devices that checked in since the time asked for
	Counts    Counts // sums over active devices
}
