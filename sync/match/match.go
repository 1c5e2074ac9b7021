// Package match decides which Salesforce records an e-mail belongs to, from the candidates that
// the signed-in user can see.
//
// It is pure: no I/O, no memory, no goroutines. Looking the candidates up is the caller's work.
package match

// Type is the kind of record an address can belong to.
type Type string

const (
	Contact Type = "Contact"
	Lead    Type = "Lead"
	User    Type = "User"
)

// Candidate is one record that carries an e-mail address.
type Candidate struct {
	Type      Type
	ID        string // 18 characters
	Name      string
	AccountID string // of a Contact; "" otherwise
	Field     string // where the address stands, such as "Contact.Email"
}

// Reason is why a mail was joined to a record: an address of the mail stands in a field of it.
type Reason struct {
	Address  string `json:"address"`
	Field    string `json:"field"` // such as "Contact.Email"
	RecordID string `json:"recordId"`
}

// Links is what an e-mail is joined to.
type Links struct {
	From      *Candidate // nil when the sender has no record
	To        []Candidate
	Cc        []Candidate
	Bcc       []Candidate
	ToOther   []string // addresses without a record
	CcOther   []string
	BccOther  []string
	RelatedTo string // record id for RelatedToId / WhatId; "" for none
}
