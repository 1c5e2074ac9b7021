package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/match"
	"hawser/sync/shape"
)

const (
	// readTime bounds the parsing of one mail.
	readTime = time.Minute
	// notesMost bounds what is remembered about jobs. A forgotten note costs a second reading
	// or a look-up.
	notesMost = 4096
	nameMost  = 255 // UTF-16 units of a file's Title
)

// note is what this process knows about a job beyond the queue.
type note struct {
	read    bool // from, files, leftOut and text are known
	from    capture.Address
	files   []capture.Attachment // to be saved
	leftOut int
	subject string
	text    int64 // bytes of header block, text and HTML
	level   capture.Level
	askYes  bool   // whether files are saved has to be asked
	other   string // whom it was exchanged with, see Deliverer.other

	matched []match.Reason
	unknown bool // it was held because nobody was found: look anew when it comes back

	person string       // Salesforce id of the sender; "" for none or not looked up
	sure   bool         // nothing hangs on the record but what done says: no look-up is needed
	done   map[int]bool // files that were uploaded, by Index

	strikes int
	broke   bool // the server broke on this mail alone: look up before each try, as a test of it
	answers int  // calls that had succeeded by then
	effects int  // those of them with an effect
	tried   Kind // what it was last to be created as, by this process
	related bool // related to more than the account
	account bool // relate to the account only: what else was refused
	bare    bool // save without links: one was refused
	short   bool // save with a short text: it was refused as too long
}

func (n *note) bytes() (sum int64) {
	for _, f := range n.files {
		sum += f.Size
	}
	return sum
}

func (n *note) missing() int { return len(n.files) - len(n.done) }

// note returns the job's note, making it when there is none.
func (d *Deliverer) note(job int64) *note {
	n := d.notes[job]
	if n == nil {
		n = &note{}
		d.notes[job] = n
	}
	return n
}

// forget keeps the notes bounded. It runs between rounds only: within one, notes are relied on.
func (d *Deliverer) forget() {
	if len(d.notes) <= notesMost {
		return
	}
	for id := range d.notes {
		if delete(d.notes, id); len(d.notes) <= notesMost/2 {
			return
		}
	}
}

// learn reads a mail and notes what later steps need of it. The outcome is set when it cannot be
// read: that concerns this mail alone. The error concerns every mail.
func (d *Deliverer) learn(ctx context.Context, j Job, caps Capabilities) (capture.Mail, *Outcome, error) {
	m, err := d.parse(ctx, j)
	if err != nil {
		if ctx.Err() != nil {
			return m, nil, ctx.Err()
		}
		if f := fault.Of(err); own(f.Code) {
			o := person(j, f.Code, f.Detail)
			return m, &o, nil
		}
		return m, nil, err
	}
	n := d.note(j.ID)
	n.read = true
	n.from, n.subject = match.Sender(m.Header), m.Subject
	m = d.shape(j, n, m, caps.Files)
	n.text = int64(len(m.RawHeaders) + len(m.Text) + len(m.HTML))
	return m, nil, nil
}

// lineMost is how many files the line about what was left out names.
const lineMost = 5

// shape cuts a mail to what is saved of it, and notes its files. What it returns is all that
// later steps see of the mail.
func (d *Deliverer) shape(j Job, n *note, m capture.Mail, may bool) capture.Mail {
	content := d.cfg.Content()
	n.askYes, n.other = false, d.other(m.Header)
	if content.Files == capture.FilesAsk && may {
		content.Files = capture.FilesNever
		switch yes, ok := d.answer(j, capture.AskFiles, AnswerFiles, n.other); {
		case !ok:
			all := content
			all.Files = capture.FilesAlways
			with, _ := shape.Cut(m, all)
			n.askYes = len(with.Attachments) > 0
		case yes == Yes:
			content.Files = capture.FilesAlways
		}
	}
	if !may {
		content.Files = capture.FilesNever
	}
	all := len(m.Attachments)
	cut := shape.Cut
	if d.kind == Task {
		cut = shape.CutTask
	}
	m, left := cut(m, content)
	n.level = content.Level
	if n.level == capture.LevelFiles && content.Files != capture.FilesAlways {
		n.level = capture.LevelText
	}
	n.files, n.leftOut = nil, all-len(m.Attachments)
	for _, a := range m.Attachments {
		a.Name = title(a.Name, a.Index)
		n.files = append(n.files, a)
	}
	for _, l := range left {
		if l.Why == shape.WhyInline {
			n.leftOut-- // nobody misses the picture of a signature
		}
	}
	if named, more := shape.Line(left, lineMost); len(named) > 0 {
		m = shape.Note(m, d.cfg.LeftOut(named, more))
	}
	return m
}

// own reports whether a mail that cannot be read is alone in that: a locked key store or a full
// disk concerns all of them.
func own(c fault.Code) bool {
	switch c {
	case fault.MailUnreadable, fault.MailTooLarge, fault.MailGone, fault.QueueDamaged, fault.NotFound, fault.Internal:
		return true
	}
	return false
}

// parse hands the raw mail to Read. What the parser reports, or dies of, is the mail's fault;
// what the queue reports while it is read is not.
func (d *Deliverer) parse(ctx context.Context, j Job) (m capture.Mail, err error) {
	r, err := d.cfg.Queue.Open(ctx, j.ID)
	if err != nil {
		return m, fmt.Errorf("open job %d: %w", j.ID, err)
	}
	defer r.Close()
	src := &source{r: r}
	m, err = d.guarded(ctx, src, j.Size)
	switch {
	case src.err != nil:
		return m, fmt.Errorf("read job %d: %w", j.ID, src.err)
	case err == nil:
		return m, nil
	case fault.Is(err, fault.MailTooLarge):
		return m, err
	default:
		return m, fault.New(fault.MailUnreadable, "parse mail", err)
	}
}

func (d *Deliverer) guarded(ctx context.Context, r io.Reader, size int64) (m capture.Mail, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	defer survive(&err)
	return d.cfg.Read(ctx, r, size)
}

// errPanic stands for a panic; its value may repeat content, so it is not kept.
var errPanic = errors.New("parser panicked")

func survive(err *error) {
	if recover() != nil {
		*err = errPanic
	}
}

// source remembers the queue's own error, which a tolerant parser may swallow.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// title makes a name that Salesforce keeps as it is, so that the file is recognised later: one
// line, not empty, at most nameMost UTF-16 units, its extension kept.
func title(name string, i int) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	if name == "" {
		return fmt.Sprintf("attachment-%d", i+1)
	}
	units := utf16.Encode([]rune(name))
	if len(units) <= nameMost {
		return name
	}
	ext := ""
	if dot := strings.LastIndexByte(name, '.'); dot > 0 && len(name)-dot <= 16 {
		ext = name[dot:]
	}
	units = units[:nameMost-len(utf16.Encode([]rune(ext)))]
	if utf16.IsSurrogate(rune(units[len(units)-1])) {
		units = units[:len(units)-1] // half a pair, or a whole one: either may go
	}
	return strings.TrimSpace(strings.TrimSuffix(string(utf16.Decode(units)), "\uFFFD")) + ext
}

const (
	shortText    = 30_000 // bytes: fits every text field there is to save into
	shortSubject = 200
)

// shorten cuts a mail that was refused as too long to a size that fits in any case: limits may
// count characters, UTF-16 units or bytes.
func shorten(m capture.Mail) capture.Mail {
	m.Text = clip(m.Text, shortText)
	m.RawHeaders = clip(m.RawHeaders, shortText/2)
	m.Subject = clip(m.Subject, shortSubject)
	if m.Text != "" && len(m.HTML) > shortText {
		m.HTML = ""
	}
	m.HTML = clip(m.HTML, shortText)
	return m
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	const mark = " [...]"
	s = s[:most-len(mark)]
	for len(s) > 0 {
		if r, size := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || size > 1 {
			break
		}
		s = s[:len(s)-1]
	}
	return s + mark
}
