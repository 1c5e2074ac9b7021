package salesforce

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"hawser/auth/secret"
	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/match"
	"hawser/sync/salesforce/salesforcetest"
)

// world is one pretend org with a client of its default user.
type world struct {
	*Client
	org  *salesforcetest.Org
	url  string
	logs *logBuffer

	mu        sync.Mutex
	used      int
	refreshed int
	orgUsed   int
	token     secret.String
}

type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newWorld starts org and returns a client of it; change may adapt its configuration.
func newWorld(t *testing.T, org *salesforcetest.Org, change ...func(*Config)) *world {
	t.Helper()
	srv := httptest.NewServer(org)
	t.Cleanup(srv.Close)
	w := &world{org: org, url: srv.URL, logs: &logBuffer{}}
	access, _ := org.MintToken(org.DefaultUser().ID)
	w.token = secret.New(access)
	cfg := Config{
		Base: srv.URL, UserID: org.DefaultUser().ID, Token: w.issue, HTTP: &http.Client{Transport: srv.Client().Transport},
		Log: slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Used: func(calls, used, _ int) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.used += calls
			w.orgUsed = used
		},
	}
	if org.External {
		cfg.Base = srv.URL + salesforcetest.SitePath
		cfg.NetworkID = org.NetworkID()
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.Client = c
	return w
}

func (w *world) issue(_ context.Context, stale secret.String) (secret.String, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !stale.Empty() && stale.Equal(w.token) {
		access := "another token"
		if w.org != nil {
			access, _ = w.org.MintToken(w.org.DefaultUser().ID)
		}
		w.token = secret.New(access)
		w.refreshed++
	}
	return w.token, nil
}

func (w *world) calls() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.used
}

// warm describes the org, so that a test counts only its own calls.
func (w *world) warm(t *testing.T) deliver.Capabilities {
	t.Helper()
	caps, err := w.Capabilities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return caps
}

// cost runs f and returns how many calls it made; the client's count must be the org's.
func (w *world) cost(t *testing.T, f func()) int {
	t.Helper()
	org, own := w.org.Calls(), w.calls()
	f()
	org, own = w.org.Calls()-org, w.calls()-own
	if org != own {
		t.Errorf("client counted %d calls, org %d", own, org)
	}
	return org
}

var testAccount = capture.Account{OrgID: "00D000000000001AAA", UserID: "005000000000001AAA"}

func key(id string) capture.Key { return capture.MailKey(testAccount, id) }

// mailOf is a mail from ann to bob; n makes it unique.
func mailOf(n int) deliver.Record {
	id := fmt.Sprintf("<m%d@acme.example>", n)
	return deliver.Record{
		Key: key(id), Kind: deliver.Email, Incoming: true,
		Mail: capture.Mail{
			Header: capture.Header{
				MessageID: id, Subject: fmt.Sprintf("Subject %d", n), Date: time.Date(2026, 11, 20, 9, n%60, 0, 0, time.UTC),
				From: []capture.Address{{Name: "Ann", Addr: "ann@acme.example"}}, To: []capture.Address{{Addr: "bob@other.example"}},
			},
			RawHeaders: "Subject: x\r\n", Text: fmt.Sprintf("Text %d", n), HTML: fmt.Sprintf("<p>Text %d</p>", n),
		},
		Links: match.Links{ToOther: []string{"bob@other.example"}},
	}
}

func mailsOf(n int) []deliver.Record {
	out := make([]deliver.Record, n)
	for i := range out {
		out[i] = mailOf(i)
	}
	return out
}

func tasksOf(n int) []deliver.Record {
	out := mailsOf(n)
	for i := range out {
		out[i].Kind = deliver.Task
	}
	return out
}

func sought(records []deliver.Record) []deliver.Sought {
	var out []deliver.Sought
	for _, r := range records {
		out = append(out, deliver.Sought{Key: r.Key, MessageID: r.Mail.MessageID, Date: r.Mail.Date})
	}
	return out
}

// mustCreate creates records and expects each to exist.
func (w *world) mustCreate(t *testing.T, records []deliver.Record) []deliver.Result {
	t.Helper()
	res, err := w.Create(t.Context(), records)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range res {
		if r.Err != nil || !validID(r.ID) {
			t.Fatalf("record %d: %+v", i, r)
		}
	}
	return res
}

func wantFault(t *testing.T, err error, code fault.Code, unknown bool) {
	t.Helper()
	if f := fault.Of(err); f == nil || f.Code != code || f.Unknown != unknown {
		t.Errorf("got %v (unknown %t), want %s (unknown %t)", f, f != nil && f.Unknown, code, unknown)
	}
}

func TestNewRefusesAddresses(t *testing.T) {
	t.Parallel()
	token := func(context.Context, secret.String) (secret.String, error) { return secret.String{}, nil }
	for base, ok := range map[string]bool{
		"https://acme.my.site.com/partners/": true, "http://127.0.0.1:80": true, "http://localhost:8/x": true,
		"http://acme.my.site.com": false, "https://u:p@acme.my.site.com": false, "https://acme.my.site.com/?q": false,
		"": false, "ftp://acme": false, "https://": false, "://": false,
	} {
		_, err := New(Config{Base: base, Token: token, Log: slog.New(slog.DiscardHandler)})
		if (err == nil) != ok {
			t.Errorf("%q: %v", base, err)
		}
	}
}

func TestRecordURL(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &salesforcetest.Org{External: true})
	const id = "02s000000000001AAA"
	if got, want := w.RecordURL(id), w.url+"/partners/s/detail/"+id; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := w.RecordURL("../x"); got != "" {
		t.Errorf("malformed id gives %q", got)
	}
	if got, want := newWorld(t, &salesforcetest.Org{}).RecordURL(id), "/"+id; !strings.HasSuffix(got, want) {
		t.Errorf("got %s, want …%s", got, want)
	}
}
