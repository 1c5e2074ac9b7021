package agent_test

import (
	"strings"
	"testing"
	"time"

	"hawser/app/control"
	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/rules"
	"hawser/sync/salesforce/salesforcetest"
)

// because waits until one cause decides about a mail.
func (s *scene) because(c *control.Client, id, cause, fix string) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		w, err := c.Why(s.t.Context(), id)
		if err == nil && w.Cause == cause && w.Fix == fix {
			break
		}
		if time.Now().After(deadline) {
			s.t.Errorf("%s: %+v, %v, want %s, changed by %s", id, w, err, cause, fix)
			return
		}
	}
	out := s.user.hawser("why", id)
	if out.code != 0 || !strings.Contains(out.stdout, "Because") || strings.Contains(out.stdout, "reason.") {
		s.t.Errorf("hawser why %s: %d %s", id, out.code, out.stdout)
	}
}

// TestJ10WhyNotSaved asks about a mail of each kind that is not saved, and about those that are.
func TestJ10WhyNotSaved(t *testing.T) {
	s, c := chooser(t, nil)
	s.dovecot.Do(t, mailUser, "CREATE Archive")
	s.receive("INBOX", mailOf{subject: "before it was on"})
	s.because(c, mailOf{subject: "before it was on"}.id(), string(rules.AutomaticOff), "capture")
	choose(t, c, func(ch *capture.Choices) {
		ch.Automatic, ch.Days, ch.Folders = true, 7, []string{"INBOX"}
		ch.Block, ch.Words = []string{"rival.example"}, []string{"attorney"}
		ch.Rules = []capture.Rule{{ID: "no-spam", Action: capture.Deny, Words: []string{"spam"}}, {ID: "all", Action: capture.Allow}}
	})
	for _, m := range []struct {
		folder     string
		mail       mailOf
		cause, fix string
	}{
		{"INBOX", mailOf{subject: "blocked", from: "eve@rival.example"}, string(rules.BlockedPersonal), "rules"},
		{"INBOX", mailOf{subject: "internal", from: "max@example.org"}, string(rules.BlockedInternal), "rules"},
		{"INBOX", mailOf{subject: "free", from: "someone@gmail.com"}, string(rules.BlockedFreeMail), "rules"},
		{"INBOX", mailOf{subject: "private", header: "Sensitivity: Private\r\n"}, string(fault.MarkedPrivate), "retry"},
		{"Archive", mailOf{subject: "folder"}, string(rules.FolderNotChosen), "folders"},
		{"INBOX", mailOf{subject: "large", body: strings.Repeat(strings.Repeat("x", 900)+"\r\n", 42<<10)}, string(fault.MailTooLarge), "retry"},
		{"INBOX", mailOf{subject: "no match", from: "x@nobody.example"}, string(fault.Unmatched), "answer"},
		{"INBOX", mailOf{subject: "old", age: 20 * 24 * time.Hour}, string(rules.BeforeWindow), "window"},
		{"INBOX", mailOf{subject: "word", body: "Ask my attorney, please."}, string(fault.SensitiveWord), "retry"},
		{"INBOX", mailOf{subject: "cheap spam"}, string(rules.DeniedByRule), "rules"},
		{"INBOX", mailOf{subject: "newsletter", header: "List-Id: <news.acme.example>\r\n"}, string(rules.KindList), "rules"},
		{"INBOX", mailOf{subject: "saved"}, "captured", ""},
	} {
		s.receive(m.folder, m.mail)
		s.because(c, m.mail.id(), m.cause, m.fix)
	}
	s.receive("Archive", mailOf{subject: "saved"}) // a copy elsewhere
	s.because(c, ref(t, c, "Archive", "saved"), "captured", "")
	s.because(c, "<never@was.example>", "not-in-mailbox", "")
	if err := c.Pause(t.Context(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	s.receive("INBOX", mailOf{subject: "paused"})
	s.because(c, mailOf{subject: "paused"}.id(), string(fault.Paused), "resume")
	if _, err := c.Why(t.Context(), "no id"); !fault.Is(err, fault.Usage) {
		t.Errorf("what is no id: %v", err)
	}
}

// TestJ10NoPermission: the missing permission is the cause. That of a company which has not enabled
// the user is in TestFeatureA07Activation.
func TestJ10NoPermission(t *testing.T) {
	s, c := chooser(t, func(o *salesforcetest.Org) { o.HideObjects = []string{"EmailMessage", "Task"} })
	s.receive("Salesforce", mailOf{subject: "nowhere"})
	s.because(c, mailOf{subject: "nowhere"}.id(), string(fault.NothingSavable), "admin")
}
