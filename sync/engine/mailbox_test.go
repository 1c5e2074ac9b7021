package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/rules"
)

// letter is a mail of a mailbox: what the rules are told of it, and its number.
type letter struct {
	rules.Message
	n       int
	keyword bool
	fetched int // how often it was read in full
}

// raw is the letter as it lies in the mailbox: a header block of one line, and a text.
func (l *letter) raw() string { return l.block() + strings.Repeat("text ", 20+l.n%7) }

func (l *letter) block() string { return fmt.Sprintf("Letter: %d\n\n", l.n) }

// mailbox is a Source held in memory that numbers, renumbers, moves and forgets mails as an IMAP
// server does, hands over header blocks in small windows, and counts what is read.
type mailbox struct {
	mu       sync.Mutex
	folders  []*place
	letters  []*letter
	window   int
	fuse     int // calls to the sink until the connection breaks; 0: it does not
	heads    int // header blocks handed over
	requests []ScanRequest
	watching chan []string
	changed  func(string)
}

type place struct {
	capture.Folder
	validity, next uint32
	mails          []lying
}

type lying struct {
	uid uint32
	*letter
}

func newMailbox(folders ...capture.Folder) *mailbox {
	b := &mailbox{window: 3, watching: make(chan []string, 100)}
	for _, f := range folders {
		b.folders = append(b.folders, &place{Folder: f, validity: 1, next: 1})
	}
	return b
}

// world has the folders that most tests need.
func world() *mailbox {
	return newMailbox(capture.Folder{Name: inbox, Role: "inbox"}, capture.Folder{Name: "Sent", Role: "sent"},
		capture.Folder{Name: "Projects"}, capture.Folder{Name: "Salesforce"}, capture.Folder{Name: "Trash", Role: "trash"})
}

func (b *mailbox) folder(name string) *place {
	for _, p := range b.folders {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// write makes a letter that lies nowhere yet.
func (b *mailbox) write(m rules.Message) *letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := &letter{Message: m, n: len(b.letters) + 1}
	if m.Header.MessageID == "" {
		l.Header.MessageID = fmt.Sprintf("<%d@letters.example>", l.n)
	}
	if m.Header.MessageID == "none" {
		l.Header.MessageID = ""
	}
	b.letters = append(b.letters, l)
	return l
}

func (b *mailbox) put(folder string, l *letter) *letter {
	b.mu.Lock()
	p := b.folder(folder)
	p.mails = append(p.mails, lying{p.next, l})
	p.next++
	changed := b.changed
	b.mu.Unlock()
	if changed != nil {
		changed(folder)
	}
	return l
}

// take removes what lies at an index of a folder.
func (p *place) take(i int) *letter {
	l := p.mails[i].letter
	p.mails = slices.Delete(p.mails, i, i+1)
	return l
}

// renumber gives the folder another UIDVALIDITY and its mails other numbers.
func (p *place) renumber() {
	p.validity += 3
	p.next = 1
	slices.Reverse(p.mails)
	for i := range p.mails {
		p.mails[i].uid = p.next
		p.next++
	}
}

func (b *mailbox) Folders(context.Context) ([]capture.Folder, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []capture.Folder
	for _, p := range b.folders {
		all = append(all, p.Folder)
	}
	return all, nil
}

func (b *mailbox) Watch(ctx context.Context, folders []string, changed func(string)) error {
	b.mu.Lock()
	b.changed = changed
	b.mu.Unlock()
	b.watching <- folders
	<-ctx.Done()
	return nil
}

// burn breaks the connection when its time has come.
func (b *mailbox) burn() error {
	if b.fuse == 0 {
		return nil
	}
	if b.fuse--; b.fuse == 0 {
		return fault.New(fault.ServerError, "read mails", nil)
	}
	return nil
}

func (b *mailbox) Scan(ctx context.Context, req ScanRequest, sink Sink) error {
	b.mu.Lock()
	b.requests = append(b.requests, req)
	p := b.folder(req.Cursor.Folder)
	if p == nil {
		b.mu.Unlock()
		return fault.New(fault.FolderMissing, "open the folder", nil)
	}
	end := capture.Cursor{Folder: p.Name, Validity: p.validity, Next: p.next}
	mails := slices.Clone(p.mails)
	b.mu.Unlock()
	from := req.Cursor.Next
	first := req.Cursor.Validity != end.Validity || from > end.Next
	if first {
		from = 1
	}
	headersFirst := req.HeadersFirst || first && req.Cursor.Validity != 0
	mails = slices.DeleteFunc(mails, func(m lying) bool {
		if req.Keyword != "" {
			return !m.keyword
		}
		return m.uid < from || first && m.Received.Before(req.Since)
	})
	for part := range slices.Chunk(mails, b.window) {
		if err := b.hand(ctx, end, part, headersFirst, sink); err != nil {
			return err
		}
		at := end
		if at.Next = part[len(part)-1].uid + 1; req.Keyword != "" {
			at = req.Cursor
		}
		if err := errors.Join(b.burn(), sink.Reached(ctx, at)); err != nil {
			return err
		}
	}
	return sink.Reached(ctx, end)
}

func (b *mailbox) hand(ctx context.Context, at capture.Cursor, part []lying, headersFirst bool, sink Sink) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	items := make([]capture.Item, len(part))
	for i, m := range part {
		items[i] = capture.Item{
			Ref:  capture.Ref{Folder: at.Folder, Validity: at.Validity, UID: m.uid},
			Size: m.Size, Received: m.Received, Labels: m.Labels, Files: m.Files,
		}
	}
	wanted := slices.Repeat([]bool{true}, len(part))
	if headersFirst {
		heads := slices.Clone(items)
		for i, m := range part {
			heads[i].Raw = strings.NewReader(m.block())
		}
		b.heads += len(heads)
		var err error
		if wanted, err = sink.Wanted(ctx, heads); err != nil {
			return err
		}
	}
	for i, m := range part {
		if !wanted[i] {
			continue
		}
		if err := b.burn(); err != nil {
			return err
		}
		var problem error
		items[i].Raw = strings.NewReader(m.raw())
		if m.Size > rules.MaxMail {
			items[i].Raw, problem = strings.NewReader(m.block()), fault.New(fault.MailTooLarge, "read one mail", nil)
		} else {
			m.fetched++
		}
		if err := sink.Mail(ctx, items[i], problem); err != nil {
			return err
		}
	}
	return nil
}

func (b *mailbox) Fetch(ctx context.Context, refs []capture.Ref, sink Sink) error {
	for _, ref := range refs {
		p := b.folder(ref.Folder)
		i := slices.IndexFunc(p.mails, func(m lying) bool { return m.uid == ref.UID })
		if err := b.hand(ctx, capture.Cursor{Folder: p.Name, Validity: p.validity}, p.mails[i:i+1], false, sink); err != nil {
			return err
		}
	}
	return nil
}

func (b *mailbox) Heads(_ context.Context, refs []capture.Ref) ([]capture.Item, error) {
	var items []capture.Item
	for _, ref := range refs {
		for _, m := range b.folder(ref.Folder).mails {
			if m.uid == ref.UID {
				items = append(items, capture.Item{
					Ref: ref, Size: m.Size, Received: m.Received, Labels: m.Labels, Files: m.Files, Raw: strings.NewReader(m.block()),
				})
			}
		}
	}
	return items, nil
}

func (b *mailbox) Count(_ context.Context, folder string, since time.Time) (n int, err error) {
	for _, m := range b.folder(folder).mails {
		if !m.Received.Before(since) {
			n++
		}
	}
	return n, nil
}

// read finds the letter that a raw mail is.
func (b *mailbox) read(r io.Reader) (*letter, error) {
	var n int
	in := bufio.NewReader(r)
	if _, err := fmt.Fscanf(in, "Letter: %d\n", &n); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.letters[n-1], nil
}

func (b *mailbox) readHeader(r io.Reader) (capture.Header, error) {
	l, err := b.read(r)
	if err != nil {
		return capture.Header{}, nil //nolint:nilerr // a header that says nothing
	}
	return l.Header, nil
}

func (b *mailbox) readBody(r io.Reader, _ int64) (rules.Body, error) {
	l, err := b.read(r)
	if err != nil {
		return rules.Body{}, err
	}
	return *l.Body, nil
}

// setup is an engine on a mailbox with rules.
type setup struct {
	box     *mailbox
	book    *book
	ledger  Ledger // the book, or something that keeps it up to date
	choices capture.Choices
	company capture.Company
	own     []string
	now     time.Time
	records map[string][]string // by address
	asked   []string            // addresses that were looked up
	events  []Event
	threads map[int64]time.Time
	members map[string]int64 // Message-IDs of followed conversations
	lookups int              // questions about conversations
	engine  *Engine
}

func newSetup(b *mailbox, choices capture.Choices, company capture.Company) *setup {
	s := &setup{
		box: b, book: newBook(), choices: choices, company: company, own: []string{"me@acme.example"}, now: choices.Since.Add(time.Hour),
		records: map[string][]string{}, threads: map[int64]time.Time{}, members: map[string]int64{},
	}
	s.ledger = s.book
	s.restart()
	return s
}

// restart makes another engine that knows what the ledger knows.
func (s *setup) restart() {
	e, err := New(Config{
		Source: s.box, Ledger: s.ledger, Account: capture.Account{OrgID: "00D", UserID: "005"}, ReadHeader: s.box.readHeader,
		ReadBody: s.box.readBody, Rules: func() *rules.Set { return rules.Compile(s.choices, s.company, s.own) },
		People: func(_ context.Context, addresses []string) (map[string][]string, error) {
			s.asked = append(s.asked, addresses...)
			found := map[string][]string{}
			for _, a := range addresses {
				if types := s.records[a]; types != nil {
					found[a] = types
				}
			}
			return found, nil
		},
		Following: func(context.Context) (map[int64]time.Time, error) { return s.threads, nil },
		Followed: func(_ context.Context, mails [][]string) ([]int64, error) {
			s.lookups++
			found := make([]int64, len(mails))
			for i, ids := range mails {
				for _, id := range ids {
					found[i] = max(found[i], s.members[id])
				}
			}
			return found, nil
		},
		Wake: func() {}, Changed: func(e Event) { s.events = append(s.events, e) }, Log: slog.New(slog.DiscardHandler),
		Folder: "Salesforce", Keyword: "$Salesforce", MaxSize: rules.MaxMail, Now: func() time.Time { return s.now },
		Jitter: func() float64 { return 0.5 },
	})
	if err != nil {
		panic(err)
	}
	s.engine = e
}

// look looks through every folder once.
func (s *setup) look(ctx context.Context) error {
	s.engine.todo.all()
	return s.engine.work(ctx)
}

// row returns what the ledger has of a letter.
func (s *setup) row(l *letter) (NewMail, bool) {
	account := capture.Account{OrgID: "00D", UserID: "005"}
	if l.Header.MessageID != "" {
		m, ok := s.book.rows[capture.MailKey(account, l.Header.MessageID)]
		return m, ok
	}
	if m, ok := s.book.rows[capture.DigestKey(account, "", sha(l.raw()))]; ok {
		return m, true
	}
	m, ok := s.book.rows[capture.DigestKey(account, "", sha(l.block()))]
	return m, ok
}
