package engine

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"hawser/auth/secret"
	"hawser/sync/capture"
	"hawser/sync/imapsource"
	"hawser/sync/mailparse"
	"hawser/sync/rules"
	"hawser/sync/sourcetest/dovecottest"
)

// imap is a real mailbox as the engine sees it.
type imap struct{ *imapsource.Source }

func (s imap) Scan(ctx context.Context, req ScanRequest, sink Sink) error {
	return s.Source.Scan(ctx, imapsource.ScanRequest(req), sink)
}

func (s imap) Fetch(ctx context.Context, refs []capture.Ref, sink Sink) error {
	return s.Source.Fetch(ctx, refs, sink)
}

func parseBody(r io.Reader, size int64) (rules.Body, error) {
	m, err := mailparse.Parse(r, size)
	b := rules.Body{Text: m.Text, Types: []string{m.ContentType}}
	for _, f := range m.Attachments {
		b.Types = append(b.Types, f.Type)
	}
	return b, err
}

// TestF23F25SameLedgerOnEveryServer captures from one mailbox through servers that can much and
// little, while mails arrive, move, are copied and renumbered: the ledger ends up the same, and of
// mail that is left out no body crosses the wire.
func TestF23F25SameLedgerOnEveryServer(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	for name, mask := range map[string]dovecottest.Mask{
		"all of it":     {},
		"like Exchange": {Hide: dovecottest.All, ASCII: true},
		"like Gmail":    {Hide: []string{"QRESYNC", "SORT"}, Labels: func(string, uint32) []string { return nil }},
		"false promise": {Claim: dovecottest.All[:6]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user := strings.ToLower(strings.ReplaceAll(name, " ", "-")) + "@acme.example"
			s.Accept("token-"+user, user)
			sameLedger(t, s, dovecottest.NewMasked(t, s, mask), user)
		})
	}
}

func sameLedger(t *testing.T, s *dovecottest.Server, masked *dovecottest.Masked, user string) {
	src, err := imapsource.New(imapsource.Config{
		Addr: masked.Addr, TLS: s.TLS, User: user,
		Token: func(context.Context, secret.String) (secret.String, error) { return secret.New("token-" + user), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(src.Close)
	choices := everything()
	choices.Days, choices.Block, choices.Words = 30, []string{"rival.example"}, []string{"attorney"}
	w := newSetup(newMailbox(), choices, capture.Company{})
	w.own, w.now = []string{user}, turnedOn.Add(time.Hour)
	cfg := w.engine.cfg
	cfg.Source, cfg.ReadHeader, cfg.ReadBody = imap{src}, mailparse.ReadHeader, parseBody
	engine := func() {
		e, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		w.engine = e
	}
	engine()

	big := strings.Repeat("not for anybody else's eyes, two kilobytes of it for each of a hundred lines\r\n", 2000)
	n := 0
	put := func(folder, from, more, text string, age time.Duration, id string) {
		n++
		raw := fmt.Sprintf("Message-ID: <%s@x.example>\r\nFrom: <%s>\r\nTo: <%s>\r\nSubject: mail %d\r\n%s\r\n%s", id, from, user, n, more, text)
		s.AppendAt(t, user, folder, turnedOn.Add(30*time.Minute-age), []byte(raw))
	}
	const day = 24 * time.Hour
	for i := range 6 {
		put(inbox, "ann@cust.example", "", "hello", time.Duration(i)*6*day, fmt.Sprint("hist", i)) // 0 to 30 days
		put(inbox, "spy@rival.example", "", big, time.Duration(i)*day, fmt.Sprint("spy", i))
		put(inbox, "news@cust.example", "List-Id: <n.example>\r\n", big, 0, fmt.Sprint("news", i))
	}
	put(inbox, "ann@cust.example", "", big, 40*day, "early")
	put(inbox, "ann@cust.example", "", "my attorney says", 0, "word")
	put(inbox, "ann@cust.example", "Content-Type: text/html\r\n", "<p>hello</p>", 0, "html")
	put("Salesforce", "spy@rival.example", "", "marked", 50*day, "marked")
	put("Sent", user, "Cc: <ann@cust.example>\r\n", "mine", 0, "mine")
	put("Elsewhere", "ann@cust.example", "", big, 0, "elsewhere")
	look := func() {
		t.Helper()
		if err := w.look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	look()
	put(inbox, "ann@cust.example", "", "later", 0, "later")
	s.Do(t, user, "CREATE Kept", "SELECT "+inbox, "UID MOVE 1 Kept", "UID COPY 4 Sent")
	look()
	s.Do(t, user, "SELECT Kept", "UID MOVE 1:* "+inbox, "SELECT Sent", "CREATE copy", "COPY 1:* copy", "CLOSE", "DELETE Sent", "RENAME copy Sent")
	engine()
	look()
	s.Do(t, user, "SELECT "+inbox, "UID STORE 2 +FLAGS ($Salesforce)") // blocked, and now marked
	w.now = w.now.Add(25 * time.Hour)
	look()

	saved := map[string]int{}
	for _, row := range w.book.rows {
		if row.Verdict == Queue {
			saved[strings.TrimSuffix(strings.TrimPrefix(row.Head.MessageID, "<"), "@x.example>")]++
		}
	}
	want := []string{"hist0", "hist1", "hist2", "hist3", "hist4", "hist5", "html", "later", "marked", "mine", "spy0"}
	var got []string
	for id, times := range saved {
		if got = append(got, id); times > 1 {
			t.Errorf("%s has %d records", id, times)
		}
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("saved %q, want %q", got, want)
	}
	if row, ok := w.book.rows[capture.MailKey(cfg.Account, "<word@x.example>")]; !ok || row.Verdict != Hold {
		t.Errorf("the word: %v %+v", ok, row.Verdict)
	}
	if w.book.staged != 0 || w.book.seen != len(w.book.rows) {
		t.Errorf("%d staged mails left over, seen %d, %d rows", w.book.staged, w.book.seen, len(w.book.rows))
	}
	if _, received := masked.Bytes(); received > int64(2*len(big)) { // one of them was marked in the end
		t.Errorf("%d bytes came over the wire", received)
	}
}
