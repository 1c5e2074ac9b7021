package control_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hawser/app/control"
	"hawser/app/control/controltest"
	"hawser/sync/fault"
	"hawser/sync/leaktest"
)

// TestMain fails the package when a goroutine outlives its tests.
func TestMain(m *testing.M) { os.Exit(leaktest.Run(m.Run)) }

var quiet = slog.New(slog.DiscardHandler)

// shortDir is a temporary directory whose path leaves room for a socket name everywhere.
func shortDir(t *testing.T) string {
	t.Helper()
	base, err := os.MkdirTemp("", "hw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	return filepath.Join(base, "run")
}

// serve runs agent at a new directory until the test, or the returned stop, ends it.
func serve(t *testing.T, agent control.Agent) (dir string, stop func() error) {
	t.Helper()
	dir = shortDir(t)
	l, err := control.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Serve(ctx, agent, quiet) }()
	var result error
	stopped := false
	stop = func() error {
		if !stopped {
			stopped = true
			cancel()
			result = <-done
		}
		return result
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return dir, stop
}

func dial(t *testing.T, dir string) *control.Client {
	t.Helper()
	c, err := control.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantCode(t *testing.T, err error, code fault.Code) *fault.Error {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != code {
		t.Fatalf("got %v, want fault %s", err, code)
	}
	return f
}

func TestCommandsCrossTheWire(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 25, 9, 30, 0, 0, time.UTC)
	agent := &controltest.Agent{
		Mailbox: []control.Mail{{Ref: "INBOX/7/42", Folder: "INBOX", Date: day, From: "a@x.example", Subject: "Angebot – 見積もり", Size: 4711}},
		Items:   []control.QueueItem{{ID: 9, State: "needs-you", Date: day, Why: fault.ValidationFailed, Detail: "Amount is required"}},
		Sent:    []control.JournalItem{{ID: 3, At: day, Object: "EmailMessage", RecordID: "02s000000000001", Bytes: 12, Files: 1}},
		Result:  control.CaptureResult{Queued: 2, Already: 1, Gone: 1},
	}
	status := control.Status{State: control.NeedsYou, Since: day, Version: "1", Counts: control.Counts{Seen: 4, Waiting: 4, NeedsYou: 1},
		Notes: []control.Note{{Code: fault.PermissionMissing, Detail: "EmailMessage.Create"}}}
	agent.Set(status)
	dir, _ := serve(t, agent)
	c, ctx := dial(t, dir), t.Context()

	if got := c.Status(); !reflect.DeepEqual(got, status) {
		t.Errorf("Status = %+v, want %+v", got, status)
	}
	agent.Partial = true
	mails, err := c.Mails(ctx, control.MailQuery{Folder: "Kunden/Ä", Search: "offer", Limit: 5})
	if err != nil || !reflect.DeepEqual(mails, control.MailList{Mails: agent.Mailbox, Partial: true}) {
		t.Errorf("Mails = %+v, %v", mails, err)
	}
	items, err := c.Queue(ctx, "", 10)
	if err != nil || !reflect.DeepEqual(items, agent.Items) {
		t.Errorf("Queue = %+v, %v", items, err)
	}
	sent, err := c.Journal(ctx, control.JournalQuery{Limit: 20})
	if err != nil || !reflect.DeepEqual(sent, agent.Sent) {
		t.Errorf("Journal = %+v, %v", sent, err)
	}
	res, err := c.Capture(ctx, control.CaptureRequest{Refs: []string{"INBOX/7/42", "b"}})
	if err != nil || res != agent.Result {
		t.Errorf("Capture = %+v, %v", res, err)
	}
	for _, err := range []error{c.CheckNow(ctx), c.Pause(ctx, day), c.Pause(ctx, time.Time{}), c.Resume(ctx), c.RetryItem(ctx, 9), c.SkipItem(ctx, 9), c.Stop(ctx)} {
		if err != nil {
			t.Errorf("command: %v", err)
		}
	}
	wantCode(t, c.RetryItem(ctx, 10), fault.NotFound)

	want := []string{`mails "Kunden/Ä" "offer" 5`, `queue "" 10`, `journal 20`, `capture ["INBOX/7/42" "b"]`,
		"check", "pause 2026-11-25T09:30:00Z", "pause", "resume", "retry 9", "skip 9", "stop", "retry 10"}
	if got := agent.Calls(); !reflect.DeepEqual(got, want) {
		t.Errorf("agent was told\n%q, want\n%q", got, want)
	}
}

func TestAccountCommandsCrossTheWire(t *testing.T) {
	t.Parallel()
	agent := &controltest.Agent{
		Out: control.SignOutResult{Waiting: 2, Discarded: 3, Pending: true}, Unbound: control.UnbindResult{Deleted: 4, Pending: true},
		Known: []control.Alias{{Address: "a@x.example", Primary: true, On: true, Source: control.FromSignIn}, {Address: "b@x.example", Source: control.FromSent}},
		Apps:  map[string]control.App{"mail": {Side: "mail", Site: "https://x.example", ClientID: "id", Scopes: []string{"a", "b"}, AdminLink: "https://x.example/admin"}},
	}
	dir, _ := serve(t, agent)
	c, ctx := dial(t, dir), t.Context()
	if got, err := c.SignOut(ctx, "salesforce", true); err != nil || got != agent.Out {
		t.Errorf("SignOut = %+v, %v", got, err)
	}
	if got, err := c.Unbind(ctx); err != nil || got != agent.Unbound {
		t.Errorf("Unbind = %+v, %v", got, err)
	}
	if got, err := c.App(ctx, "mail"); err != nil || !reflect.DeepEqual(got, agent.Apps["mail"]) {
		t.Errorf("App = %+v, %v", got, err)
	}
	if err := c.SetAlias(ctx, "b@x.example", true); err != nil {
		t.Errorf("SetAlias: %v", err)
	}
	if got, err := c.Aliases(ctx); err != nil || len(got) != 2 || !got[1].On || got[0] != agent.Known[0] {
		t.Errorf("Aliases = %+v, %v", got, err)
	}
	wantCode(t, c.SetAlias(ctx, "c@x.example", true), fault.NotFound)
	want := []string{`signout "salesforce" true`, "unbind", "app mail", "alias b@x.example true", "aliases", "alias c@x.example true"}
	if got := agent.Calls(); !reflect.DeepEqual(got, want) {
		t.Errorf("agent was told\n%q, want\n%q", got, want)
	}
}

func TestFaultsCrossWithCodeAndDetailOnly(t *testing.T) {
	t.Parallel()
	agent := &failing{}
	dir, _ := serve(t, agent)
	c := dial(t, dir)

	f := wantCode(t, c.CheckNow(t.Context()), fault.ValidationFailed)
	if f.Detail != "Close date is missing" {
		t.Errorf("Detail = %q", f.Detail)
	}
	if strings.Contains(f.Error(), "secret cause") {
		t.Errorf("the technical cause crossed: %v", f)
	}
	wantCode(t, c.Resume(t.Context()), fault.Internal) // an error without a code
	wantCode(t, c.Stop(t.Context()), fault.Internal)   // a panic
	if err := c.Pause(t.Context(), time.Time{}); err != nil {
		t.Errorf("the agent is gone after a panic: %v", err)
	}
}

// failing fails in each of the ways a command can.
type failing struct{ controltest.Agent }

func (*failing) CheckNow(context.Context) error {
	f := fault.New(fault.ValidationFailed, "create records", errors.New("secret cause"))
	f.Detail = "Close date is missing"
	return f
}
func (*failing) Resume(context.Context) error { return errors.New("secret cause") }
func (*failing) Stop(context.Context) error   { panic("secret cause") }

func TestWatchFollowsAndCoalesces(t *testing.T) {
	t.Parallel()
	agent := &controltest.Agent{}
	agent.Set(control.Status{State: control.UpToDate})
	dir, stop := serve(t, agent)
	c := dial(t, dir)

	seen := make(chan control.State)
	done := make(chan error, 1)
	go func() {
		done <- c.Watch(t.Context(), func(s control.Status) error { seen <- s.State; return nil })
	}()
	if got := <-seen; got != control.UpToDate {
		t.Fatalf("first status %q", got)
	}
	agent.Set(control.Status{State: control.Working})
	if got := <-seen; got != control.Working {
		t.Fatalf("second status %q", got)
	}
	agent.Set(control.Status{State: control.Working}) // no change: nothing may come
	agent.Set(control.Status{State: control.Offline})
	if got := <-seen; got != control.Offline {
		t.Fatalf("third status %q", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, <-done, fault.NotRunning)
}

func TestWatchEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	agent := &controltest.Agent{}
	dir, _ := serve(t, agent)
	c := dial(t, dir)

	stopHere := errors.New("enough")
	if err := c.Watch(t.Context(), func(control.Status) error { return stopHere }); !errors.Is(err, stopHere) {
		t.Errorf("Watch = %v, want the caller's error", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := c.Watch(ctx, func(control.Status) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Watch = %v, want context.Canceled", err)
	}
}

func TestSignInStreamsAndCancels(t *testing.T) {
	t.Parallel()
	agent := &controltest.Agent{Hang: true, Steps: []control.SignInStep{{Step: "discovering"}, {Step: "browser", URL: "https://login.example/x"}}}
	dir, _ := serve(t, agent)
	c := dial(t, dir)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []control.SignInStep
	err := c.SignIn(ctx, "mail", func(s control.SignInStep) {
		if got = append(got, s); len(got) == 2 {
			cancel() // as Ctrl-C would
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("SignIn = %v, want context.Canceled", err)
	}
	if !reflect.DeepEqual(got, agent.Steps) {
		t.Errorf("steps = %+v", got)
	}
	wait, done := context.WithTimeout(t.Context(), 5*time.Second)
	defer done()
	if err := agent.Await(wait, "signin cancelled"); err != nil {
		t.Error(err)
	}
}

func TestSignInFault(t *testing.T) {
	t.Parallel()
	agent := &controltest.Agent{Faults: map[string]controltest.Fault{"signin": {Code: fault.ConsentRefused}}}
	dir, _ := serve(t, agent)
	wantCode(t, dial(t, dir).SignIn(t.Context(), "salesforce", func(control.SignInStep) {}), fault.ConsentRefused)
}

func TestServeEndsWhileStreamsAreOpen(t *testing.T) {
	t.Parallel()
	agent := &controltest.Agent{Hang: true}
	dir, stop := serve(t, agent)
	c := dial(t, dir)
	started, done := make(chan struct{}), make(chan error, 2)
	go func() {
		done <- c.Watch(t.Context(), func(control.Status) error { close(started); return nil })
	}()
	go func() { done <- c.SignIn(t.Context(), "mail", func(control.SignInStep) {}) }()
	<-started
	if err := agent.Await(t.Context(), "signin mail"); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("Serve took %v to end", took)
	}
	for range 2 {
		wantCode(t, <-done, fault.NotRunning)
	}
}

func TestNotRunning(t *testing.T) {
	t.Parallel()
	_, err := control.Dial(t.Context(), shortDir(t))
	wantCode(t, err, fault.NotRunning)

	dir, stop := serve(t, &controltest.Agent{})
	c := dial(t, dir)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, c.CheckNow(t.Context()), fault.NotRunning)
	if s := c.Status(); s.State != "" {
		t.Errorf("Status of a dead agent = %+v", s)
	}
}

func TestOneAgentPerDirectory(t *testing.T) {
	t.Parallel()
	dir, stop := serve(t, &controltest.Agent{})
	_, err := control.Listen(dir)
	wantCode(t, err, fault.AlreadyRunning)
	if _, err := control.Dial(t.Context(), dir); err != nil {
		t.Errorf("the second start harmed the first agent: %v", err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	l, err := control.Listen(dir)
	if err != nil {
		t.Fatalf("the lock outlived its agent: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestAThousandDoubleStarts (A51): of a thousand starts at once, one is the agent, the others hear that it
// runs, and none takes anything from it.
func TestAThousandDoubleStarts(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	var lives, refused atomic.Int64
	won := make(chan *control.Listener, 1000)
	var starts sync.WaitGroup
	for range 1000 {
		starts.Go(func() {
			switch l, err := control.Listen(dir); {
			case err == nil:
				lives.Add(1)
				won <- l
			case fault.Is(err, fault.AlreadyRunning):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	starts.Wait()
	if lives.Load() != 1 || refused.Load() != 999 {
		t.Fatalf("%d agents live, %d starts heard of it", lives.Load(), refused.Load())
	}
	l := <-won
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(ctx, &controltest.Agent{}, quiet) }()
	if _, err := control.Dial(t.Context(), dir); err != nil {
		t.Errorf("the one that lives does not answer: %v", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// raw speaks HTTP to the agent as a stranger's program might.
func raw(dir string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "control.sock"))
		},
	}}
}

// TestBadRequestsAreRefused (A50): words that mean nothing are answered as such, and harm nobody.
func TestBadRequestsAreRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // raw dials a Unix socket
	}
	agent := &controltest.Agent{}
	dir, _ := serve(t, agent)
	for name, tc := range map[string]struct{ path, body string }{
		"unknown verb":    {"/v1/format-disk", "{}"},
		"unknown version": {"/v9/check", "{}"},
		"not JSON":        {"/v1/pause", "\xff\xfe{"},
		"unknown field":   {"/v1/pause", `{"untill":"2026-11-25T09:30:00Z"}`},
		"wrong type":      {"/v1/retry", `{"id":"nine"}`},
		"too large":       {"/v1/capture", `{"refs":["` + strings.Repeat("x", 1<<20) + `"]}`},
	} {
		resp, err := raw(dir).Post("http://hawser"+tc.path, "application/json", strings.NewReader(tc.body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(body), `"code":"usage"`) {
			t.Errorf("%s: answer %q, %v", name, body, err)
		}
	}
	if calls := agent.Calls(); len(calls) != 0 {
		t.Errorf("the agent was told %q", calls)
	}
	if _, err := control.Dial(t.Context(), dir); err != nil {
		t.Errorf("agent unusable after bad requests: %v", err)
	}
}

func TestHalfARequestDoesNotHoldTheAgent(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // dials a Unix socket
	}
	dir, stop := serve(t, &controltest.Agent{})
	conn, err := new(net.Dialer).DialContext(t.Context(), "unix", filepath.Join(dir, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /v1/check HTTP/1.1\r\nHost: h\r\nContent-Length: 4294967296\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Dial(t.Context(), dir); err != nil {
		t.Errorf("a half request blocks others: %v", err)
	}
	begin := time.Now()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 6*time.Second {
		t.Errorf("a half request held the end up for %v", took)
	}
}

// TestMailFileIsNotCut: a file over the limit, whose length nobody says beforehand, reaches the agent
// with a byte too much, by which it is refused; it is never cut and taken for a whole mail.
func TestMailFileIsNotCut(t *testing.T) {
	t.Parallel()
	fake := &controltest.Agent{}
	dir, _ := serve(t, fake)
	c, err := control.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.CaptureFile(t.Context(), io.MultiReader(io.LimitReader(zeros{}, control.MaxMailFile+100)))
	if want := fmt.Sprint("file ", control.MaxMailFile+1); err != nil || !slices.Contains(fake.Calls(), want) {
		t.Errorf("%v, told %q, want %q", err, fake.Calls(), want)
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
