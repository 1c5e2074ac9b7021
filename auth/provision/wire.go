package provision

import (
	"encoding/json"
	"time"
)

// UserIn is what a tenant says of a user: PUT /v1/users/{id}.
type UserIn struct {
	Group   string   `json:"group,omitempty"`
	Account Account  `json:"account"`
	Mailbox string   `json:"mailbox"`
	Aliases []string `json:"aliases,omitempty"`
}

// UserOut is what a tenant sees of a user.
type UserOut struct {
	ID      string      `json:"id"`
	Group   string      `json:"group,omitempty"`
	Account Account     `json:"account"`
	Mailbox string      `json:"mailbox"`
	Aliases []string    `json:"aliases,omitempty"`
	State   UserState   `json:"state"`
	StateAt time.Time   `json:"stateAt"`
	StateBy string      `json:"stateBy"`
	Bound   bool        `json:"bound"`
	Created time.Time   `json:"created"`
	Updated time.Time   `json:"updated"`
	Devices []DeviceOut `json:"devices,omitempty"` // in lists
}

// DeviceOut is what a tenant sees of a computer.
type DeviceOut struct {
	ID       string      `json:"id"`
	State    DeviceState `json:"state"`
	Created  time.Time   `json:"created"`
	LastSeen time.Time   `json:"lastSeen,omitzero"`
	Report   Report      `json:"report"`
}

// UserList is a page of users: GET /v1/users.
type UserList struct {
	Users []UserOut `json:"users"`
	Next  string    `json:"next,omitempty"` // pass as ?after= for the next page; "" at the end
}

// CodeOut is an enrolment code: POST /v1/users/{id}/code.
type CodeOut struct {
	Code    string    `json:"code"`
	Expires time.Time `json:"expires"`
}

// CountsOut are a tenant's numbers: GET /v1/counts.
type CountsOut struct {
	Users     map[UserState]int64 `json:"users"`
	Bound     int64               `json:"bound"`
	Devices   int64               `json:"devices"`
	Reporting int64               `json:"reporting"` // devices that checked in within the last day
	Counts    Counts              `json:"counts"`
}

// RegisterIn registers a computer: POST /v1/register. The agent chooses registration and secret,
// keeps both before it sends them, and sends the same again after a crash or a lost answer.
type RegisterIn struct {
	Registration string `json:"registration"`         // 22 to 64 characters of base64url
	Secret       string `json:"secret"`               // the device key: base64url of 32 random bytes
	Salesforce   string `json:"salesforce,omitempty"` // id_token, its nonce from [IDTokenNonce]
	Mail         string `json:"mail,omitempty"`       // id_token of the mail provider, where there is one
	Ticket       string `json:"ticket,omitempty"`     // from an earlier refusal, in place of the tokens
	Mailbox      string `json:"mailbox"`              // the address signed in to
	Report       Report `json:"report"`
}

// RegisterOut is a registration that stands.
type RegisterOut struct {
	Device     string   `json:"device"` // also the id of the device key
	User       string   `json:"user"`
	Tenant     string   `json:"tenant"`     // id, as in the signed policy
	TenantName string   `json:"tenantName"` // for people
	Group      string   `json:"group,omitempty"`
	Mailbox    string   `json:"mailbox"`
	Aliases    []string `json:"aliases,omitempty"`
	PolicyKeys []string `json:"policyKeys,omitempty"` // Ed25519 public keys in base64url: to be pinned
	Interval   int      `json:"interval"`             // seconds to the first check-in
}

// CheckInIn is an agent's report: POST /v1/checkin and POST /v1/wiped.
type CheckInIn struct {
	Report Report `json:"report"`
}

// The states of a check-in's answer.
const (
	StandingActive    = "active"
	StandingSuspended = "suspended" // stop, keep everything, go on checking in
	StandingRemoved   = "removed"   // obey Wipe
)

// CheckInOut is what the company wants of an agent.
type CheckInOut struct {
	State         string     `json:"state"`
	Since         time.Time  `json:"since"`
	TenantName    string     `json:"tenantName"`
	Group         string     `json:"group,omitempty"` // whose policy applies
	Aliases       []string   `json:"aliases,omitempty"`
	PolicyVersion int64      `json:"policyVersion"` // fetch the policy when it differs; 0: there is none
	Interval      int        `json:"interval"`      // seconds to the next check-in
	Wipe          *WipeOrder `json:"wipe,omitempty"`
}

// WipeOrder tells one device to revoke its tokens and to delete everything. See [WipeOrder.Valid].
type WipeOrder struct {
	At  time.Time `json:"at"`
	By  string    `json:"by"`
	MAC string    `json:"mac"` // HMAC-SHA-256 under the device key, base64url
}

// PolicyEnvelope is a signed policy: PUT and GET /v1/policy.
type PolicyEnvelope struct {
	Payload   string `json:"payload"`   // base64url of a PolicyDocument in JSON, the exact signed bytes
	Signature string `json:"signature"` // base64url of Ed25519 over "hawser-policy-v1", line feed, payload bytes
	KeyID     string `json:"keyId"`     // first 16 characters of base64url(SHA-256(public key))
}

// PolicyDocument is what is signed.
type PolicyDocument struct {
	Tenant   string                     `json:"tenant"` // row id
	Group    string                     `json:"group,omitempty"`
	Version  int64                      `json:"version"` // from 1, rising within the group
	Issued   time.Time                  `json:"issued"`
	Expires  time.Time                  `json:"expires"`
	Settings map[string]json.RawMessage `json:"settings"`         // by the names of the agent's settings
	Locked   []string                   `json:"locked,omitempty"` // settings that the user may not change
}

// Problem is every answer that is not a success, in the form of RFC 9457.
type Problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`             // one of the Code constants here and in reqsig
	Title  string `json:"title"`            // for developers, one fixed sentence for a code
	Ticket string `json:"ticket,omitempty"` // CodeNotProvisioned, CodeSuspended: what was proven, for later tries
}

// Error returns the code.
func (p *Problem) Error() string { return "hawserd answers " + p.Code }

// The codes of answers, besides those of reqsig.
const (
	CodeInvalid         = "invalid"          // 400: the body or the query is not of the protocol
	CodeNotFound        = "not-found"        // 404: no such call for this key, or no such row
	CodeConflict        = "conflict"         // 409: mailbox or account is taken; not said by whom
	CodeBound           = "bound"            // 409: unbind first
	CodeState           = "state"            // 409: the user is deprovisioned
	CodeOlder           = "older"            // 409: a newer policy is kept
	CodeSpent           = "spent"            // 410: the enrolment code was used or is too old
	CodeIdentity        = "identity"         // 403: an id_token does not prove what it should
	CodeIdentityStale   = "identity-stale"   // 403: sign in again
	CodeWrongMailbox    = "wrong-mailbox"    // 403: another mailbox than the provisioned one
	CodeUnproven        = "mailbox-unproven" // 403: only an id_token of the mail provider would do
	CodeWrongAccount    = "wrong-account"    // 403: another account than the code is for
	CodeNotProvisioned  = "not-provisioned"  // 403: the company has not enabled this user yet
	CodeSuspended       = "suspended"        // 403: the company stopped this user
	CodePolicySignature = "policy-signature" // 422: no key of the tenant signed this policy
	CodeInternal        = "internal"         // 500
)

var titles = map[string]string{
	CodeInvalid:         "The request is not of the protocol.",
	CodeNotFound:        "There is nothing here for this key.",
	CodeConflict:        "The mailbox or the account is registered already.",
	CodeBound:           "Account and mailbox cannot change while a computer is registered.",
	CodeState:           "The user is deprovisioned.",
	CodeOlder:           "A policy of this version or a later one is in force.",
	CodeSpent:           "The enrolment code was used or is too old.",
	CodeIdentity:        "The identity could not be proven.",
	CodeIdentityStale:   "The sign-in is too old.",
	CodeWrongMailbox:    "This is not the mailbox that was provisioned.",
	CodeUnproven:        "The mail provider has to confirm this mailbox.",
	CodeWrongAccount:    "This is not the account that was provisioned.",
	CodeNotProvisioned:  "The company has not enabled this user yet.",
	CodeSuspended:       "The company has suspended this user.",
	CodePolicySignature: "The policy is not signed by a key of the tenant.",
	CodeInternal:        "The server could not do its work.",

	"malformed":   "The nonce is not of the profile.",
	"refused":     "The request is not signed by a known key.",
	"stale":       "The request's time is too far from the server's Date.",
	"replayed":    "The request was received before.",
	"too-large":   "The body is too large.",
	"unavailable": "The server cannot check requests at the moment.",
}

func problem(status int, code string) *Problem {
	return &Problem{Status: status, Code: code, Title: titles[code]}
}
