package engine

import (
	"context"
	"io"
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
)

// Source is the mailbox. IMAP is one; a mail API can be another.
type Source interface {
	// Folders lists the selectable folders.
	Folders(ctx context.Context) ([]capture.Folder, error)
	// Scan hands what req selects to sink, in the folder's order.
	Scan(ctx context.Context, req ScanRequest, sink Sink) error
	// Fetch hands the named mails to sink in full; Reached is not called with a cursor that moves.
	Fetch(ctx context.Context, refs []capture.Ref, sink Sink) error
	// Heads returns the header blocks of the named mails that are still there.
	Heads(ctx context.Context, refs []capture.Ref) ([]capture.Item, error)
	// Count returns how many mails of a folder were received at since or later.
	Count(ctx context.Context, folder string, since time.Time) (int, error)
	// Watch calls changed when something may have happened in one of folders, until ctx ends or a
	// fault needs a person.
	Watch(ctx context.Context, folders []string, changed func(folder string)) error
}

// ScanRequest selects mails of one folder.
type ScanRequest struct {
	Cursor capture.Cursor // the folder, and up to where it was read
	// Keyword, when set, selects the mails that carry it instead of every mail from the cursor on.
	Keyword string
	// HeadersFirst asks the sink by header which mails it wants in full.
	HeadersFirst bool
	MaxSize      int64 // larger mails come with their header block alone and fault MailTooLarge
	// Since leaves out what the mailbox received earlier, at the first look at a folder and after it
	// was renumbered; afterwards the cursor alone decides. Zero: no limit.
	Since time.Time
	// Structure asks for [capture.Item.Files] with the header blocks, which costs the server time.
	Structure bool
}

// Sink receives what a scan finds. Any error ends the scan and is returned by it.
type Sink interface {
	// Wanted says which mails, known by their header blocks, are wanted in full.
	Wanted(ctx context.Context, heads []capture.Item) ([]bool, error)
	// Mail hands over one mail. A mail that could not be read has Raw nil or only its header
	// block, and a problem that says why.
	Mail(ctx context.Context, item capture.Item, problem error) error
	// Reached says that everything before cur was handed over.
	Reached(ctx context.Context, cur capture.Cursor) error
}

// Staged is a raw mail that lies sealed on disk but belongs to nobody yet.
type Staged interface {
	Size() int64
	SHA256() [32]byte
	Discard(ctx context.Context) error
}

// Verdict is what the ledger keeps of a mail that was seen.
type Verdict string

const (
	Queue  Verdict = "waiting"
	Filter Verdict = "filtered"
	Hold   Verdict = "held"
)

// The ledger's names of where a mail stands that may be thought of again.
const (
	filtered = "filtered"
	held     = "held"
)

// NewMail is a mail on its way into the ledger.
type NewMail struct {
	Key         capture.Key
	Fingerprint [32]byte
	Verdict     Verdict
	Why         fault.Code // Hold: the fault; Filter: ""
	Rule        string     // Filter: the rules.Reason
	By          string     // the id of the rule that allowed or denied it, "" for none
	Mark        capture.Mark
	// Again says that the mail takes the place of one that the ledger holds as filtered or held:
	// under its own id, with its own verdict, mark and content. Without it a mail that is known is
	// only seen once more. Where the one in the ledger is queued or captured, Again says nothing.
	Again    bool
	Live     bool // just arrived: goes before any backlog
	Ref      capture.Ref
	Size     int64
	Received time.Time
	Head     capture.Header
	// Content is nil where none is kept. A mail that nobody chose and that the rules leave out comes
	// with neither Head nor Content: of it the ledger keeps keyed hashes, its place, size and times,
	// and the reason.
	Content Staged
}

// Known is what the ledger remembers of a key.
type Known struct {
	ID    int64
	State string
	Same  bool // the fingerprint asked for is the one stored
	// Why is what a filtered or held mail waits or was left out for: NewMail.Rule or NewMail.Why, or
	// what replaced it since, such as rules.SkippedByHand. "" where the ledger does not say: then a
	// filtered or held mail stays as it is.
	Why  string
	Mark capture.Mark // of the mail that the ledger has
}

// Ledger is the durable memory of the capture.
type Ledger interface {
	// Stage seals raw on disk without holding it in memory.
	Stage(ctx context.Context, raw io.Reader) (Staged, error)
	// Known tells of each key whether it was seen, comparing with the fingerprint given.
	Known(ctx context.Context, prints map[capture.Key][32]byte) (map[capture.Key]Known, error)
	// Admit stores mails and cursors in one transaction and returns how many were new.
	Admit(ctx context.Context, mails []NewMail, cursors []capture.Cursor) (int, error)
	// Cursor returns the cursor stored under name.
	Cursor(ctx context.Context, name string) (capture.Cursor, bool, error)
}
