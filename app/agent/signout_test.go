package agent_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hawser/app/control"
	"hawser/sync/fault"
	"hawser/sync/salesforce/salesforcetest"
)

// TestWrongAccountThenUnbind plays, with the real program and a real Secret Service, what a person
// does who signs in as somebody else while mails wait, signs out, and at last unbinds.
func TestWrongAccountThenUnbind(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a real Dovecot")
	}
	t.Parallel()
	s := newScene(t, nil)
	const bob = "bob@partners.example"
	s.org.AddUser(salesforcetest.User{Username: bob, Name: "Bob Other"})
	s.user.start()
	s.signIn()
	s.org.FailNext(1_000_000, 503, "busy")
	s.mark("first")
	s.mark("second")
	s.until(20*time.Second, "two mails to wait", func(st control.Status) bool { return st.Counts.Waiting == 2 })

	s.signsIn("salesforce", asSalesforceUser(bob)).refuses(t, "signin as somebody else", fault.WrongAccount, 4)
	st := s.until(10*time.Second, "the freeze", func(st control.Status) bool { return st.State == control.WrongAccount })
	if st.Salesforce.Other != bob || st.Salesforce.Bound != salesforcetest.DefaultUsername || st.Counts.Waiting != 2 {
		t.Errorf("%+v", st)
	}
	s.org.Calm()
	s.check()
	time.Sleep(time.Second)
	if got := s.subjects(); len(got) != 0 {
		t.Errorf("saved %q while frozen", got)
	}

	if out := s.user.hawser("signout", "--keep-queue"); out.code != 0 || !strings.Contains(out.stdout, "2 mails wait on this computer") {
		t.Errorf("signout exits with %d: %s%s", out.code, out.stdout, out.stderr)
	}
	if got := s.user.status(); got.State != control.NeedsSignIn || got.Counts.Waiting != 2 {
		t.Errorf("after signing out: %+v", got)
	}
	list := filepath.Join(s.user.home, "waiting.csv")
	if out := s.user.hawser("unbind", "--yes", "--export", list); out.code != 0 {
		t.Fatalf("unbind exits with %d: %s%s", out.code, out.stdout, out.stderr)
	}
	raw, err := os.ReadFile(list)
	if err != nil || !strings.Contains(string(raw), "first") || !strings.Contains(string(raw), "second") {
		t.Errorf("the list: %s, %v", raw, err)
	}
	s.until(10*time.Second, "an empty profile", func(st control.Status) bool {
		return st.State == control.NeedsSignIn && st.Counts.Seen == 0 && st.Salesforce.Bound == ""
	})
	if out := s.signsIn("salesforce", asSalesforceUser(bob)); out.code != 0 {
		t.Fatalf("signin as Bob exits with %d: %s", out.code, out.stderr)
	}
	s.signedIn("mail")
	// A kill shows whether the new key and the new store fit each other.
	s.user.kill()
	s.user.start()
	if got := s.user.status(); got.Salesforce.Account != bob || got.Salesforce.Bound != bob || !got.Mail.SignedIn {
		t.Errorf("after unbinding, signing in and a kill: %+v", got)
	}
	s.mark("third")
	waitFor(t, 20*time.Second, "the record", func() bool { return len(s.org.Records("EmailMessage")) >= 1 })
}
