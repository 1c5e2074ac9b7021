package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hawser/app/control"
)

// TestAliasesFromSentMail: a provider that does not tell addresses has a Sent folder. What the user
// wrote under is proposed, counts once the user says so, and then decides which way a mail went.
func TestAliasesFromSentMail(t *testing.T) {
	s := badScene(t, nil)
	sent := func(n int, from string) []byte {
		return fmt.Appendf(nil, "Message-ID: <sent%d@example.org>\r\nFrom: Alice <%s>\r\nTo: ann@acme.example\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n"+
			"Subject: offer %d\r\n\r\nHello.\r\n", n, from, n)
	}
	for n, from := range []string{"alice@example.org", "Sales@Example.org", "sales@example.org", "sales@example.org", "info@example.org", "alice@example.org",
		"a1@example.org", "a1@example.org", "a2@example.org", "a2@example.org"} {
		s.dovecot.Append(t, mailUser, "Sent", sent(n, from))
	}
	s.dovecot.Append(t, mailUser, "Sent", []byte("From: one@example.org, two@example.org\r\nSubject: of two\r\n\r\nHello.\r\n"))
	s.dovecot.Append(t, mailUser, "INBOX", sent(99, "stranger@acme.example"))
	var known []control.Alias
	s.user.ask(&known, "aliases")
	var got []string
	for _, al := range known {
		got = append(got, fmt.Sprintf("%s %t %s", al.Address, al.On, al.Source))
	}
	want := []string{"alice@example.org true sign-in", "sales@example.org false sent", "a1@example.org false sent", "a2@example.org false sent", "info@example.org false sent"}
	if !slices.Equal(got, want) {
		t.Fatalf("proposed %q, want %q", got, want)
	}
	s.way("before", sent(100, "sales@example.org"), true)
	for i, address := range []string{"Sales@example.org", "a1@example.org", "a2@example.org", "info@example.org"} {
		out := s.user.hawser("aliases", "on", address)
		if i < 3 && (out.code != 0 || !strings.Contains(out.stdout, "counts as your own from now on")) {
			t.Errorf("aliases on %s exits with %d: %s%s", address, out.code, out.stdout, out.stderr)
		}
		if i == 3 && (out.code != 2 || !strings.Contains(out.stderr, "4 addresses count already")) {
			t.Errorf("a fifth one exits with %d: %s%s", out.code, out.stdout, out.stderr)
		}
	}
	said := s.user.hawser("aliases").stdout
	for _, line := range []string{"1 address does not count; at most 4 do.", "info@example.org", "does not count", "your sent mail"} {
		if !strings.Contains(said, line) {
			t.Errorf("aliases does not say %q:\n%s", line, said)
		}
	}
	s.way("after", sent(101, "sales@example.org"), false)
	s.restart()
	s.way("after a restart", sent(102, "SALES@example.org"), false)
	if out := s.user.hawser("aliases", "off", "sales@example.org"); out.code != 0 {
		t.Errorf("aliases off exits with %d: %s", out.code, out.stderr)
	}
	s.way("unticked", sent(103, "sales@example.org"), true)
	if out := s.user.hawser("aliases", "off", mailUser); out.code != 2 || !strings.Contains(out.stderr, "always counts") {
		t.Errorf("the mailbox's own exits with %d: %s", out.code, out.stderr)
	}
}

// way captures a mail and checks whether its record says that it came in.
func (s *scene) way(when string, raw []byte, incoming bool) {
	s.t.Helper()
	before := len(s.org.Records("EmailMessage"))
	s.dovecot.Append(s.t, mailUser, "Salesforce", raw)
	waitFor(s.t, 20*time.Second, "the record", func() bool { return len(s.org.Records("EmailMessage")) == before+1 })
	if got := s.org.Records("EmailMessage")[before]["Incoming"]; got != incoming {
		s.t.Errorf("%s: incoming %v, want %t", when, got, incoming)
	}
}
