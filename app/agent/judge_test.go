package agent_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hawser/app/control"
	"hawser/app/text"
	"hawser/auth/oauth/oauthtest"
	"hawser/sync/fault"
	"hawser/sync/salesforce/salesforcetest"
)

// outcome is what one run of the command line came to.
type outcome struct {
	stdout, stderr string
	code           int
}

// hawser runs the command line with standard output and standard error apart.
func (u *user) hawser(args ...string) outcome {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(u.t.Context(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, u.binary, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = u.env, &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		u.t.Fatalf("hawser %s: %v", args, err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// ask runs the command line with --json, which must work, and reads its answer into v.
func (u *user) ask(v any, args ...string) {
	u.t.Helper()
	out := u.hawser(append(args, "--json")...)
	if out.code != 0 || out.stderr != "" {
		u.t.Fatalf("hawser %s --json exits with %d: %s", args, out.code, out.stderr)
	}
	if err := json.Unmarshal([]byte(out.stdout), v); err != nil {
		u.t.Fatalf("hawser %s --json: %v in %s", args, err, out.stdout)
	}
}

// goTalk is how Go, SQLite and OAuth speak, which no person should ever read.
var goTalk = regexp.MustCompile(`dial tcp|\bEOF\b|x509:|tls: |connection re(fused|set)|i/o timeout|context (deadline|canceled)|no such host|` +
	`invalid character|cannot unmarshal|json: |(?i:sqlite)|no space left|invalid_grant|access_denied|goroutine |panic|%!|<nil>|status \d{3}|\.go:\d|127\.0\.0\.1:\d+->`)

// explains checks that what a person reads has the catalogue's title and next step of a fault, and
// not a word of Go.
func explains(t testing.TB, where, said string, code fault.Code) {
	t.Helper()
	title, body, fix := wording(code)
	for _, want := range []string{title, body, fix} {
		if !strings.Contains(said, want) {
			t.Errorf("%s does not say %q of %s:\n%s", where, want, code, said)
		}
	}
	speaksPlainly(t, where, said)
}

// wording is the catalogue's: what happened, what it means, what to do.
func wording(code fault.Code) (title, body, fix string) { return text.New("en").Fault(code) }

func speaksPlainly(t testing.TB, where, said string) {
	t.Helper()
	if bad := goTalk.FindString(said); bad != "" {
		t.Errorf("%s says %q:\n%s", where, bad, said)
	}
}

// refuses checks a command that must fail: its exit code and its words, for people and for scripts.
func (o outcome) refuses(t testing.TB, where string, code fault.Code, exit int) {
	t.Helper()
	if o.code != exit {
		t.Errorf("%s exits with %d, want %d: %s%s", where, o.code, exit, o.stdout, o.stderr)
	}
	explains(t, where, o.stderr, code)
	speaksPlainly(t, where, o.stdout)
}

// until waits until the status is as wanted, checks the conservation law in it, and returns it.
func (s *scene) until(limit time.Duration, what string, ok func(control.Status) bool) control.Status {
	s.t.Helper()
	var last control.Status
	waitFor(s.t, limit, what, func() bool {
		got, err := s.user.statusErr()
		if err == nil {
			last = got
		}
		return err == nil && ok(got)
	})
	s.conserved(last)
	return last
}

// trouble waits until the status names code, and checks that "hawser status" says so to scripts
// and to people. While a step is tried again the state is another one for a moment.
func (s *scene) trouble(state control.State, which string, code fault.Code) control.Status {
	s.t.Helper()
	is := func(st control.Status) bool {
		return st.State == state && st.Why == code && (which == "" || st.Which == which)
	}
	var st control.Status
	var out outcome
	for range 5 {
		s.until(20*time.Second, fmt.Sprintf("state %s, %s, %s", state, which, code), is)
		s.user.ask(&st, "status")
		s.conserved(st)
		out = s.user.hawser("status")
		if title, _, fix := wording(code); is(st) && strings.Contains(out.stdout, title) && strings.Contains(out.stdout, fix) {
			break
		}
	}
	if !is(st) {
		s.t.Errorf("hawser status --json: %+v, want %s, %q, %q", st, state, which, code)
	}
	if out.code != 0 {
		s.t.Errorf("hawser status exits with %d", out.code)
	}
	explains(s.t, "hawser status", out.stdout+out.stderr, code)
	return st
}

// queue returns what "hawser queue --json" lists.
func (s *scene) queue(args ...string) []control.QueueItem {
	s.t.Helper()
	var items []control.QueueItem
	s.user.ask(&items, append([]string{"queue"}, args...)...)
	return items
}

// subjects returns the subjects of all records that are mails, e-mails and tasks alike, sorted.
func (s *scene) subjects() []string {
	var got []string
	own := map[any]bool{} // tasks that Salesforce itself makes for an e-mail
	for _, r := range s.org.Records("EmailMessage") {
		own[r["ActivityId"]] = true
		subject, _ := r["Subject"].(string)
		got = append(got, subject)
	}
	for _, r := range s.org.Records("Task") {
		if subject, _ := r["Subject"].(string); !own[r["Id"]] {
			got = append(got, strings.TrimPrefix(subject, "Email: "))
		}
	}
	slices.Sort(got)
	return got
}

// saved waits until each of the mails is one record, and checks that nothing else is.
func (s *scene) saved(subjects ...string) {
	s.t.Helper()
	slices.Sort(subjects)
	defer func() {
		s.t.Helper()
		if s.t.Failed() {
			s.t.Logf("saved %q, want %q", s.subjects(), subjects)
		}
	}()
	s.until(20*time.Second, fmt.Sprintf("%d records", len(subjects)), func(st control.Status) bool {
		return len(s.subjects()) >= len(subjects) && st.Counts.Captured >= len(subjects)
	})
	if got := s.subjects(); !slices.Equal(got, subjects) {
		s.t.Errorf("saved %q, want each once of %q", got, subjects)
	}
}

// settled waits until the agent is done with all there is.
func (s *scene) settled() control.Status {
	s.t.Helper()
	return s.until(20*time.Second, "the agent to be up to date", func(st control.Status) bool { return st.State == control.UpToDate })
}

// check runs "hawser check".
func (s *scene) check() {
	s.t.Helper()
	if out := s.user.hawser("check"); out.code != 0 {
		s.t.Errorf("hawser check exits with %d: %s", out.code, out.stderr)
	}
}

// mark puts a mail into the capture folder.
func (s *scene) mark(subject string) {
	s.t.Helper()
	s.dovecot.Append(s.t, mailUser, "Salesforce", letter(subject))
}

// letter is a small mail of its own.
func letter(subject string) []byte {
	return fmt.Appendf(nil, "Message-ID: <%x@bad.example>\r\nFrom: Ann <ann@acme.example>\r\nTo: alice@example.org\r\n"+
		"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nSubject: %s\r\n\r\nHello, this is %s.\r\n", subject, subject, subject)
}

// visitor is the person at the browser during one sign-in.
type visitor func(ctx context.Context, url string) error

// approves fills the login pages of a side and allows.
func approves(side string) visitor {
	if side == "mail" {
		return func(ctx context.Context, url string) error {
			return oauthtest.Approve(ctx, plainClient(), url, mailUser, mailPassword)
		}
	}
	return asSalesforceUser(salesforcetest.DefaultUsername)
}

func asSalesforceUser(name string) visitor {
	return func(ctx context.Context, url string) error {
		return salesforcetest.Approve(ctx, plainClient(), url, name, salesforcetest.DefaultPassword)
	}
}

// denies fills the login pages of a side and presses Deny.
func denies(side string) visitor {
	if side == "mail" {
		return func(ctx context.Context, url string) error {
			_, _, err := (&oauthtest.Browser{User: mailUser, Password: mailPassword, Deny: true}).Visit(ctx, url)
			return err
		}
	}
	return func(ctx context.Context, url string) error {
		return salesforcetest.Deny(ctx, plainClient(), url, salesforcetest.DefaultUsername, salesforcetest.DefaultPassword)
	}
}

// signsIn runs "hawser signin SIDE", and lets visit be the person as soon as the command shows the
// address.
func (s *scene) signsIn(side string, visit visitor) outcome {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, s.user.binary, "signin", side)
	cmd.Env, cmd.Stderr = s.user.env, &stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	visited := make(chan error, 1)
	visits := false
	lines := bufio.NewScanner(io.TeeReader(pipe, &stdout))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if url := strings.TrimSpace(lines.Text()); strings.HasPrefix(url, "http") && !visits {
			visits = true
			go func() { visited <- visit(ctx, url) }()
		}
	}
	_ = cmd.Wait() // its exit code is looked at
	if visits {
		if err := <-visited; err != nil {
			s.t.Errorf("the browser's part of the sign-in to %s: %v", side, err)
		}
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// signedIn signs in at the terminal on a side, which must work.
func (s *scene) signedIn(side string) {
	s.t.Helper()
	if out := s.signsIn(side, approves(side)); out.code != 0 {
		s.t.Fatalf("hawser signin %s exits with %d: %s", side, out.code, out.stderr)
	}
}
