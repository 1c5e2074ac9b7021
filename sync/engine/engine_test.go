package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
)

// box is a Source held in memory: folders of mails, a keyword, and faults on request.
type box struct {
	mu       sync.Mutex
	folders  map[string]*boxFolder
	fail     error
	watchers []func(string)
	scans    int
}

type boxFolder struct {
	validity uint32
	mails    []boxMail
}

type boxMail struct {
	uid     uint32
	raw     string
	marked  bool
	problem error
}

func newBox() *box {
	return &box{folders: map[string]*boxFolder{inbox: {validity: 1}, "Salesforce": {validity: 1}}}
}

func (b *box) put(folder, raw string, marked bool) {
	b.mu.Lock()
	f := b.folders[folder]
	f.mails = append(f.mails, boxMail{uid: uint32(len(f.mails) + 1), raw: raw, marked: marked})
	watchers := slices.Clone(b.watchers)
	b.mu.Unlock()
	for _, w := range watchers {
		w(folder)
	}
}

func (b *box) Folders(context.Context) ([]capture.Folder, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return nil, b.fail
	}
	var fs []capture.Folder
	for name := range b.folders {
		fs = append(fs, capture.Folder{Name: name})
	}
	return fs, nil
}

func (b *box) Scan(ctx context.Context, req ScanRequest, sink Sink) error {
	b.mu.Lock()
	f := *b.folders[req.Cursor.Folder]
	b.scans++
	err := b.fail
	b.mu.Unlock()
	if err != nil {
		return err
	}
	next := req.Cursor.Next
	if f.validity != req.Cursor.Validity {
		next = 1
	}
	for _, m := range f.mails {
		if m.problem != nil && m.raw == "" {
			if err := sink.Mail(ctx, capture.Item{Ref: capture.Ref{Folder: req.Cursor.Folder, Validity: f.validity, UID: m.uid}}, m.problem); err != nil {
				return err
			}
			continue
		}
		if m.uid < next && req.Keyword == "" || req.Keyword != "" && !m.marked {
			continue
		}
		item := capture.Item{Ref: capture.Ref{Folder: req.Cursor.Folder, Validity: f.validity, UID: m.uid}, Size: int64(len(m.raw))}
		if req.HeadersFirst {
			item.Raw = strings.NewReader(m.raw)
			wanted, err := sink.Wanted(ctx, []capture.Item{item})
			if err != nil || !wanted[0] {
				if err != nil {
					return err
				}
				continue
			}
		}
		item.Raw = strings.NewReader(m.raw)
		if err := sink.Mail(ctx, item, m.problem); err != nil {
			return err
		}
	}
	return sink.Reached(ctx, capture.Cursor{Folder: req.Cursor.Folder, Validity: f.validity, Next: uint32(len(f.mails) + 1)})
}

func (b *box) Fetch(ctx context.Context, refs []capture.Ref, sink Sink) error {
	for _, ref := range refs {
		m := b.folders[ref.Folder].mails[ref.UID-1]
		if err := sink.Mail(ctx, capture.Item{Ref: ref, Size: int64(len(m.raw)), Raw: strings.NewReader(m.raw)}, nil); err != nil {
			return err
		}
	}
	return nil
}

func (b *box) Heads(context.Context, []capture.Ref) ([]capture.Item, error) {
	return nil, errors.New("nobody asks for header blocks without rules of a company")
}

func (b *box) Count(context.Context, string, time.Time) (int, error) {
	return 0, errors.New("nobody counts without a history")
}

func (b *box) Watch(ctx context.Context, _ []string, changed func(string)) error {
	b.mu.Lock()
	b.watchers = append(b.watchers, changed)
	b.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

// book is a Ledger held in memory.
type book struct {
	mu      sync.Mutex
	rows    map[capture.Key]NewMail
	cursors map[string]capture.Cursor
	staged  int
	seen    int
	fail    error
}

type page struct {
	b   *book
	raw []byte
}

func (p page) Size() int64      { return int64(len(p.raw)) }
func (p page) SHA256() [32]byte { return sha256.Sum256(p.raw) }
func (p page) Discard(context.Context) error {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	p.b.staged--
	return nil
}

func sha(s string) [32]byte { return sha256.Sum256([]byte(s)) }

func newBook() *book {
	return &book{rows: map[capture.Key]NewMail{}, cursors: map[string]capture.Cursor{}}
}

func (b *book) Stage(_ context.Context, r io.Reader) (Staged, error) {
	raw, err := io.ReadAll(r)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.staged++
	return page{b, raw}, err
}

func (b *book) Known(_ context.Context, prints map[capture.Key][32]byte) (map[capture.Key]Known, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := map[capture.Key]Known{}
	for k, print := range prints {
		if row, ok := b.rows[k]; ok {
			known[k] = Known{Same: row.Fingerprint == print, State: string(row.Verdict), Why: string(row.Why) + row.Rule, Mark: row.Mark}
		}
	}
	return known, nil
}

func (b *book) Admit(_ context.Context, mails []NewMail, cursors []capture.Cursor) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return 0, b.fail
	}
	added := 0
	for _, m := range mails {
		if m.Content != nil {
			b.staged--
		}
		was, known := b.rows[m.Key]
		if !known {
			added++
		}
		if !known || m.Again && (was.Verdict == Filter || was.Verdict == Hold) {
			b.rows[m.Key] = m
		}
	}
	for _, c := range cursors {
		b.cursors[c.Folder] = c
	}
	b.seen += added
	return added, nil
}

func (b *book) Cursor(_ context.Context, name string) (capture.Cursor, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.cursors[name]
	return c, ok, nil
}

// readHeader is enough of a parser for these tests; the real one has its own.
func readHeader(r io.Reader) (capture.Header, error) {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return capture.Header{}, nil
	}
	return capture.Header{
		MessageID: capture.NormaliseMessageID(m.Header.Get("Message-Id")), Subject: m.Header.Get("Subject"),
		From: []capture.Address{{Addr: m.Header.Get("From")}},
	}, nil
}

func newEngine(t *testing.T, src *box, led *book, events func(Event)) *Engine {
	t.Helper()
	if events == nil {
		events = func(Event) {}
	}
	e, err := New(Config{
		Source: src, Ledger: led, Account: capture.Account{OrgID: "00D", UserID: "005"}, ReadHeader: readHeader,
		Wake: func() {}, Changed: events, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Folder: "Salesforce", Keyword: "$Salesforce", MaxSize: 1 << 20, Jitter: func() float64 { return 0.5 },
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func mailWith(id, subject string) string {
	return fmt.Sprintf("Message-ID: %s\nFrom: ann@acme.example\nSubject: %s\n\nbody of %s\n", id, subject, id)
}

func TestCapturesWhatIsMarkedAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, led := newBox(), newBook()
		src.put("Salesforce", mailWith("<1@x>", "in the folder"), false)
		src.put(inbox, mailWith("<2@x>", "with the keyword"), true)
		src.put(inbox, mailWith("<3@x>", "neither"), false)
		src.put(inbox, mailWith("<1@X>", "in the folder"), true) // the same mail, again
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- newEngine(t, src, led, nil).Run(ctx) }()
		synctest.Wait()
		if len(led.rows) != 2 || led.staged != 0 {
			t.Errorf("%d rows, want 2; %d staged mails left over", len(led.rows), led.staged)
		}
		src.put("Salesforce", mailWith("<4@x>", "later"), false)
		synctest.Wait()
		if len(led.rows) != 3 {
			t.Errorf("%d rows after a new mail, want 3", len(led.rows))
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run ended with %v", err)
		}
	})
}

func TestIdentityKeepsDifferentMailsApart(t *testing.T) {
	t.Parallel()
	src, led := newBox(), newBook()
	src.put("Salesforce", mailWith("<same@x>", "first"), false)
	src.put("Salesforce", mailWith("<same@x>", "second mail with a stolen id"), false)
	src.put("Salesforce", "From: a@x\nSubject: no id\n\none", false)
	src.put("Salesforce", "From: a@x\nSubject: no id\n\ntwo", false)
	src.put("Salesforce", "From: a@x\nSubject: no id\n\ntwo", false)
	e := newEngine(t, src, led, nil)
	e.todo.all()
	if err := e.work(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(led.rows) != 4 {
		t.Errorf("%d rows, want 4", len(led.rows))
	}
	if led.staged != 0 {
		t.Errorf("%d staged mails left over", led.staged)
	}
}

func TestUnreadableMailIsHeldAndTheNextOneFlows(t *testing.T) {
	t.Parallel()
	src, led := newBox(), newBook()
	src.put("Salesforce", mailWith("<1@x>", "too large"), false)
	src.folders["Salesforce"].mails[0].problem = fault.New(fault.MailTooLarge, "fetch", nil)
	src.put("Salesforce", mailWith("<2@x>", "gone"), false)
	src.folders["Salesforce"].mails[1].problem = fault.New(fault.MailGone, "fetch", nil)
	src.put("Salesforce", mailWith("<3@x>", "fine"), false)
	for i := 3; i < 5; i++ { // of these not even a header came
		src.put("Salesforce", "", false)
		src.folders["Salesforce"].mails[i].problem = fault.New(fault.MailUnreadable, "fetch", nil)
	}
	e := newEngine(t, src, led, nil)
	e.todo.all()
	if err := e.work(t.Context()); err != nil {
		t.Fatal(err)
	}
	verdicts := map[Verdict]int{}
	for _, row := range led.rows {
		verdicts[row.Verdict]++
	}
	if verdicts[Hold] != 3 || verdicts[Queue] != 1 || len(led.rows) != 4 {
		t.Errorf("verdicts %v", verdicts)
	}
}

func TestCursorNeverPassesAMailThatWasNotStored(t *testing.T) {
	t.Parallel()
	src, led := newBox(), newBook()
	src.put("Salesforce", mailWith("<1@x>", "a"), false)
	led.fail = fault.New(fault.DiskFull, "admit", nil)
	e := newEngine(t, src, led, nil)
	e.todo.all()
	if err := e.work(t.Context()); !fault.Is(err, fault.DiskFull) {
		t.Fatalf("got %v", err)
	}
	if len(led.cursors) != 0 {
		t.Error("the cursor moved")
	}
	led.fail = nil
	if err := e.work(t.Context()); err != nil || len(led.rows) != 1 {
		t.Errorf("after the disk has room: %v, %d rows", err, len(led.rows))
	}
}

func TestFaultsThatPassAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, led := newBox(), newBook()
		src.fail = &fault.Error{Code: fault.MailBusy, After: 90 * time.Second}
		var mu sync.Mutex
		var events []Event
		e := newEngine(t, src, led, func(ev Event) { mu.Lock(); events = append(events, ev); mu.Unlock() })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- e.Run(ctx) }()
		synctest.Wait()
		src.put("Salesforce", mailWith("<1@x>", "a"), false)
		src.mu.Lock()
		src.fail = nil
		src.mu.Unlock()
		time.Sleep(91 * time.Second)
		synctest.Wait()
		cancel()
		<-done
		if len(led.rows) != 1 {
			t.Errorf("%d rows after the fault passed", len(led.rows))
		}
		if last := events[len(events)-1]; last.Fault != "" || last.Success.IsZero() {
			t.Errorf("last event %+v", last)
		}
	})
}

func TestAFullDiskIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, led := newBox(), newBook()
		src.put("Salesforce", mailWith("<1@x>", "a"), false)
		led.fail = fault.New(fault.DiskFull, "admit", nil)
		told := make(chan Event, 100)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- newEngine(t, src, led, func(e Event) { told <- e }).Run(ctx) }()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		led.mu.Lock()
		led.fail = nil
		led.mu.Unlock()
		time.Sleep(localWait)
		synctest.Wait()
		cancel()
		if err := <-done; err != nil || len(led.rows) != 1 {
			t.Errorf("with room again: %v, %d rows", err, len(led.rows))
		}
		<-told
		if e := <-told; e.Fault != fault.DiskFull || e.Until.IsZero() {
			t.Errorf("told %+v", e)
		}
	})
}

func TestAMissingFolderIsToldAndOtherMarksCount(t *testing.T) {
	t.Parallel()
	src, led := newBox(), newBook()
	delete(src.folders, "Salesforce")
	src.put(inbox, mailWith("<1@x>", "a"), true)
	var last Event
	e := newEngine(t, src, led, func(ev Event) { last = ev })
	round := func() {
		t.Helper()
		e.todo.all()
		if _, err := e.round(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	round()
	if !last.NoFolder || len(led.rows) != 1 {
		t.Errorf("without the folder: %+v, %d rows", last, len(led.rows))
	}
	src.folders["Salesforce"] = &boxFolder{validity: 1}
	round()
	if last.NoFolder {
		t.Error("the folder is there and still told to be missing")
	}
}

func TestAFaultThatNeedsAPersonEndsTheRun(t *testing.T) {
	t.Parallel()
	src := newBox()
	src.fail = fault.New(fault.MailRefused, "log in", nil)
	if err := newEngine(t, src, newBook(), nil).Run(t.Context()); !fault.Is(err, fault.MailRefused) {
		t.Errorf("got %v", err)
	}
}

func TestFetchByHand(t *testing.T) {
	t.Parallel()
	src, led := newBox(), newBook()
	src.put(inbox, mailWith("<1@x>", "picked"), false)
	woken := 0
	e := newEngine(t, src, led, nil)
	e.cfg.Wake = func() { woken++ }
	refs := []capture.Ref{{Folder: inbox, Validity: 1, UID: 1}}
	first, err := e.Fetch(t.Context(), refs)
	second, err2 := e.Fetch(t.Context(), refs)
	if errors.Join(err, err2) != nil || first.Queued != 1 || second.Already != 1 || second.Queued != 0 {
		t.Errorf("first %+v, second %+v, %v %v", first, second, err, err2)
	}
	if woken < 2 {
		t.Error("a mail that was known and is queued again may wait for ever")
	}
	for _, row := range led.rows {
		if row.Mark != capture.MarkHand {
			t.Errorf("mark %q", row.Mark)
		}
	}
}

func TestCappedKeepsTheBeginning(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	n, err := io.Copy(&capped{buf: &buf, left: 5}, strings.NewReader("hello world"))
	if n != 11 || err != nil || buf.String() != "hello" {
		t.Errorf("%d %v %q", n, err, buf.String())
	}
}
