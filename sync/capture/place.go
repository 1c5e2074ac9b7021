package capture

import (
	"io"
	"time"
)

// Folder is one selectable folder (label) of the mailbox.
type Folder struct {
	Name string // decoded, with the server's own separator
	Role string // "inbox", "sent", "drafts", "junk", "trash", "all" (RFC 6154), else ""
}

// Ref says where a mail was seen. It is a hint: the same mail may be found elsewhere tomorrow.
type Ref struct {
	Folder   string
	Validity uint32 // IMAP UIDVALIDITY
	UID      uint32
}

// Cursor says up to where one folder has been read (RFC 3501 section 2.3.1.1, RFC 7162).
type Cursor struct {
	Folder   string
	Validity uint32
	Next     uint32 // the first UID not read yet
	ModSeq   uint64 // 0 when the server has none
}

// Mark is how a mail was chosen.
type Mark string

const (
	MarkFolder  Mark = "folder"  // it lies in the capture folder
	MarkKeyword Mark = "keyword" // it carries the capture keyword
	MarkHand    Mark = "hand"    // picked in the program
	MarkThread  Mark = "thread"  // its conversation is followed
	MarkRule    Mark = "rule"    // an automatic rule chose it
)

// Item is one mail as the mailbox hands it over.
type Item struct {
	Ref      Ref
	Size     int64     // RFC822.SIZE
	Received time.Time // INTERNALDATE
	Flags    []string
	// Labels are the provider's (Gmail), decoded; its own are written as it does, such as
	// \Important. They come with header blocks alone.
	Labels []string
	// Files is the number of attachments, images that belong to the text not counted; -1 where
	// it was not asked for or the server could not tell.
	Files int
	// Raw is the whole mail, or the header block alone where only that was asked for. It is
	// valid only during the call that hands the Item over.
	Raw io.Reader
}
