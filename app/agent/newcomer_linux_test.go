package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-rod/rod"

	"hawser/app/control"
	"hawser/auth/oauth/browsertest"
	"hawser/sync/sourcetest"
)

// TestM01NewcomerByKeyboard plays the first day of somebody new, with the demo that people start and
// without a mouse: the link, both sign-ins in Chromium, what may be captured, three mails from the
// window and one from the icon, a question that needs an answer, a pause and the end: rows A01, C02, D01,
// D02 and J08. With HAWSER_SHOTS it leaves its twelve pictures in that folder.
func TestM01NewcomerByKeyboard(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a real desktop, browser and demo")
	}
	t.Parallel()
	began := time.Now()
	n := newNewcomer(t)
	t.Logf("the demo stands after %v", time.Since(began))
	n.setsUp()
	n.capturesThree()
	n.capturesFromTheIcon()
	n.answers()
	n.pausesAndQuits()
	if n.shots != 12 {
		t.Errorf("%d pictures were taken", n.shots)
	}
	t.Logf("all done after %v", time.Since(began))
}

// setsUp goes through the first run.
func (n *newcomer) setsUp() {
	n.t.Helper()
	n.looks()
	var welcome []byte
	n.until("the company", n.is(func(s control.Status) bool { return s.Company.Stage != "" }), func() {
		n.keys("ctrl+a")
		n.types(n.link)
		welcome = n.picture() // its caret blinks
		n.keys("Return")
	})
	n.develop("welcome", welcome)
	n.signsIn("salesforce", "lena.brandt@nordwind.example.partner", func(s control.Status) bool { return s.Salesforce.SignedIn })
	n.signsIn("mail", sourcetest.DemoUser, func(s control.Status) bool { return s.Mail.SignedIn })
	n.sees("a member of the company", func(s control.Status) bool { return s.Company.Stage == control.StageActive })
	n.shot("choose")
	n.leads("space")
	n.shot("try")
	n.until("captures by itself", n.automatic, func() { n.keys("space") })
	n.shot("done")
	n.leads("space")
}

// automatic reports whether people whom Salesforce knows are captured by themselves.
func (n *newcomer) automatic() bool {
	ctx, cancel := context.WithTimeout(n.t.Context(), 5*time.Second)
	defer cancel()
	c, err := control.Dial(ctx, n.socket)
	if err != nil {
		return false
	}
	chosen, err := c.Chosen(ctx)
	return err == nil && chosen.Choices.Automatic
}

// signsIn signs in on one side, in Chromium.
func (n *newcomer) signsIn(side, user string, done func(control.Status) bool) {
	n.t.Helper()
	n.shot(side)
	n.until("the browser for "+side, func() bool { return n.sent() != "" }, func() { n.keys("space") })
	n.browses(n.sent(), func(page *rod.Page) error {
		err := browsertest.Do(page, browsertest.Type("#username", user), browsertest.Type("#password", "demo"), browsertest.Press("#login"))
		if err == nil {
			_, err = browsertest.Find(page, "#approve")
		}
		if err == nil && side == "salesforce" {
			err = n.photograph(page, "allow")
		}
		title, text := "", ""
		if err == nil {
			err = browsertest.Do(page, browsertest.Press("#approve"), browsertest.Read("h1 + #text", &text), browsertest.Read("h1", &title))
		}
		if err == nil && title != "You are signed in" {
			n.t.Errorf("the browser ended at %q: %q", title, text)
		}
		return err
	})
	n.sees("signed in to "+side, done)
	_ = os.Remove(n.opened)
}

// picks are the mails that the newcomer looks for in the window.
var picks = []string{"Signed order 2231", "Re: Mooring lines for pier 7", "RE : Livraison retardée au Havre"}

// saveEdge is beside the button that saves what is picked, mailList where the window lists mails, and
// savedBadge what is behind the word for a saved one, light and dark.
var (
	saveEdge   = image.Rect(1043, 590, 1048, 710)
	mailList   = image.Rect(228, 170, 634, 560)
	savedBadge = []string{"\xE0\xF3\xE8", "\x15\x30\x1F"}
)

// fromIcon is the one of the icon's menu.
const fromIcon = "Invitation: berth planning"

// capturesThree picks mails in the window, and sees them in Salesforce.
func (n *newcomer) capturesThree() {
	n.t.Helper()
	n.leads("ctrl+2")
	mails, at := n.mails(), 0
	for _, subject := range picks {
		to := slices.IndexFunc(mails, func(m control.Mail) bool { return m.Subject == subject })
		for ; at < to; at++ {
			n.keys("Down")
		}
		n.keys("space")
	}
	n.shot("capture")
	n.tabsTo("Save", saveEdge)
	n.keys("space")
	n.sees("three mails saved", func(s control.Status) bool { return s.Counts.Captured == 3 })
	waitFor(n.t, patient, "the list to mark a mail as saved", func() bool { return n.painted(mailList, savedBadge) })
	n.shot("captured")
}

// mails are those that the window lists.
func (n *newcomer) mails() []control.Mail {
	n.t.Helper()
	c, err := control.Dial(n.t.Context(), n.socket)
	if err != nil {
		n.t.Fatal(err)
	}
	list, err := c.Mails(n.t.Context(), control.MailQuery{Limit: 50})
	if err != nil {
		n.t.Fatal(err)
	}
	return list.Mails
}

// capturesFromTheIcon saves a mail of the icon's menu, and sees all four in Salesforce.
func (n *newcomer) capturesFromTheIcon() {
	n.t.Helper()
	n.panel.awaitLabel(n.t, "Up to date")
	n.panel.clickRecent(n.t, fromIcon+" · Sam O'Neil")
	n.sees("four mails saved", func(s control.Status) bool { return s.Counts.Captured == 4 })
	n.browses(n.page, func(page *rod.Page) error {
		n.holds(page, append(slices.Clone(picks), fromIcon))
		err := browsertest.Do(page, browsertest.Press("#list li:nth-child(2) a"))
		if err == nil {
			_, err = browsertest.Find(page, "#detail h1")
		}
		if err == nil {
			err = n.photograph(page, "salesforce")
		}
		return err
	})
}

// holds waits until the page of the pretend Salesforce lists e-mails of these subjects, in any order.
func (n *newcomer) holds(page *rod.Page, subjects []string) {
	n.t.Helper()
	want, got := slices.Sorted(slices.Values(subjects)), []string(nil)
	waitFor(n.t, patient, fmt.Sprintf("Salesforce to hold %q", want), func() bool {
		list, err := page.Eval(`() => [...document.querySelectorAll("#list .subject")].map(e => e.textContent)`)
		if err != nil {
			return false
		}
		got = nil
		for _, one := range list.Value.Arr() {
			got = append(got, one.Str())
		}
		return slices.Equal(slices.Sorted(slices.Values(got)), want)
	})
}

// answers lets a customer write whom Salesforce holds twice, and says with the keyboard who is meant.
func (n *newcomer) answers() {
	n.t.Helper()
	before := n.steady()
	if _, err := n.enter.Write([]byte("\n")); err != nil {
		n.t.Fatal(err)
	}
	n.sees("a question", func(s control.Status) bool { return s.Counts.NeedsYou == 1 })
	n.panel.awaitLabel(n.t, "Needs you (1)")
	c, err := control.Dial(n.t.Context(), n.socket)
	if err != nil {
		n.t.Fatal(err)
	}
	asked, err := c.Queue(n.t.Context(), "needs-you", 10)
	if err != nil || len(asked) != 1 || asked[0].Question == nil || asked[0].Detail != "" {
		n.t.Fatalf("asked %+v, %v", asked, err)
	}
	waitFor(n.t, patient, "the window to count it", func() bool { return !bytes.Equal(n.picture(), before) })
	n.leads("ctrl+3")
	n.keys("Tab", "Tab", "space", "Tab", "Tab", "space") // the second of them, and remember
	n.shot("question")
	n.keys("Tab", "space")
	n.sees("five mails saved", func(s control.Status) bool { return s.Counts.Captured == 5 && s.Counts.NeedsYou == 0 })
	saved, err := c.Journal(n.t.Context(), control.JournalQuery{Limit: 1})
	if err != nil || len(saved) != 1 {
		n.t.Fatalf("journal %+v, %v", saved, err)
	}
	meant := asked[0].Question.Options[1].ID
	if !slices.ContainsFunc(saved[0].Matched, func(r control.Record) bool { return r.ID == meant }) {
		n.t.Errorf("saved for %+v, the person chose %s", saved[0].Matched, meant)
	}
	n.browses(n.page, func(page *rod.Page) error {
		n.holds(page, append(slices.Clone(picks), fromIcon, "Neue Anfrage (1)"))
		return nil
	})
}

func gone(path string) bool {
	_, err := os.Stat(path)
	return os.IsNotExist(err)
}

// pausesAndQuits does what the name says, in the icon's menu.
func (n *newcomer) pausesAndQuits() {
	n.t.Helper()
	pause := int32(0)
	waitFor(n.t, patient, "the pauses", func() bool { pause = n.panel.below("Pause")["For 2 hours"]; return pause != 0 })
	if err := n.panel.click(pause); err != nil {
		n.t.Fatal(err)
	}
	n.sees("paused", func(s control.Status) bool { return s.State == control.Paused })
	n.leads("ctrl+1")
	n.shot("paused")
	if err := n.panel.click(n.panel.awaitLabel(n.t, "Quit")); err != nil {
		n.t.Fatal(err)
	}
	select {
	case <-n.ended:
	case <-time.After(patient):
		n.t.Fatal("the demo goes on after the end of its agent")
	}
	if !n.demo.ProcessState.Success() || !strings.Contains(n.said.String(), "Hawser was quit") {
		n.t.Errorf("the demo ended with %v", n.demo.ProcessState)
	}
	if home := filepath.Dir(filepath.Dir(n.socket)); !gone(home) {
		n.t.Errorf("the demo left %s behind", home)
	}
}
