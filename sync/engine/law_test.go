package engine

import (
	"flag"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/rules"
	"hawser/sync/rules/rulestest"
)

// lives is how often a hundred random mailboxes are let live.
var lives = flag.Int("lives", 5, "hundreds of random mailboxes")

// life is a mailbox, its owner's choices and the capture of both, with what the specification says
// should have become of each mail.
type life struct {
	*setup
	t *rapid.T

	may    map[int]bool        // letters that were allowed at some look
	must   map[int]bool        // letters that a whole look found allowed
	fetch  map[int]bool        // letters whose header block alone did not speak against them
	looked map[string]bool     // places that a whole look saw under these choices
	people map[string][]string // of the small world, by plain address
}

func newLife(t *rapid.T) *life {
	b := newMailbox(append(rulestest.Folders(), capture.Folder{Name: "Salesforce"}, capture.Folder{Name: "Trash", Role: "trash"})...)
	l := &life{t: t, may: map[int]bool{}, must: map[int]bool{}, fetch: map[int]bool{}, looked: map[string]bool{}}
	l.setup = newSetup(b, rulestest.DrawChoices(t), rulestest.DrawCompany(t))
	l.own, l.now = rulestest.Own(), rulestest.Now
	l.people = rulestest.DrawMessage(t).People
	return l
}

// at is one place of a letter, and what the specification needs to know of it there.
func (l *life) at(p *place, m lying) (rulestest.Case, bool) {
	c := rulestest.Case{Choices: l.choices, Company: l.company, Own: l.own, Message: m.Message}
	c.Message.Folder, c.Message.Role, c.Message.People = p.Name, p.Role, l.people
	set := rules.Compile(l.choices, l.company, l.own)
	thread := l.members[m.Header.InReplyTo]
	since, followed := l.threads[thread]
	c.Followed = followed && !m.Received.Before(since)
	switch {
	case p.Name == "Salesforce":
		c.Mark = capture.MarkFolder
	case p.Role == "trash":
		return c, false
	case m.keyword:
		c.Mark = capture.MarkKeyword
	case !(set.Automatic() && set.Looks(p.Folder)) && (p.Role == "" || !c.Followed):
		return c, false
	}
	return c, true
}

// each calls f with every mail that somebody or something may choose, where it lies.
func (l *life) each(f func(where string, m lying, c rulestest.Case)) {
	for _, p := range l.box.folders {
		for _, m := range p.mails {
			c, ok := l.at(p, m)
			if !ok {
				continue
			}
			where := fmt.Sprint(p.Name, " ", p.validity, " ", m.uid, " ", c.Mark)
			f(where, m, c)
			if c.Mark == capture.MarkKeyword { // the rules look at it, too
				plain := *m.letter
				plain.keyword = false
				if c, ok := l.at(p, lying{m.uid, &plain}); ok {
					f(where+" rules", m, c)
				}
			}
		}
	}
}

func (l *life) arrive() {
	m := rulestest.DrawMessage(l.t)
	where := m.Folder
	if m.Role == "sent" {
		where = l.box.folders[1].Name
	}
	m.Received = l.now.Add(-rapid.SampledFrom([]time.Duration{0, time.Hour, 48 * time.Hour, 20 * 24 * time.Hour, 60 * 24 * time.Hour}).Draw(l.t, "age"))
	if rapid.IntRange(0, 9).Draw(l.t, "no id") == 0 {
		m.Header.MessageID = "none"
	}
	if len(l.box.letters) > 0 && rapid.IntRange(0, 3).Draw(l.t, "answers") == 0 {
		m.Header.InReplyTo = rapid.SampledFrom(l.box.letters).Draw(l.t, "answered").Header.MessageID
	}
	letter := l.box.write(m)
	letter.keyword = rapid.IntRange(0, 7).Draw(l.t, "keyword") == 0
	l.box.put(where, letter)
}

// somewhere draws a mail that lies in a folder.
func (l *life) somewhere() (*place, int, bool) {
	full := slices.DeleteFunc(slices.Clone(l.box.folders), func(p *place) bool { return len(p.mails) == 0 })
	if len(full) == 0 {
		return nil, 0, false
	}
	p := full[rapid.IntRange(0, len(full)-1).Draw(l.t, "from")]
	return p, rapid.IntRange(0, len(p.mails)-1).Draw(l.t, "which"), true
}

func (l *life) any() *place {
	return l.box.folders[rapid.IntRange(0, len(l.box.folders)-1).Draw(l.t, "folder")]
}

// step lets one thing happen.
func (l *life) step() {
	what := rapid.IntRange(0, 19).Draw(l.t, "what")
	switch what {
	case 0, 1, 2, 3, 4:
		l.arrive()
	case 5, 6:
		if p, i, ok := l.somewhere(); ok {
			l.box.put(l.any().Name, p.take(i))
		}
	case 7:
		if p, i, ok := l.somewhere(); ok {
			l.box.put(l.any().Name, p.mails[i].letter)
		}
	case 8:
		if p, i, ok := l.somewhere(); ok {
			p.take(i)
		}
	case 9:
		if p, i, ok := l.somewhere(); ok {
			p.mails[i].keyword = !p.mails[i].keyword
		}
	case 10:
		l.any().renumber()
	case 11:
		if p := l.box.folders[1]; p.Role == "sent" { // found by its role
			p.Name = map[string]string{"Sent": "Gesendet", "Gesendet": "Sent"}[p.Name]
		}
	case 12:
		since := l.choices.Since
		l.choices, l.company = rulestest.DrawChoices(l.t), rulestest.DrawCompany(l.t)
		if rapid.Bool().Draw(l.t, "turned on anew") {
			since = l.now.Add(-time.Hour)
		}
		l.choices.Since = since
	case 13:
		if p, i, ok := l.somewhere(); ok && p.mails[i].Header.MessageID != "" {
			n := int64(len(l.threads) + 1)
			l.threads[n], l.members[p.mails[i].Header.MessageID] = l.now.Add(-time.Hour), n
			l.pass(func(*letter) bool { return true }) // an answer that lies here already is seen by the comparison at the latest
		}
	case 14:
		l.now = l.now.Add(25 * time.Hour)
	case 15:
		l.restart()
	case 16:
		l.break1()
	default:
		l.look1()
	}
	l.t.Logf("step %d: %s", what, l.picture())
	l.obeys()
}

// picture tells where each letter lies, for whoever has to find out what went wrong.
func (l *life) picture() (text string) {
	for _, p := range l.box.folders {
		text += fmt.Sprintf("%s/%d:", p.Name, p.validity)
		for _, m := range p.mails {
			text += fmt.Sprintf(" %d(%d)", m.n, m.uid)
		}
		text += " "
	}
	return text
}

// break1 looks while the connection breaks or the disk is full, and starts again.
func (l *life) break1() {
	l.weigh(false)
	if rapid.Bool().Draw(l.t, "disk") {
		l.book.fail = fault.New(fault.DiskFull, "admit", nil)
	} else {
		l.box.fuse = rapid.IntRange(1, 8).Draw(l.t, "fuse")
	}
	err := l.look(l.t.Context())
	if l.book.fail == nil && l.box.fuse > 0 && err != nil {
		l.t.Fatalf("looking: %v", err)
	}
	l.book.fail, l.box.fuse = nil, 0
	l.restart()
	l.pass(func(m *letter) bool { _, known := l.row(m); return known })
}

// pass notes that the cursors may have passed mails.
func (l *life) pass(which func(*letter) bool) {
	l.each(func(where string, m lying, _ rulestest.Case) {
		l.looked[where] = l.looked[where] || which(m.letter)
	})
}

// look1 looks through the whole mailbox.
func (l *life) look1() {
	last, known := l.book.cursors[checked]
	compares := known && l.now.Sub(time.Unix(int64(last.ModSeq), 0)) >= checkEvery
	l.weigh(true)
	if compares {
		l.each(func(_ string, m lying, c rulestest.Case) {
			if rulestest.Saved(c) && !m.Received.Before(l.now.Add(-checkDays)) {
				l.must[m.n] = true
			}
		})
	}
	if err := l.look(l.t.Context()); err != nil {
		l.t.Fatalf("looking: %v", err)
	}
}

// weigh asks the specification about every mail, where it lies now. A whole look has to save what
// is allowed in a place that no cursor has passed.
func (l *life) weigh(whole bool) {
	set := rules.Compile(l.choices, l.company, l.own)
	clear(l.records)
	l.each(func(where string, m lying, c rulestest.Case) {
		for a, types := range c.Records(set) {
			l.records[a] = types
		}
		c.Message.People = c.Records(set)
		header := c.Message
		header.Body = nil
		l.fetch[m.n] = l.fetch[m.n] || set.Decide(header, c.Mark, c.Followed).Verdict != rules.Filter
		c.Message.People = l.people
		if rulestest.Saved(c) {
			l.may[m.n] = true
			l.must[m.n] = l.must[m.n] || whole && !l.looked[where]
		}
		if whole {
			l.looked[where] = true
		}
	})
}

// obeys checks what holds after every step.
func (l *life) obeys() {
	count := map[Verdict]int{}
	for _, row := range l.book.rows {
		count[row.Verdict]++
		if row.Verdict == Filter && (row.Content != nil || !reflect.ValueOf(row.Head).IsZero()) {
			l.t.Fatalf("kept of what is left out: %+v", row)
		}
		if row.Verdict == Queue && row.Content == nil {
			l.t.Fatalf("queued without content: %+v", row)
		}
	}
	if sum := count[Queue] + count[Hold] + count[Filter]; sum != l.book.seen || sum != len(l.book.rows) { // I1
		l.t.Fatalf("seen %d, the ledger has %d: %v", l.book.seen, sum, count)
	}
	if l.book.staged != 0 {
		l.t.Fatalf("%d staged mails left over", l.book.staged)
	}
	saved := map[int]int{}
	for _, row := range l.book.rows {
		if row.Verdict == Queue {
			saved[letterOf(row)]++
		}
	}
	for _, m := range l.box.letters {
		row, known := l.row(m)
		switch {
		case saved[m.n] > 1:
			l.t.Fatalf("letter %d has %d records", m.n, saved[m.n])
		case saved[m.n] == 1 && !l.may[m.n]:
			l.t.Fatalf("letter %d is saved and was never allowed: %+v", m.n, m.Message)
		case l.must[m.n] && !known, l.must[m.n] && row.Verdict == Filter:
			l.t.Fatalf("letter %d was allowed and is not saved (known %v, %q): %+v", m.n, known, row.Rule, m.Message)
		case m.fetched > 0 && !l.fetch[m.n]:
			l.t.Fatalf("letter %d was read although its header speaks against it: %+v", m.n, m.Message)
		}
	}
}

// letterOf returns the number of the letter that a row's content is.
func letterOf(row NewMail) (n int) {
	if _, err := fmt.Sscanf(string(row.Content.(page).raw), "Letter: %d\n", &n); err != nil {
		panic(err)
	}
	return n
}

// TestWhatIsSavedIsWhatTheRulesSay lets mailboxes, choices and mishaps happen in any order.
func TestWhatIsSavedIsWhatTheRulesSay(t *testing.T) {
	t.Parallel()
	saved, letters := 0, 0
	for range *lives {
		if t.Failed() {
			return
		}
		rapid.Check(t, func(rt *rapid.T) {
			l := newLife(rt)
			for range rapid.IntRange(5, 60).Draw(rt, "steps") {
				l.step()
			}
			l.look1()
			l.now = l.now.Add(25 * time.Hour)
			l.look1()
			l.obeys()
			saved, letters = saved+len(l.must), letters+len(l.box.letters)
		})
	}
	if saved < letters/20 {
		t.Errorf("of %d mails only %d had to be saved: the lives say too little", letters, saved)
	}
}
