package capture

import "time"

// Address is one mailbox of an address list (RFC 5322 section 3.4). Addr may be empty or odd
// when the sender wrote nonsense; Name is decoded.
type Address struct {
	Name string `json:"name,omitempty"`
	Addr string `json:"addr"`
}

// Header is what a mail says about itself before its body is read.
type Header struct {
	MessageID  string    `json:"messageId"` // normalised, with angle brackets; "" when missing
	InReplyTo  string    `json:"inReplyTo,omitempty"`
	References []string  `json:"references,omitempty"`
	Subject    string    `json:"subject"`
	Date       time.Time `json:"date"` // zero when missing or unreadable
	From       []Address `json:"from"`
	Sender     []Address `json:"sender,omitempty"`
	ReplyTo    []Address `json:"replyTo,omitempty"`
	To         []Address `json:"to,omitempty"`
	Cc         []Address `json:"cc,omitempty"`
	Bcc        []Address `json:"bcc,omitempty"`

	Sensitivity   string `json:"sensitivity,omitempty"`   // lower case: private, personal, company-confidential
	AutoSubmitted string `json:"autoSubmitted,omitempty"` // RFC 3834, lower case; "" and "no" are a person
	Precedence    string `json:"precedence,omitempty"`    // lower case: bulk, list, junk
	ListID        string `json:"listId,omitempty"`        // RFC 2919
	ContentType   string `json:"contentType,omitempty"`   // lower case media type of the whole mail
	Unsubscribe   bool   `json:"unsubscribe,omitempty"`   // it says how to leave its list (RFC 2369)
	NullReturn    bool   `json:"nullReturn,omitempty"`    // an empty return path: nobody wants to hear that it failed
	Calendar      bool   `json:"calendar,omitempty"`      // Content-Class of a meeting request, as Exchange writes it
	Ambiguous     bool   `json:"ambiguous,omitempty"`     // several Message-ID fields: identity needs the fingerprint
}

// ThreadID names the conversation: the first reference, else the mail it answers, else itself.
func (h Header) ThreadID() string {
	switch {
	case len(h.References) > 0:
		return h.References[0]
	case h.InReplyTo != "":
		return h.InReplyTo
	default:
		return h.MessageID
	}
}

// Mail is a mail that was read as well as it could be.
type Mail struct {
	Header
	RawHeaders  string // the header block as text, for the record
	Text        string // "" when the mail has only HTML
	HTML        string
	Attachments []Attachment
	Warnings    []string // what could not be understood, without content
}

// Attachment describes one file of a mail. Its bytes are read again from the raw mail by Index.
type Attachment struct {
	Index     int // position in the parser's order, the same at each reading
	Name      string
	Type      string // media type
	ContentID string // without angle brackets; set for inline parts
	Inline    bool
	Size      int64 // decoded bytes
}
