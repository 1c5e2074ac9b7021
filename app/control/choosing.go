package control

import (
	"context"
	"io"
	"time"

	"hawser/sync/capture"
)

// The pages of the window, as [Chooser.Open] names them.
const (
	PageHome     = "home"
	PageCapture  = "capture"
	PageActivity = "activity"
	PageRules    = "rules"
	PageCalendar = "calendar"
	PageSettings = "settings"
	PageHelp     = "help"
)

// Pages lists every page, in the order of the window.
var Pages = []string{PageHome, PageCapture, PageActivity, PageRules, PageCalendar, PageSettings, PageHelp}

// MaxMailFile is the largest mail file that [Chooser.CaptureFile] takes, bytes.
const MaxMailFile = 36 << 20

// Chooser is the part of the agent that decides what is captured, and tells why. Errors are
// *fault.Error.
type Chooser interface {
	// Folders lists the folders of the mailbox.
	Folders(ctx context.Context) ([]capture.Folder, error)
	// Preview says what would become of one mail, without writing anything anywhere.
	Preview(ctx context.Context, ref string) (Preview, error)
	// CaptureFile saves a mail that lies in a file (RFC 5322), as picked by hand. Faults: Usage when
	// it is no mail, MailTooLarge.
	CaptureFile(ctx context.Context, mail io.Reader) (CaptureResult, error)

	// Threads lists the conversations that are followed, the youngest first.
	Threads(ctx context.Context) ([]Thread, error)
	// StopThread ends the following of one. Fault: NotFound.
	StopThread(ctx context.Context, id int64) error

	// Chosen returns what the person and the company chose.
	Chosen(ctx context.Context) (Chosen, error)
	// Choose replaces what the person chose; it acts at once. Faults: Usage, whose Detail names the
	// line; Locked where the company decides.
	Choose(ctx context.Context, c capture.Choices) error
	// DryRun looks at the mails of the last days and says which the choices would save. It sends
	// nothing to Salesforce but look-ups of addresses, and stores nothing.
	DryRun(ctx context.Context, q DryRunQuery, progress func(DryRunStep)) (DryRun, error)

	// Why says what decided about one mail, given by the Ref of a list or by its Message-ID.
	Why(ctx context.Context, mail string) (Why, error)

	// Answer answers the question of an item. Faults: NotFound, Usage.
	Answer(ctx context.Context, id int64, a Answer) error
	// Answers lists what was answered for later mails too, the youngest first.
	Answers(ctx context.Context) ([]Remembered, error)
	// ForgetAnswers makes what was asked about an address be asked again. Fault: NotFound.
	ForgetAnswers(ctx context.Context, address string) error
	// FindRecords finds people in Salesforce by what a person types, such as part of a name.
	FindRecords(ctx context.Context, text string) ([]Record, error)
	// Link saves an unmatched mail with a record that FindRecords found as its sender, or as its first
	// recipient where the user sent it.
	Link(ctx context.Context, id int64, record string) error
	// SaveUnlinked saves an unmatched mail without a record to belong to.
	SaveUnlinked(ctx context.Context, id int64) error
	// Ignore leaves an item out and blocks its sender from now on: the address, or the whole domain.
	Ignore(ctx context.Context, id int64, domain bool) error
	// Unsave deletes the record of a captured mail, with the files that Hawser added. Faults:
	// NotFound, PermissionMissing.
	Unsave(ctx context.Context, id int64) error
	// Forget removes all that this computer knows of an address.
	Forget(ctx context.Context, address string) (Forgotten, error)

	// Settings lists what can be set beside the choices, with where each value comes from.
	Settings(ctx context.Context) ([]Setting, error)
	// Change changes one setting. Faults: NotFound, Usage, Locked.
	Change(ctx context.Context, key, value string) error
	// Open shows a page of the window, "" for the first one, and starts the window where it does not
	// run. Faults: Usage for no page, WindowMissing.
	Open(ctx context.Context, page string) error
}

// CaptureRequest is what the person picked.
type CaptureRequest struct {
	Refs []string `json:"refs"`
	// Follow saves later mails of the same conversations too, and Past earlier ones.
	Follow bool `json:"follow,omitempty"`
	Past   bool `json:"past,omitempty"`
	// Files answers whether attachments are saved, where the choices say ask; nil leaves the question.
	Files *bool `json:"files,omitempty"`
}

// Remembered is an answer that holds for later mails too.
type Remembered struct {
	Kind    capture.QuestionKind `json:"kind"`
	Subject string               `json:"subject"` // what was asked about, such as the address
	Option  capture.Option       `json:"option"`  // ID "" is none of them
	At      time.Time            `json:"at"`
}

// Record is a Salesforce record as a person knows it.
type Record struct {
	Type string `json:"type"` // "Contact", "Lead", "User", "Account", "Opportunity", "Case"
	ID   string `json:"id"`
	Name string `json:"name"`
	URL  string `json:"url,omitempty"`
	// Matched is what found it, such as "jane@example.com matched Contact.Email"; "" where it came
	// along with another record.
	Address string `json:"address,omitempty"`
	Field   string `json:"field,omitempty"`
	About   string `json:"about,omitempty"` // what tells it from others of the name, such as the account
}

// Attachment is a file of a mail, and whether it is saved.
type Attachment struct {
	Name string `json:"name"`
	Size int64  `json:"size"`          // bytes
	Why  string `json:"why,omitempty"` // left out: a reason, as in Why.Cause; "" is saved
}

// Preview is what would be saved of one mail.
type Preview struct {
	Mail    Mail     `json:"mail"`
	Cc      string   `json:"cc,omitempty"`
	Object  string   `json:"object"` // EmailMessage or Task
	Records []Record `json:"records"`
	Related *Record  `json:"related,omitempty"`
	// Unmatched are addresses that have no record.
	Unmatched   []string          `json:"unmatched,omitempty"`
	Level       capture.Level     `json:"level"`
	Text        string            `json:"text,omitempty"`   // as it would be saved, at most 4 KB
	Newest      string            `json:"newest,omitempty"` // the newest part alone, where it differs
	Attachments []Attachment      `json:"attachments,omitempty"`
	Links       int               `json:"links,omitempty"` // to files in the cloud, which are not saved
	Bytes       int64             `json:"bytes"`
	Seen        string            `json:"seenBy"`  // "record": everybody who may see the records; "you": only the person
	Verdict     string            `json:"verdict"` // save, held or filtered
	Why         string            `json:"why,omitempty"`
	Question    *capture.Question `json:"question,omitempty"`
}

// Thread is a conversation that is followed.
type Thread struct {
	ID    int64     `json:"id"`
	Title string    `json:"title"`
	Since time.Time `json:"since,omitzero"` // zero: with all that came before
	Last  time.Time `json:"last,omitzero"`  // when a mail of it was saved last
	Saved int       `json:"saved"`
}

// The layers of the blocklist.
const (
	LayerInternal = "internal"  // the domains of the user's own addresses
	LayerFreeMail = "free-mail" // a list that comes with the program
	LayerCompany  = "company"
	LayerPersonal = "personal"
)

// Blocked is one entry of the blocklist.
type Blocked struct {
	Value  string `json:"value"`
	Layer  string `json:"layer"`
	Locked bool   `json:"locked,omitempty"`
}

// Chosen is what is captured, and who decided it.
type Chosen struct {
	Choices capture.Choices `json:"choices"`
	Company capture.Company `json:"company,omitzero"`
	Blocked []Blocked       `json:"blocked,omitempty"` // without the free-mail list
	// Hits counts for each rule, by its id, the mails of the last dry run that it decided; nil when
	// none was made.
	Hits map[string]int `json:"hits,omitempty"`
	// Level is what is saved after the company's limit.
	Level capture.Level `json:"level"`
}

// DryRunQuery says what to try.
type DryRunQuery struct {
	Days    int              `json:"days"`              // 1 to 90
	Choices *capture.Choices `json:"choices,omitempty"` // nil: those in force, as if automatic capture were on
	// Again uses the mails that the last dry run read, so that an edit is counted without the network.
	Again bool `json:"again,omitempty"`
	Limit int  `json:"limit,omitempty"` // of Items; default 500
}

// DryRunStep is the progress of a dry run.
type DryRunStep struct {
	Folder string `json:"folder"`
	Read   int    `json:"read"`
}

// DryRun is what the choices would have done.
type DryRun struct {
	Days  int            `json:"days"`
	Seen  int            `json:"seen"`
	Saved int            `json:"saved"`
	Held  int            `json:"held"`
	Hits  map[string]int `json:"hits,omitempty"` // by rule id
	Items []DryRunItem   `json:"items"`          // the youngest first
}

// DryRunItem is one mail of a dry run.
type DryRunItem struct {
	Mail    Mail   `json:"mail"`
	Verdict string `json:"verdict"` // save, held or filtered
	Why     string `json:"why"`     // a reason, as in Why.Cause
	Rule    string `json:"rule,omitempty"`
}

// Why is what decided about a mail.
type Why struct {
	Mail  *Mail  `json:"mail,omitempty"` // where it is in the mailbox still
	State string `json:"state"`          // captured, waiting, held, filtered, or "" when it was never seen
	// Cause is the one reason: a fault's code or a rule's reason, whose texts are in the catalogue as
	// fault.<cause> or reason.<cause>.
	Cause  string    `json:"cause"`
	Rule   string    `json:"rule,omitempty"`   // the rule or the entry that decided
	Detail string    `json:"detail,omitempty"` // such as the missing permission
	At     time.Time `json:"at,omitzero"`
	Record *Record   `json:"record,omitempty"` // captured: where it is
	Item   int64     `json:"item,omitempty"`   // its number in the queue
	// Fix is what changes it: capture, retry, resume, signin, rules, folders, window, wait or "".
	Fix string `json:"fix,omitempty"`
}

// Answer is a person's answer to a question.
type Answer struct {
	Option   string `json:"option"` // its ID; "" is none of them
	Remember bool   `json:"remember,omitempty"`
}

// Forgotten is what became of an address.
type Forgotten struct {
	Removed int           `json:"removed"` // traces on this computer
	Records []JournalItem `json:"records"` // that Salesforce holds still
}

// Where a setting's value comes from.
const (
	OriginDefault = "default"
	OriginYou     = "you"
	OriginCompany = "company"
	OriginFile    = "file"     // config.json
	OriginIT      = "computer" // the administrators of this computer
)

// Setting is one value of the settings page.
type Setting struct {
	Key    string   `json:"key"` // such as "start-at-login"
	Value  string   `json:"value"`
	Values []string `json:"values,omitempty"` // what it may be; none is free text
	Origin string   `json:"origin"`
	Locked bool     `json:"locked,omitempty"`
	By     string   `json:"by,omitempty"` // whose lock it is, for people
}

// The keys of settings.
const (
	SetStartAtLogin = "start-at-login" // on, off
	SetNotices      = "notices"        // on, off
	SetLanguage     = "language"       // "", or one of text.Languages
)

// JournalQuery selects lines of the journal, the youngest first.
type JournalQuery struct {
	Before int64 `json:"before,omitempty"` // the ID of the last line seen; 0 is the beginning
	Limit  int   `json:"limit,omitempty"`  // default 50, at most 1000
}
