//go:build linux

package window

import (
	"fmt"
	"mime"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"hawser/app/control"
	"hawser/sync/capture"
)

const day = 24 * time.Hour

// TestC02PickThree works the picker before the real agent: the list is the mailbox's, a search
// narrows it, and three that are ticked are three in the queue and then three records.
func TestC02PickThree(t *testing.T) {
	l := newLive(t)
	for i := range 5 {
		l.receive("INBOX", letter{subject: fmt.Sprint("Offer ", i)})
	}
	l.receive("INBOX", letter{subject: "Lunch", from: "Max <max@friend.example>"})
	l.signedIn()
	r := l.window(control.PageCapture)
	c := r.a.current().(*capturer)
	r.wait("the mailbox", func() bool { return len(c.mails) == 6 })
	if v := c.row(0); v.Title != "Max" || v.Sub != "Lunch" || v.Right == "" {
		t.Errorf("the newest mail is shown as %+v", v)
	}
	l.receive("INBOX", letter{subject: "Offer 5"}) // the list is live
	r.enter(c.search, "Offer")
	r.wait("what was searched for", func() bool { return len(c.mails) == 6 && c.mails[0].Subject == "Offer 5" })

	l.cloud.Cut() // so that the queue can be looked at
	r.a.win.Canvas().Focus(c.list)
	r.press(fyne.KeySpace, fyne.KeyDown, fyne.KeySpace, fyne.KeyDown, fyne.KeyDown, fyne.KeySpace)
	r.hit("Save 3 mails")
	r.a.open(control.PageActivity)
	v := r.a.current().(*activity)
	r.settle()
	r.hit("Waiting")
	r.wait("three mails in the queue", func() bool { return v.view == viewWaiting && len(v.items) == 3 })
	if n := len(l.saved()); n != 0 {
		t.Errorf("%d records while Salesforce is away", n)
	}

	l.cloud.Heal()
	r.a.open(control.PageHome)
	r.hit("Check now")
	r.wait("three records", func() bool { return len(l.saved()) == 3 && r.a.status.Counts.Captured == 3 })
	for _, subject := range []string{"Offer 5", "Offer 4", "Offer 2"} {
		if l.saved()[subject] != 1 {
			t.Errorf("records %v", l.saved())
		}
	}
	r.a.open(control.PageActivity)
	r.hit("Saved")
	r.wait("three lines of the journal", func() bool { return len(v.lines) == 3 })
}

// TestC03LookAndGo looks at what would be saved of a mail, and goes without saving: the window shows
// the record, the level, the files, the size and who will see it; Salesforce has no trace of it.
func TestC03LookAndGo(t *testing.T) {
	l := newLive(t)
	l.receive("INBOX", letter{subject: "Look at me", body: "What would be saved"})
	files := fmt.Sprintf("Message-ID: <files@live.example>\r\nFrom: Ann Acme <ann@acme.example>\r\nTo: %s\r\nSubject: With a file\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee the plan.\r\n--b\r\nContent-Type: text/csv\r\n"+
		"Content-Disposition: attachment; filename=plan.csv\r\n\r\n%s\r\n--b--\r\n", liveUser, strings.Repeat("a,b\r\n", 400))
	l.dovecot.Append(t, liveUser, "INBOX", []byte(files))
	l.signedIn()
	l.org.ForgetCalls()
	r := l.window(control.PageCapture)
	c := r.a.current().(*capturer)
	r.wait("the mailbox", func() bool { return len(c.mails) == 2 })
	c.list.Select(0)
	for _, want := range []string{"With a file", "Ann Acme", "Contact", "Will be saved", "plan.csv · 2.0 kB", "Subject, text and attachments", "Everybody who may see these records will see it.", "See the plan."} {
		r.says(want)
	}
	r.a.win.Canvas().Focus(c.list)
	r.press(fyne.KeyDown) // another one
	r.says("What would be saved")
	r.press(fyne.KeySpace)
	r.says("1 mail picked")
	r.press(fyne.KeySpace) // and taken back
	r.says("0 mails picked")
	r.a.open(control.PageHome)
	r.settle()
	if all := l.writes(); len(all) != 0 {
		t.Errorf("Salesforce was asked to %q", all)
	}
	if s := r.a.status.Counts; s != (control.Counts{}) || len(l.org.Records("EmailMessage"))+len(l.org.Records("ContentVersion"))+len(l.org.Records("Task")) != 0 {
		t.Errorf("a look left %+v and records", s)
	}
}

// TestD01DryRunBeforeAccept goes through the first run before the real agent: what would be saved is
// said in numbers and mail by mail, and Salesforce sees no write before the person accepts.
func TestD01DryRunBeforeAccept(t *testing.T) {
	l := newLive(t)
	l.receive("INBOX", letter{subject: "Known and recent", age: 3 * day}, letter{subject: "Known and old", age: 20 * day},
		letter{subject: "From a stranger", from: "x@stranger.example", age: day}, letter{subject: "Also known", age: day})
	l.run()
	r := l.window("")
	r.wait("the first run", func() bool { return r.a.guide != nil && r.a.guide.step == stepSalesforce })
	r.hit("Sign in to Salesforce")
	r.wait("the mailbox's turn", func() bool { return r.a.guide.step == stepMail })
	r.hit("Sign in to your mailbox")
	r.wait("the choice", func() bool { return r.a.guide.step == stepChoose })
	r.says("See what that would save")
	l.org.ForgetCalls()
	r.hit("See what that would save")
	r.says("Of 3 mails 2 would be saved, 0 held for you")
	r.hit("Show each mail")
	list, ok := r.a.win.Canvas().Focused().(*rowList)
	if !ok || list.Length() != 3 {
		t.Fatalf("the mails are not listed: %T", r.a.win.Canvas().Focused())
	}
	r.press(fyne.KeyEscape)
	if all := l.writes(); len(all) != 0 || len(l.saved()) != 0 || r.a.status.Counts.Seen != 0 {
		t.Errorf("before the person accepted: %q, %v, %+v", all, l.saved(), r.a.status.Counts)
	}
	if c, err := l.client().Chosen(t.Context()); err != nil || c.Choices.Automatic {
		t.Errorf("automatic capture is on: %v", err)
	}
	r.hit("Turn it on")
	r.wait("the end", func() bool { return r.a.guide.step == stepDone })
	l.receive("INBOX", letter{subject: "From now on"}, letter{subject: "A stranger again", from: "x@stranger.example"})
	r.wait("the first record", func() bool { return l.saved()["From now on"] == 1 })
	r.wait("the stranger's mail to be left out", func() bool { return r.a.status.Counts.Filtered > 0 })
	if len(l.saved()) != 1 {
		t.Errorf("records %v", l.saved())
	}
}

// TestD02EditCountsAtOnce edits a rule in the window: its count changes at once, without the network.
func TestD02EditCountsAtOnce(t *testing.T) {
	l := newLive(t)
	l.receive("INBOX", letter{subject: "Offer one"}, letter{subject: "Offer two"}, letter{subject: "Invoice"}, letter{subject: "Old offer", age: 20 * day})
	l.signedIn()
	l.choose(func(c *capture.Choices) {
		c.Rules = []capture.Rule{{ID: "r1", Name: "Offers", Action: capture.Allow, Words: []string{"offer"}}}
	})
	r := l.window(control.PageRules)
	p := r.a.current().(*rulesPage)
	r.wait("the rules", func() bool { return p.loaded })
	r.hit("Try my rules")
	r.says("2 mails in the last try")
	r.says("Of 3 mails 2 would be saved")
	l.mail.Cut()
	l.cloud.Cut()
	r.hit("Edit")
	words := r.fieldOf("window.edit-words-hint")
	for range "offer" {
		r.a.win.Canvas().Focus(words)
		words.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEnd})
		words.TypedKey(&fyne.KeyEvent{Name: fyne.KeyBackspace})
	}
	for _, c := range "invoice" {
		words.TypedRune(c)
	}
	r.hit("Done")
	r.says("1 mail in the last try")
	r.says("Of 3 mails 1 would be saved")
	if c, err := l.client().Chosen(t.Context()); err != nil || c.Choices.Rules[0].Words[0] != "offer" {
		t.Errorf("the draft is in use already: %+v, %v", c.Choices.Rules, err)
	}
}

// TestD05ListActsAtOnce puts an address on the blocklist in the window: the next mail is left out. What
// the company locked shows a padlock, and there is nothing to take it out with.
func TestD05ListActsAtOnce(t *testing.T) {
	l := newLive(t)
	l.config["capture"] = map[string]any{"block": []string{"rival.example"}}
	l.org.AddContact("Eve", "eve@pest.example", "")
	l.signedIn()
	l.choose(func(c *capture.Choices) {
		c.Automatic, c.Rules = true, []capture.Rule{{ID: "all", Action: capture.Allow}}
	})
	l.receive("INBOX", letter{subject: "Before", from: "eve@pest.example"})
	r := l.window(control.PageRules)
	p := r.a.current().(*rulesPage)
	r.wait("the mail before", func() bool { return p.loaded && l.saved()["Before"] == 1 })

	r.enter(r.fieldOf("window.block-hint"), "eve@pest.example")
	r.says("eve@pest.example · yours")
	r.hit("Use from now on")
	r.says("Your choices are in use.")
	l.receive("INBOX", letter{subject: "Blocked", from: "eve@pest.example"}, letter{subject: "After"})
	r.wait("the mail after", func() bool { return l.saved()["After"] == 1 })
	r.wait("the next check to honour it", func() bool {
		w, err := l.client().Why(t.Context(), letter{subject: "Blocked"}.id())
		return err == nil && w.State == "filtered" && w.Cause == "blocked-personal"
	})
	if l.saved()["Blocked"] != 0 {
		t.Errorf("records %v", l.saved())
	}

	r.says("rival.example · company")
	r.says("example.org · your own domain")
	padlocks, ways := 0, 0
	walk(p.parts["block"], func(o fyne.CanvasObject) bool {
		switch o := o.(type) {
		case *widget.Icon:
			if o.Resource == fyne.Resource(glyphLock.in("disabled")) {
				padlocks++
			}
		case *button:
			if strings.Contains(o.Text, "rival.example") {
				ways++
			}
		}
		return true
	})
	if padlocks != 2 || ways != 0 {
		t.Errorf("%d padlocks, %d ways to take a locked entry out", padlocks, ways)
	}
	l.choose(func(c *capture.Choices) { c.Pass = []string{"rival.example"} }) // whoever goes round the window
	l.receive("INBOX", letter{subject: "From a rival", from: "x@rival.example"})
	r.wait("the company's entry to hold", func() bool {
		w, err := l.client().Why(t.Context(), letter{subject: "From a rival"}.id())
		return err == nil && w.State == "filtered" && w.Cause == "blocked-company" && w.Fix == "admin"
	})
}

// TestM05AnyScript picks a mail whose subject, sender, text and folder are in other scripts: the window
// shows them as they are, and the record has them byte for byte.
func TestM05AnyScript(t *testing.T) {
	const subject, name, body, folder = "見積書 № 7 – Größe “L” 🚢 שלום Привет", "Jürgen Möller-Đặng 佐藤", "Grüße, 敬具 👩🏽‍🚀 e\u0301 und é", "Projekte/海"
	l := newLive(t)
	l.dovecot.Do(t, liveUser, "CREATE \"Projekte/&bXc-\"") // as IMAP writes it
	l.org.AddContact(name, "j@möller.example", "")
	l.receive("Projekte/&bXc-", letter{from: mime.QEncoding.Encode("utf-8", name) + " <j@acme.example>", subject: mime.BEncoding.Encode("utf-8", subject), body: body})
	l.org.AddContact("J", "j@acme.example", "")
	l.signedIn()
	r := l.window(control.PageCapture)
	c := r.a.current().(*capturer)
	r.wait("the folders", func() bool { return len(c.folders) > 2 })
	for i, f := range c.folders {
		if f.Name == folder {
			c.folder.SetSelectedIndex(i)
		}
	}
	r.wait("the mail", func() bool { return len(c.mails) == 1 && c.query.Folder == folder })
	if v := c.row(0); v.Title != name || v.Sub != subject {
		t.Errorf("the list shows %+v", v)
	}
	c.list.Select(0)
	r.says(body)
	r.hit("Save this mail")
	r.wait("the record", func() bool { return l.saved()[subject] == 1 })
	if rec := l.org.Records("EmailMessage")[0]; rec["FromName"] != name || !strings.Contains(fmt.Sprint(rec["TextBody"]), body) {
		t.Errorf("the record is %q, %q", rec["FromName"], rec["TextBody"])
	}
}
