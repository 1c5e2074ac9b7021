// Package match decides which Salesforce records an e-mail belongs to, from the candidates that
// the signed-in user can see.
//
// It is pure: no I/O, no memory, no goroutines. Looking the candidates up is the caller's work,
// and so is asking the person where several fit.
package match

// Type is the kind of record an address can belong to.
type Type string

const (
	Contact Type = "Contact"
	Lead    Type = "Lead"
	User    Type = "User"
)

// Types of records that a mail can be related to, beside the account.
const (
	Opportunity = "Opportunity"
	Case        = "Case"
)

// Candidate is one record that carries an e-mail address.
type Candidate struct {
	Type      Type
	ID        string // 18 characters
	Name      string
	AccountID string // of a Contact; "" otherwise
	Field     string // where the address stands, such as "Contact.Email"
	About     string // what tells it from others: a contact's account, a lead's company
	// Open are the open opportunities and cases of a Contact, the freshest first; More, that
	// there are others besides.
	Open []Record
	More bool
}

// Record is one record that a mail can be related to.
type Record struct {
	Type  string // Opportunity or Case
	ID    string // 18 characters
	Name  string
	About string // stage or number
}

// Reason is why a mail was joined to a record: an address of the mail stands in a field of it.
type Reason struct {
	Address  string `json:"address"`
	Field    string `json:"field"` // such as "Contact.Email"; "" when the person named the record
	RecordID string `json:"recordId"`
}

// Tie is an address that several records of the winning type carry.
type Tie struct {
	Address    string // lower case
	Candidates []Candidate
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

	Known   bool     // somebody but the user is a Contact or a Lead
	Matched []Reason // why, one for each address that has a record
	Ties    []Tie    // that nobody has decided; the first candidate stands in
}

// Open returns the open opportunities and cases of everybody in the mail, each once, and whether
// there are others besides.
func (l Links) Open() (open []Record, more bool) {
	seen := make(map[string]bool)
	add := func(c Candidate) {
		more = more || c.More
		for _, r := range c.Open {
			if !seen[r.ID] {
				seen[r.ID] = true
				open = append(open, r)
			}
		}
	}
	if l.From != nil {
		add(*l.From)
	}
	for _, list := range [][]Candidate{l.To, l.Cc, l.Bcc} {
		for _, c := range list {
			add(c)
		}
	}
	return open, more
}
