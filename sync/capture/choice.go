package capture

import (
	"slices"
	"time"
)

// Level is how much of a mail is saved. Each level contains those before it.
type Level string

// The levels, from the least to the most.
const (
	LevelHeaders Level = "headers" // who, to whom and when; neither subject nor text
	LevelSubject Level = "subject"
	LevelText    Level = "text"
	LevelFiles   Level = "files" // attachments too
)

// levels in their order.
var levels = []Level{LevelHeaders, LevelSubject, LevelText, LevelFiles}

// Known reports whether l is one of the levels.
func (l Level) Known() bool { return slices.Contains(levels, l) }

// Within returns l, or the limit where that is less. An empty limit limits nothing.
func (l Level) Within(limit Level) Level {
	if limit != "" && slices.Index(levels, limit) < slices.Index(levels, l) {
		return limit
	}
	return l
}

// FilesMode says whether attachments are saved.
type FilesMode string

const (
	FilesAsk    FilesMode = "ask" // the person decides for each mail that has some
	FilesAlways FilesMode = "always"
	FilesNever  FilesMode = "never"
)

// Content is how a mail is cut before anything of it leaves the computer.
type Content struct {
	Level      Level     `json:"level"`
	Files      FilesMode `json:"files"`
	FileMax    int64     `json:"fileMax"`              // bytes of one attachment, decoded
	FilesMax   int64     `json:"filesMax"`             // bytes of all attachments of one mail, decoded
	Inline     bool      `json:"inline,omitempty"`     // images that belong to the text are files as well
	NewestOnly bool      `json:"newestOnly,omitempty"` // without quoted history and signature
}

// Kind is what a mail is, apart from a letter between people.
type Kind string

// The kinds that automatic capture leaves alone unless it is told otherwise.
const (
	KindList       Kind = "list"       // RFC 2369, RFC 2919, Precedence: bulk or list
	KindAutoReply  Kind = "auto-reply" // RFC 3834
	KindInvitation Kind = "invitation" // text/calendar
	KindBounce     Kind = "bounce"     // RFC 3464 and an empty return path
	KindEncrypted  Kind = "encrypted"  // S/MIME or PGP: nobody but the recipient can read it
)

// Kinds lists every kind.
var Kinds = []Kind{KindList, KindAutoReply, KindInvitation, KindBounce, KindEncrypted}

// Direction is which way a mail went, seen from the user.
type Direction string

const (
	Received Direction = "received"
	SentBy   Direction = "sent"
)

// Action is what a rule does with a mail that meets all its conditions.
type Action string

const (
	Allow Action = "allow"
	Deny  Action = "deny"
)

// Rule is one line of the ordered list of rules. All conditions that are set must hold; a list
// holds when one of its values does. A rule without conditions is about every mail.
type Rule struct {
	ID     string `json:"id"` // unique in the list; stays when the rule is edited
	Name   string `json:"name,omitempty"`
	Off    bool   `json:"off,omitempty"`
	Action Action `json:"action"`

	// Addresses: "ann@example.com", or "example.com" for a domain with all below it.
	From []string `json:"from,omitempty"` // the sender
	To   []string `json:"to,omitempty"`   // any recipient
	With []string `json:"with,omitempty"` // anybody in the mail but the user

	Direction Direction `json:"direction,omitempty"`
	Folders   []string  `json:"folders,omitempty"`
	Words     []string  `json:"words,omitempty"` // in the subject, in any case; "attorney*" begins a word
	Files     *bool     `json:"files,omitempty"` // it has attachments
	Over      int64     `json:"over,omitempty"`  // bytes, as the mailbox counts them
	Under     int64     `json:"under,omitempty"`
	Kinds     []Kind    `json:"kinds,omitempty"`
	Known     *bool     `json:"known,omitempty"`   // somebody in the mail but the user has a record
	Records   []string  `json:"records,omitempty"` // ... of one of these types, such as "Contact"
}

// Choices is what the person decided about automatic capture and about what is saved. The zero
// value captures nothing by itself.
type Choices struct {
	Automatic bool      `json:"automatic"`
	Since     time.Time `json:"since,omitzero"`    // when automatic capture was turned on
	Days      int       `json:"days,omitempty"`    // of history before Since: 0, 7, 30 or 90
	Direction Direction `json:"only,omitempty"`    // "" is both ways
	Folders   []string  `json:"folders,omitempty"` // where automatic capture looks; none is the inbox and sent mail
	Rules     []Rule    `json:"rules,omitempty"`

	Block    []string `json:"block,omitempty"`    // addresses and domains, as in a Rule
	Pass     []string `json:"pass,omitempty"`     // exceptions to the built-in lists, and to the company's where it is unlocked
	FreeMail bool     `json:"freeMail,omitempty"` // mail with free-mail addresses may be captured
	Kinds    []Kind   `json:"kinds,omitempty"`    // that may be captured
	Words    []string `json:"words,omitempty"`    // in the subject or the text, as in a Rule: hold the mail
	Labels   []string `json:"labels,omitempty"`   // the provider's: hold the mail

	Content   Content  `json:"content"`
	Order     []string `json:"order,omitempty"`     // of matching: "Contact", "Lead", "User"
	WriteBack bool     `json:"writeBack,omitempty"` // saved mails get a keyword in the mailbox; needs write access
}

// Company is what the user's company decided on top. Its lists add to the person's own.
type Company struct {
	Block    []string `json:"block,omitempty"`
	Words    []string `json:"words,omitempty"`
	Labels   []string `json:"labels,omitempty"`
	MaxLevel Level    `json:"maxLevel,omitempty"` // "" sets no limit
	Rules    []Rule   `json:"rules,omitempty"`    // before the person's own
	Unlocked bool     `json:"unlocked,omitempty"` // the person may take entries of Block out
	Manual   bool     `json:"manual,omitempty"`   // automatic capture stays off
}

// Option is one answer to a [Question].
type Option struct {
	ID    string `json:"id"`   // a record id, "" for none of them
	Type  string `json:"type"` // "Contact", "Opportunity", ...
	Name  string `json:"name"`
	About string `json:"about,omitempty"` // what tells it from the others, such as the account
}

// QuestionKind is what only the person can know.
type QuestionKind string

const (
	AskPerson  QuestionKind = "person"  // several records carry one address
	AskRelated QuestionKind = "related" // several open opportunities or cases fit
	AskFiles   QuestionKind = "files"   // attachments: "yes" or "no"
)

// Question is asked once. Subject is what it is about, such as the address, and names the answer
// where it is remembered.
type Question struct {
	Kind    QuestionKind `json:"kind"`
	Subject string       `json:"subject"`
	Options []Option     `json:"options"`
}
