// Package control is how everything that shows or steers the agent talks to it: one status
// value, a handful of commands, one stream of changes, over a socket only its user can open.
//
// It owns the wire (HTTP with JSON over a Unix socket in a 0700 directory, a named pipe on
// Windows), the check of the peer, and the rule of one agent per user. It knows nothing of mail
// or Salesforce: the agent implements [Agent], the CLI, the tray and the window use [Client].
//
// [Listen], [Client] and [Board] are safe for concurrent use. [Listener.Serve] returns only after
// every connection it accepted is closed and its handler is over; nothing here polls.
package control

import (
	"context"
	"time"

	"hawser/auth/secret"
	"hawser/sync/capture"
	"hawser/sync/fault"
)

// State is the one word for what the agent is doing.
type State = capture.State

// The states, so that what shows them needs this package alone.
const (
	NotEnrolled  = capture.NotEnrolled
	NeedsSignIn  = capture.NeedsSignIn
	WrongAccount = capture.WrongAccount
	Suspended    = capture.Suspended
	Waiting      = capture.Waiting
	Paused       = capture.Paused
	Offline      = capture.Offline
	Working      = capture.Working
	UpToDate     = capture.UpToDate
	NeedsYou     = capture.NeedsYou
)

// Status is all there is to see of the agent. Tray, CLI and window render this value and
// nothing else.
type Status struct {
	State   State      `json:"state"`
	Which   string     `json:"which,omitempty"` // NeedsSignIn: "salesforce" or "mail"
	Until   time.Time  `json:"until,omitzero"`
	Why     fault.Code `json:"why,omitempty"`
	Since   time.Time  `json:"since"`
	Version string     `json:"version"`

	Company    Company `json:"company,omitzero"`
	Salesforce Side    `json:"salesforce"`
	Mail       Side    `json:"mail"`
	Counts     Counts  `json:"counts"`
	Calls      Calls   `json:"calls"`
	// History is how many mails from before automatic capture was turned on were looked at so far, while
	// they are; else zero.
	History Progress `json:"history,omitzero"`
	// Offer is the company server of an enrolment link that was opened and that nobody has answered yet.
	Offer string `json:"offer,omitempty"`
	// Notes are faults worth a line although work goes on, such as a missing permission.
	Notes []Note `json:"notes,omitempty"`
}

// The stages of a membership in a company.
const (
	StageSettingUp = "setup"   // the company's server has not said yet what to sign in to
	StageSigningIn = "sign-in" // a person has to prove who they are
	StageJoining   = "joining" // they have, and the company's server is being told
	StageWaiting   = "waiting" // the company has not enabled them yet
	StageActive    = "active"
	StageSuspended = "suspended"
	StageRemoved   = "removed" // all was deleted; By and Since tell who asked for it, and when
)

// Company is the user's company as this computer knows it.
type Company struct {
	Stage       string     `json:"stage,omitempty"` // "" is no company
	Name        string     `json:"name,omitempty"`
	Server      string     `json:"server,omitempty"`
	Group       string     `json:"group,omitempty"`  // whose policy applies
	Policy      int64      `json:"policy,omitempty"` // version in force
	LastSuccess time.Time  `json:"lastSuccess,omitzero"`
	Fault       fault.Code `json:"fault,omitempty"`
	Since       time.Time  `json:"since,omitzero"` // suspended, removed
	By          string     `json:"by,omitempty"`
}

// Side is one of the two accounts.
type Side struct {
	SignedIn    bool       `json:"signedIn"`
	Account     string     `json:"account,omitempty"` // user name or address, for people
	Host        string     `json:"host,omitempty"`
	LastSuccess time.Time  `json:"lastSuccess,omitzero"`
	Fault       fault.Code `json:"fault,omitempty"`
	// Bound is the account that this computer is bound to, and Other the one that signed in instead
	// and was refused; both are names for people.
	Bound string `json:"bound,omitempty"`
	Other string `json:"other,omitempty"`
}

// Counts is the conservation law made visible: Seen = Captured + Filtered + Held + Waiting, where
// Waiting includes NeedsYou.
type Counts struct {
	Seen     int `json:"seen"`
	Captured int `json:"captured"`
	Filtered int `json:"filtered"`
	Held     int `json:"held"`
	Waiting  int `json:"waiting"`
	NeedsYou int `json:"needsYou"`
}

// Calls is the day's Salesforce API budget.
type Calls struct {
	Used    int `json:"used"` // by this agent since midnight UTC
	Budget  int `json:"budget"`
	OrgUsed int `json:"orgUsed,omitempty"` // what Salesforce last said, whole org
	OrgMax  int `json:"orgMax,omitempty"`
}

// Progress is how far something has come; All is zero where that is not known.
type Progress struct {
	Done int `json:"done"`
	All  int `json:"all,omitempty"`
}

// Note is a fault with its parameter, such as the missing permission's name.
type Note struct {
	Code   fault.Code `json:"code"`
	Detail string     `json:"detail,omitempty"`
}

// Mail is one mail of the mailbox as a list shows it.
type Mail struct {
	Ref     string    `json:"ref"` // opaque; hand it back to Capture
	Folder  string    `json:"folder"`
	Date    time.Time `json:"date"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Subject string    `json:"subject"`
	Size    int64     `json:"size"`
	State   string    `json:"state,omitempty"` // "", or its state in the ledger: waiting, captured, held, filtered
}

// MailQuery selects mails of the mailbox, newest first.
type MailQuery struct {
	Folder string `json:"folder,omitempty"` // "" is the inbox
	Search string `json:"search,omitempty"` // server-side full text search; "" is everything
	Limit  int    `json:"limit,omitempty"`  // default 50, at most 500
	Before string `json:"before,omitempty"` // the Ref of the last mail seen; "" is the beginning
}

// MailList is what the mailbox has for a MailQuery.
type MailList struct {
	Mails []Mail `json:"mails"`
	// Partial says that the mail server could not search: senders, recipients and subjects were looked
	// through instead, not the texts.
	Partial bool `json:"partial,omitempty"`
}

// CaptureResult says what became of the mails handed to Capture.
type CaptureResult struct {
	Queued  int `json:"queued"`
	Already int `json:"already"` // in the ledger before
	Gone    int `json:"gone"`    // no longer in the mailbox
}

// QueueItem is a mail that is not yet captured, or was held or filtered.
type QueueItem struct {
	ID      int64      `json:"id"`
	State   string     `json:"state"` // waiting, sending, needs-you, held, filtered
	Date    time.Time  `json:"date"`
	From    string     `json:"from"`
	Subject string     `json:"subject"`
	Size    int64      `json:"size"`
	Mark    string     `json:"mark"`
	Tries   int        `json:"tries"`
	Next    time.Time  `json:"next,omitzero"`
	Expires time.Time  `json:"expires,omitzero"` // when an unmatched mail is left out
	Why     fault.Code `json:"why,omitempty"`
	Detail  string     `json:"detail,omitempty"`
	// Question is what the item waits to be told, and Unlinked says that it may be saved without a
	// record to belong to.
	Question *capture.Question `json:"question,omitempty"`
	Unlinked bool              `json:"unlinked,omitempty"`
}

// JournalItem is a mail that was captured: ids, times and sizes, no content.
type JournalItem struct {
	ID       int64     `json:"id"`
	At       time.Time `json:"at"`
	Object   string    `json:"object"` // EmailMessage or Task
	RecordID string    `json:"recordId"`
	URL      string    `json:"url"`
	Bytes    int64     `json:"bytes"`
	Files    int       `json:"files"`
	LeftOut  int       `json:"leftOut,omitempty"`
	Mark     string    `json:"mark"`
	Level    string    `json:"level,omitempty"`   // how much of it was saved
	Matched  []Record  `json:"matched,omitempty"` // why it belongs where it is
	Removed  time.Time `json:"removed,omitzero"`  // when the record was deleted again by this program
}

// SignInStep is one line of progress while a browser sign-in runs.
type SignInStep struct {
	// Step is "discovering", "moved", "browser", "waiting", "exchanging", "checking" or "done", and
	// "approve" where an administrator has to approve the app before it can go on.
	Step string `json:"step"`
	// URL is, at the step "browser", for people whose browser did not open, at the step "moved" the
	// address that the site has now, and at the step "approve" the page where that is done.
	URL string `json:"url,omitempty"`
}

// SignOutResult says what a sign-out left.
type SignOutResult struct {
	Waiting   int  `json:"waiting"`   // mails that wait on this computer for the next sign-in
	Discarded int  `json:"discarded"` // mails that will never be sent
	Pending   bool `json:"pending"`   // a provider has yet to hear of it; it is told again by itself
}

// UnbindResult says what an unbinding removed.
type UnbindResult struct {
	Deleted int  `json:"deleted"` // mails that waited or were held
	Pending bool `json:"pending"` // as in SignOutResult
}

// MaxAliases is how many addresses of the user's own are used, the mailbox's own one included.
const MaxAliases = 4

// Where an address of the user's own is known from.
const (
	FromSignIn   = "sign-in"  // the mailbox's own
	FromProvider = "provider" // the mail provider vouches for it
	FromSent     = "sent"     // the user sent mail under it: a proposal
)

// Alias is an address of the user's own.
type Alias struct {
	Address string `json:"address"`
	Primary bool   `json:"primary,omitempty"`
	On      bool   `json:"on"` // used to tell which way a mail went
	Source  string `json:"source"`
}

// App is what an administrator has to know to let Hawser in.
type App struct {
	Side      string   `json:"side"`
	Site      string   `json:"site"` // the Salesforce address, or the mail provider's
	ClientID  string   `json:"clientId"`
	Scopes    []string `json:"scopes"`
	Callbacks []string `json:"callbacks,omitempty"` // that have to be registered one by one
	AdminLink string   `json:"adminLink,omitempty"` // where an administrator approves, for providers that have such a page
}

// Agent is what the running agent does on command. Errors are *fault.Error.
type Agent interface {
	Status() Status
	// Watch calls changed with the present status and then at every change, until ctx ends or
	// changed returns an error.
	Watch(ctx context.Context, changed func(Status) error) error

	// CheckNow has mailbox, Salesforce and company looked at now, at most once in ten seconds: a wish
	// that comes sooner is fulfilled when they are over.
	CheckNow(ctx context.Context) error
	Pause(ctx context.Context, until time.Time) error // zero: until Resume
	Resume(ctx context.Context) error
	Stop(ctx context.Context) error

	// Enrol joins a company by its link or code; nothing stands for what was rolled out with the
	// program. Faults: EnrolRefused, EnrolSpent, AlreadyEnrolled, and those of the network.
	Enrol(ctx context.Context, pasted secret.String) (Company, error)
	// Offer takes an enrolment link that something opened. It joins nothing: a person has to answer it
	// first. Faults: EnrolRefused, AlreadyEnrolled.
	Offer(ctx context.Context, link secret.String) error
	// AnswerOffer joins by the link of Status.Offer, as Enrol does, or forgets it; server is what the
	// person saw. Fault: NotFound where no such link waits any more.
	AnswerOffer(ctx context.Context, server string, join bool) (Company, error)
	// SignIn runs a browser sign-in on side "salesforce" or "mail"; ctx ending cancels it.
	SignIn(ctx context.Context, side string, progress func(SignInStep)) error
	// SignOut forgets the sign-in on one side, or on both when side is "", and ends it at the
	// provider. Discard, which only goes with Salesforce, leaves all that waits out for good.
	SignOut(ctx context.Context, side string, discard bool) (SignOutResult, error)
	// Unbind signs out on both sides and deletes all that this computer knows of both.
	Unbind(ctx context.Context) (UnbindResult, error)
	// App tells what an administrator has to know of one side.
	App(ctx context.Context, side string) (App, error)

	// Aliases returns the user's own addresses, the mailbox's own first.
	Aliases(ctx context.Context) ([]Alias, error)
	// SetAlias takes an address of the list into use or out of it. Faults: NotFound; Usage for the
	// mailbox's own one and for more than MaxAliases.
	SetAlias(ctx context.Context, address string, on bool) error

	Mails(ctx context.Context, q MailQuery) (MailList, error)
	Capture(ctx context.Context, r CaptureRequest) (CaptureResult, error)
	// Queue lists items; state "" is everything that waits or needs a person.
	Queue(ctx context.Context, state string, limit int) ([]QueueItem, error)
	RetryItem(ctx context.Context, id int64) error
	SkipItem(ctx context.Context, id int64) error // becomes filtered, content deleted
	Journal(ctx context.Context, q JournalQuery) ([]JournalItem, error)

	Chooser
}
