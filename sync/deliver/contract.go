// Package deliver carries queued mails into Salesforce: it groups them into few calls, writes
// each intent down before its effect, verifies what it cannot know, and decides what becomes of
// a mail that is refused.
//
// It is logic: it sees a [Queue] and a [Target] and opens no socket and no database. One
// Deliverer runs per account, in one goroutine; what rules, previews and a person ask of it runs
// beside that.
package deliver

import (
	"context"
	"io"
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/match"
)

// Step is one effect on the way of a mail. Steps are taken in this order.
type Step int

const (
	StepCreate Step = iota + 1 // the EmailMessage or Task itself
	StepRelate                 // EmailMessageRelation rows that creation does not make
	StepAttach                 // files
	StepDone
)

// Kind is the object a mail is saved as.
type Kind string

const (
	Email Kind = "EmailMessage"
	Task  Kind = "Task"
)

// Job is one queued mail that is due.
type Job struct {
	ID       int64
	Key      capture.Key
	Next     Step      // the step to take now
	Unknown  bool      // an earlier attempt at Next may have had its effect: verify first
	Began    time.Time // when that attempt began
	Tries    int       // attempts so far, for people; delivery keeps its own count
	Size     int64     // of the raw mail
	RecordID string    // known once StepCreate is done
	Kind     Kind
	Live     bool // just arrived: before any backlog
	Mark     capture.Mark
	Answers  map[string]string // what the person decided about this mail, see the Answer constants
}

// Keys of Job.Answers, and what stands behind them.
const (
	AnswerPerson    = "person:"   // + the address in lower case: a record id, "" for none
	AnswerRelated   = "related"   // a record id, "" for none
	AnswerFiles     = "files"     // Yes or No
	AnswerUnmatched = "unmatched" // Yes: save it although nobody in it has a record
)

// Answers that are no record ids.
const (
	Yes = "yes"
	No  = "no"
)

// Outcome is what became of one step of one job.
type Outcome struct {
	Job      int64
	Verdict  Verdict
	Next     Step   // Advanced: the step that follows; StepAttach may follow itself
	RecordID string // set by the step that learned it
	Kind     Kind
	RetryAt  time.Time  // Postponed, Doubtful
	Code     fault.Code // Postponed, NeedsYou, Held
	Detail   string     // for the person; stored sealed
	Bytes    int64      // Sent: what was saved, for the journal
	Files    int
	LeftOut  int // attachments that were not saved

	// Question comes with NeedsYou and the codes choose-person, choose-related and choose-files.
	// Its answer comes back in Job.Answers. Stored sealed.
	Question *capture.Question
	// Matched and Level belong to the record and are set by the step that learned its id; later
	// steps leave them empty, and the queue keeps what it has. Stored sealed.
	Matched []match.Reason
	Level   capture.Level
}

// Verdict says how a job goes on.
type Verdict int

const (
	Advanced  Verdict = iota + 1 // the step is done, Next follows
	Sent                         // everything is done: content is deleted, the journal gains a line
	Postponed                    // try again at RetryAt; nothing happened
	Doubtful                     // no answer came: verify at RetryAt before the step is repeated
	NeedsYou                     // a person has to decide; content is kept
	Held                         // nobody in it has a record: it waits on this computer, content is kept for a while
)

// Queue is the durable side of delivery. Every method that changes something is durable when it
// returns nil.
type Queue interface {
	// Due returns jobs that are ready at now, live ones first, then in order of arrival: at most
	// max, and no more than maxBytes of raw mail unless the first alone is larger.
	Due(ctx context.Context, now time.Time, max int, maxBytes int64) ([]Job, error)
	// NextDue returns when the earliest waiting job becomes ready; zero when none waits.
	NextDue(ctx context.Context) (time.Time, error)
	// Open reads the raw mail of a job from its beginning.
	Open(ctx context.Context, job int64) (io.ReadCloser, error)
	// Begin writes the intent, all or none: from now on an interrupted step is Unknown at the
	// next Due. When a job no longer waits, because the person took it out, it is NotFound.
	Begin(ctx context.Context, now time.Time, jobs []int64) error
	// Settle stores outcomes, all or none.
	Settle(ctx context.Context, now time.Time, outcomes []Outcome) error
}

// Target is what delivery needs of Salesforce. Each method costs the calls it says. An error
// concerns the whole call and is a *fault.Error; Unknown is set when the effect may have
// happened. Results answer the input by position.
type Target interface {
	// Capabilities says what this user may create. Remembered for a day; one call when it is not known.
	Capabilities(ctx context.Context) (Capabilities, error)
	// Find answers who addresses belong to, and what of ours exists already. One call; the
	// caller keeps within Limits.
	Find(ctx context.Context, q Query) (Answer, error)
	// Create makes one record per mail, and in the same call the sender's relation where the
	// record is an EmailMessage. One call.
	Create(ctx context.Context, records []Record) ([]Result, error)
	// Relate makes the sender's relation of records whose creation could not. One call.
	Relate(ctx context.Context, relations []Relation) ([]Result, error)
	// Attach uploads files and links each to its record. One call.
	Attach(ctx context.Context, files []File) ([]Result, error)
	// Search finds contacts and leads by what the person types, the best first. One call.
	Search(ctx context.Context, text string) ([]match.Candidate, error)
	// Unsave removes a record that this user saved, with what hangs on it and the files that were
	// uploaded for it; a record that is not there is removed. It says how many calls it made.
	Unsave(ctx context.Context, recordID string) (calls int, err error)
	// Limits says how much one call may carry.
	Limits() Limits
}

// Capabilities is what the signed-in user may do, found by describe and by experience.
type Capabilities struct {
	Email     bool // EmailMessage can be created
	Task      bool
	Files     bool     // ContentVersion can be created
	UniqueKey bool     // Mail_Key__c is unique on the object: Salesforce itself refuses doubles
	Related   bool     // open opportunities or cases can be read
	Missing   []string // the missing permissions in Salesforce's own words, for the administrator
}

// Query is one look-up.
type Query struct {
	Addresses []string // lower case, or ids of contacts, leads and users; without doubles
	Saved     []Sought // mails that this user may have saved already
	Shared    []Sought // mails that a colleague may have saved
	Relations []string // EmailMessage ids whose sender relation is sought
	Files     []string // record ids whose files are sought
}

// Sought is a mail that may have been saved before. From and Subject tell a colleague's record of
// it from that of another mail with its Message-ID.
type Sought struct {
	Key       capture.Key
	MessageID string
	Date      time.Time
	From      string // address of the sender
	Subject   string
}

// Answer is the reply to a Query. Absent keys mean "nothing visible".
type Answer struct {
	People  map[string][]match.Candidate // by address or id
	Saved   map[capture.Key]Existing
	Related map[string]bool       // by EmailMessage id
	Files   map[string][]FileSeen // by record id
}

// Existing is a record that exists.
type Existing struct {
	ID      string
	Kind    Kind
	Foreign bool // a colleague saved it
}

// FileSeen is a file that hangs on a record already.
type FileSeen struct {
	Title string
	Size  int64
}

// Record is one mail as it is to be saved.
type Record struct {
	Key      capture.Key
	Kind     Kind
	Mail     capture.Mail
	Incoming bool
	Links    match.Links
}

// Relation is the sender's EmailMessageRelation of one saved e-mail.
type Relation struct {
	RecordID string
	Address  capture.Address
	PersonID string // "" when the sender has no record
}

// File is one attachment to upload. Open is called at most once per attempt.
type File struct {
	RecordID string
	Name     string
	Type     string
	Size     int64
	Open     func() (io.ReadCloser, error)
}

// Result is what became of one input. Err nil means it exists now.
type Result struct {
	ID      string
	Related bool // Create: the sender's relation exists too
	Err     *fault.Error
}

// Limits is how much one call may carry.
type Limits struct {
	Records   int   // mails in one Create
	Bytes     int64 // of header block, text and HTML in one Create
	Addresses int   // in one Find
	Sought    int   // Saved, Relations or Files in one Find
	Files     int   // in one Attach
	FileBytes int64
}
