package enrol

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"hawser/auth/provision"
	"hawser/auth/secret"
)

// record is all that is kept of a membership, in one sealed write. Secrets are plain text in it:
// it never leaves this package but for the store.
type record struct {
	Server       string            `json:"server,omitempty"`       // "" is no company
	Key          string            `json:"key,omitempty"`          // code or deployment key, until registered
	Registration string            `json:"registration,omitempty"` // drawn before the first try, as is Secret
	Secret       string            `json:"secret,omitempty"`
	Proofs       map[string]string `json:"proofs,omitempty"` // id_tokens by side, until they were shown
	Ticket       string            `json:"ticket,omitempty"` // what they proved, while the company is waited for
	Mailbox      string            `json:"mailbox,omitempty"`

	SetUp     bool      `json:"setUp,omitempty"`
	Device    string    `json:"device,omitempty"` // "" is not registered
	Company   string    `json:"company,omitempty"`
	Group     string    `json:"group,omitempty"`
	Suspended bool      `json:"suspended,omitempty"`
	Refused   bool      `json:"refused,omitempty"` // the server no longer takes the device's key
	Since     time.Time `json:"since,omitzero"`    // of Suspended

	Pin    provision.PolicyPin       `json:"pin"`
	Policy *provision.PolicyDocument `json:"policy,omitempty"` // in force, accepted by Pin

	Removed  *Order    `json:"removed,omitempty"`
	Goodbyes []Goodbye `json:"goodbyes,omitempty"`
}

// Order is a company's proven order to delete everything.
type Order struct {
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Company string    `json:"company"`
}

// Goodbye is something that a server has yet to hear of a computer that is no longer its own.
type Goodbye struct {
	Server string            `json:"server"`
	Key    string            `json:"key"`             // of the device
	Wiped  *provision.Report `json:"wiped,omitempty"` // the proof of a wipe; absent for leaving
}

func (r record) clone() record {
	r.Proofs = maps.Clone(r.Proofs)
	r.Goodbyes = slices.Clone(r.Goodbyes)
	return r
}

func (r record) stage() Stage {
	switch {
	case r.Removed != nil:
		return Removed
	case r.Server == "":
		return Apart
	case r.Suspended:
		return Suspended
	case r.Device != "":
		return Active
	case !r.SetUp:
		return SettingUp
	case r.Ticket != "":
		return Waiting
	case r.lacks(provision.SideSalesforce) || r.lacks(provision.SideMail):
		return SigningIn
	}
	return Joining
}

// lacks reports whether nothing was proven on a side.
func (r record) lacks(side string) bool {
	_, ok := r.Proofs[side]
	return !ok
}

func (r record) joining() bool { return r.Server != "" && r.Device == "" }

// device is the key of a registered computer.
func (r record) device() (provision.Credential, error) {
	return provision.DeviceCredential(provision.RegisterOut{Device: r.Device}, secret.New(r.Secret))
}

// sameSettings reports whether two policies want the same, which may be under two versions.
func sameSettings(a, b *provision.PolicyDocument) bool {
	if a == nil || b == nil {
		return a == b
	}
	same := func(x, y json.RawMessage) bool { return string(x) == string(y) }
	return maps.EqualFunc(a.Settings, b.Settings, same) && slices.Equal(a.Locked, b.Locked)
}

func (r record) text() (secret.String, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return secret.String{}, fmt.Errorf("write registration: %w", err)
	}
	return secret.New(string(raw)), nil
}
