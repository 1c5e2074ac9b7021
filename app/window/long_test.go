package window

import (
	"fmt"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"hawser/app/control"
)

// TestLongListIsVirtual scrolls through 10,000 lines of the journal: only rows in view are drawn, and
// each is drawn once for each time it comes into view.
func TestLongListIsVirtual(t *testing.T) {
	agent := busyAgent()
	line := agent.Sent[0]
	agent.Sent = nil
	for i := range 10_000 {
		line.ID, line.At = int64(10_000-i), now.Add(-time.Duration(i)*13*time.Minute)
		agent.Sent = append(agent.Sent, line)
	}
	r := newRig(t, stage{lang: "en", page: control.PageActivity, agent: agent})
	v := r.a.current().(*activity)
	tabOf(viewSaved)(r)
	r.until("the journal", func() bool { return len(v.lines) == 10_000 })
	r.settle()

	made, drawn := 0, 0
	create, update := v.journal.CreateItem, v.journal.UpdateItem
	v.journal.CreateItem = func() fyne.CanvasObject { made++; return create() }
	v.journal.UpdateItem = func(i int, o fyne.CanvasObject) { drawn++; update(i, o) }
	view := int(v.journal.Size().Height / v.journal.MinSize().Height) // rows in view
	const steps = 100
	for i := range steps {
		v.journal.ScrollToOffset(float32(i*i) * 60)
	}
	if most := 3 * (view + 3); made > most {
		t.Errorf("%d rows were made for %d in view", made, view)
	}
	if most := steps * 2 * (view + 3); drawn > most || drawn < view {
		t.Errorf("%d rows were drawn in %d steps, with %d in view", drawn, steps, view)
	}
	at := v.journal.GetScrollOffset()
	status := busyStatus()
	status.Counts.Captured++
	agent.Set(status)
	r.until("the list anew", func() bool { return count(agent.Calls(), "journal 200") > 1 })
	r.settle()
	if v.journal.GetScrollOffset() != at || len(v.lines) != 10_000 {
		t.Errorf("a change of the counts moved the list from %.0f to %.0f, with %d lines", at, v.journal.GetScrollOffset(), len(v.lines))
	}
	v.journal.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEnd})
	if v.open != 1 {
		t.Errorf("the End key leads to line %d", v.open)
	}
}

// TestMoreMails fetches what follows when the last mail comes into view, once.
func TestMoreMails(t *testing.T) {
	agent := busyAgent()
	for i := len(agent.Mailbox); i < mailsAtOnce; i++ {
		agent.Mailbox = append(agent.Mailbox, control.Mail{Ref: fmt.Sprint("ref-", i), From: "ann@example.com", Date: now})
	}
	r := newRig(t, stage{lang: "en", page: control.PageCapture, agent: agent})
	c := r.a.current().(*capturer)
	r.until("mails", func() bool { return len(c.mails) == mailsAtOnce })
	r.settle()
	c.list.ScrollToBottom()
	r.until("the question for more", func() bool { return c.whole })
	r.settle()
	if len(c.mails) != mailsAtOnce {
		t.Errorf("%d mails, some of them twice", len(c.mails))
	}
	if n := count(agent.Calls(), `mails "" "" 50`); n != 2 {
		t.Errorf("asked %d times, want twice", n)
	}
}

// TestServerCannotSearch tells why a list may not have all mails with the words.
func TestServerCannotSearch(t *testing.T) {
	agent := busyAgent()
	agent.Partial = true
	r := newRig(t, stage{lang: "en", page: control.PageCapture, agent: agent})
	c := r.a.current().(*capturer)
	r.until("mails", func() bool { return len(c.mails) > 0 })
	r.settle()
	if c.partial || len(c.place.Objects) != 1 || c.place.Objects[0] != c.list {
		t.Error("a list without words is said to lack mails")
	}
	c.search.OnSubmitted("offer")
	r.until("the answer", func() bool { return c.partial && !c.loading })
	r.settle()
	if len(c.place.Objects) != 1 || c.place.Objects[0] != c.narrow {
		t.Error("nothing tells that the mail server could not search")
	}
}
