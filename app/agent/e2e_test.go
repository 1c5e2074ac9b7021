package agent_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hawser/app/control"
	"hawser/sync/capture"
	"hawser/sync/mailparse"
	"hawser/sync/sourcetest"
)

const (
	generated = 5000 // mails in the mailbox beside the corpus
	marked    = 1200 // of all of them, in the capture folder or by keyword
	byKeyword = 300
	perCall   = 12 // API calls for 1,000 mails, files apart
)

// fillMailbox puts the corpus and the generated mails into the mailbox, 1,200 of them marked, and
// returns the raw mails that are.
func (s *scene) fillMailbox() [][]byte {
	s.t.Helper()
	var load [][]byte
	for raw := range sourcetest.Generate(7, generated) {
		load = append(load, raw)
	}
	real := corpus(s.t)
	inFolder := marked - byKeyword - len(real)
	folder := append(slices.Clone(real), load[:inFolder]...)
	rest := load[inFolder:]
	s.dovecot.AppendMany(s.t, mailUser, "Salesforce", len(folder), func(i int) []byte { return folder[i] })
	s.dovecot.AppendMany(s.t, mailUser, "INBOX", len(rest), func(i int) []byte { return rest[i] })
	s.dovecot.Do(s.t, mailUser, "SELECT INBOX", fmt.Sprintf("UID STORE 1:%d +FLAGS.SILENT ($Salesforce)", byKeyword))
	return append(folder, rest[:byKeyword]...)
}

// TestEveryMarkedMailBecomesOneRecord (row C01) carries 1,200 marked mails of 5,200 from a real Dovecot into
// the pretend org, and holds the records against an independent reading of the sources.
func TestEveryMarkedMailBecomesOneRecord(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a real Dovecot")
	}
	t.Parallel()
	s := newScene(t, nil)
	sources := s.fillMailbox()
	distinct := distinctMails(sources)
	s.user.start()
	before := s.org.Calls()
	s.signIn()
	st := s.await(distinct, 3*time.Minute)
	if got := len(s.org.Records("EmailMessage")); got != distinct {
		t.Errorf("%d records of %d mails", got, distinct)
	}
	if st.Counts.Seen != distinct || st.Counts.NeedsYou != 0 {
		t.Errorf("counts %+v, want %d seen", st.Counts, distinct)
	}
	s.compare(sources)
	calls, uploads := s.org.Calls()-before, s.uploads()
	t.Logf("%d mails: %d calls, %d of them with files, peak memory %d MB", distinct, calls, uploads, s.user.peakRSS()>>20)
	if limit := perCall * marked / 1000; calls-uploads > limit {
		t.Errorf("%d API calls beside %d with files, more than %d", calls-uploads, uploads, limit)
	}
	if rss := s.user.peakRSS(); rss > 64<<20 {
		t.Errorf("peak memory %d MB, more than 64", rss>>20)
	}
}

// distinctMails counts mails as a person would: the same Message-ID, sender, date and subject is
// the same mail, and mails without an id are told apart by their bytes.
func distinctMails(sources [][]byte) int {
	seen := map[string]bool{}
	for _, raw := range sources {
		seen[identity(raw)] = true
	}
	return len(seen)
}

// uploads counts the calls that carried files.
func (s *scene) uploads() int {
	n := 0
	for _, c := range s.org.CallLog() {
		if c.Method == "POST" && strings.HasSuffix(c.Path, "/composite/sobjects") {
			n++
		}
	}
	return n
}

// compare holds each generated mail's record against what the standard library reads in its source.
func (s *scene) compare(sources [][]byte) {
	s.t.Helper()
	byID := s.records()
	files := s.filesByRecord()
	compared := 0
	for _, raw := range sources {
		want, ok := read(raw)
		if !ok || !strings.HasSuffix(want.id, "@load.example>") || strings.Contains(want.subject, "hostile") {
			continue
		}
		rec := byID[want.id]
		if rec == nil {
			s.t.Errorf("no record of %s", want.id)
			continue
		}
		compared++
		s.compareOne(want, rec, files[rec["Id"].(string)])
	}
	if compared < (marked-len(corpus(s.t)))*95/100 {
		s.t.Errorf("only %d mails could be compared", compared)
	}
	s.t.Logf("%d records equal an independent reading", compared)
}

func (s *scene) compareOne(want reading, rec map[string]any, files [][]byte) {
	text := func(field string) string { v, _ := rec[field].(string); return v }
	if text("Subject") != want.subject {
		s.t.Errorf("%s: subject %q, want %q", want.id, text("Subject"), want.subject)
	}
	if !strings.EqualFold(text("FromAddress"), want.from) {
		s.t.Errorf("%s: from %q, want %q", want.id, text("FromAddress"), want.from)
	}
	if got := plain(text("TextBody")); got != plain(want.text) && !cutWithMarker(got, plain(want.text)) {
		s.t.Errorf("%s: text differs: %.60q, want %.60q", want.id, got, plain(want.text))
	}
	at, err := time.Parse("2006-01-02T15:04:05.000-0700", text("MessageDate"))
	if err != nil || !at.Equal(want.date) {
		s.t.Errorf("%s: date %q, want %v", want.id, text("MessageDate"), want.date)
	}
	if len(files) != len(want.files) {
		s.t.Errorf("%s: %d files, want %d", want.id, len(files), len(want.files))
		return
	}
	for _, f := range want.files {
		if !slices.ContainsFunc(files, func(got []byte) bool { return bytes.Equal(got, f) }) {
			s.t.Errorf("%s: a file of %d bytes is not there byte for byte", want.id, len(f))
		}
	}
}

// cutWithMarker reports whether got is want cut at Salesforce's limit of 131,072 characters, with a
// line that says so.
func cutWithMarker(got, want string) bool {
	full, cut := []rune(want), []rune(got)
	return len(full) > len(cut) && len(cut) > 120_000 && strings.HasPrefix(want, string(cut[:120_000]))
}

// filesByRecord returns the bytes of all files by the record they hang on.
func (s *scene) filesByRecord() map[string][][]byte {
	version := map[string]string{}
	for _, v := range s.org.Records("ContentVersion") {
		version[v["ContentDocumentId"].(string)] = v["Id"].(string)
	}
	files := map[string][][]byte{}
	for _, l := range s.org.Records("ContentDocumentLink") {
		id, document := l["LinkedEntityId"].(string), l["ContentDocumentId"].(string)
		if strings.HasPrefix(id, "02s") {
			files[id] = append(files[id], s.org.File(version[document]))
		}
	}
	return files
}

// TestMarkedWhileIdle (row D08) marks mails in an idle agent's mailbox: each is a record within 3 s.
func TestMarkedWhileIdle(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a real Dovecot")
	}
	t.Parallel()
	s := newScene(t, nil)
	s.dovecot.Append(t, mailUser, "Salesforce", sourcetest.NewMail(0, time.Now()))
	s.user.start()
	s.signIn()
	s.await(1, 20*time.Second)
	time.Sleep(time.Second) // let IDLE begin
	var took []time.Duration
	for n := 1; n <= 6; n++ {
		begun := time.Now()
		if n%2 == 0 {
			s.dovecot.Append(t, mailUser, "Salesforce", sourcetest.NewMail(n, time.Now()))
		} else {
			s.dovecot.Append(t, mailUser, "INBOX", sourcetest.NewMail(n, time.Now()), "$Salesforce")
		}
		waitFor(t, 10*time.Second, "the record", func() bool { return len(s.org.Records("EmailMessage")) == n+1 })
		took = append(took, time.Since(begun))
	}
	t.Logf("mark to record: %v", took)
	if worst := slices.Max(took); worst > 3*time.Second {
		t.Errorf("the slowest took %v, more than 3 s", worst)
	}
}

// TestLinkCut cuts the link to the mailbox and Salesforce's answers for a while: what is marked
// meanwhile arrives in order.
func TestLinkCut(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a real Dovecot")
	}
	t.Parallel()
	s := newScene(t, nil)
	s.user.start()
	s.signIn()
	waitFor(t, 10*time.Second, "quiet", func() bool { return s.user.status().State == control.UpToDate })
	s.proxy.Cut()
	const n = 12
	s.dovecot.AppendMany(t, mailUser, "Salesforce", n, func(i int) []byte { return numbered(i) })
	s.org.FailNext(3, 503, "<html>maintenance</html>")
	time.Sleep(2 * time.Second)
	if got := s.user.status().Counts.Captured; got != 0 {
		t.Fatalf("captured %d mails over a cut link", got)
	}
	s.proxy.Heal()
	s.await(n, time.Minute)
	for i, r := range s.org.Records("EmailMessage") {
		if want := fmt.Sprintf("number %03d", i); r["Subject"] != want {
			t.Errorf("record %d is %q", i, r["Subject"])
		}
	}
}

func numbered(i int) []byte {
	return fmt.Appendf(nil, "Message-ID: <order.%d@load.example>\r\nFrom: Ann <ann@acme.example>\r\nTo: alice@example.org\r\n"+
		"Date: Tue, 24 Nov 2026 10:%02d:00 +0000\r\nSubject: number %03d\r\n\r\nHello %d.\r\n", i, i%60, i, i)
}

// TestSilentDeath lets the waiting connections die without a word, while the network still
// acknowledges: it is noticed within 60 s and what was marked meanwhile is captured.
func TestSilentDeath(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a real Dovecot and a minute")
	}
	t.Parallel()
	s := newScene(t, nil)
	s.user.start()
	s.signIn()
	waitFor(t, 10*time.Second, "quiet", func() bool { return s.user.status().State == control.UpToDate })
	time.Sleep(time.Second)
	s.proxy.Stall()
	begun := time.Now()
	s.dovecot.Append(t, mailUser, "Salesforce", numbered(1))
	waitFor(t, 65*time.Second, "the dead connection to be noticed", func() bool { return s.user.status().Mail.Fault != "" })
	t.Logf("noticed after %v", time.Since(begun))
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("noticed after %v, later than 60 s", took)
	}
	s.proxy.Heal()
	s.await(1, 30*time.Second)
}

// TestNothingStaysBehind (row G01) plants canary words everywhere a mail and a sign-in have room for them
// and looks for them in every file, in the log, in argv, the environment and a crash dump.
func TestNothingStaysBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a real Dovecot")
	}
	t.Parallel()
	canaries := []string{"zanzibarsubject", "zanzibarbody", "zanzibarname", "zanzibaraddress", "zanzibarfile", "zanzibarcontent"}
	raw := "Message-ID: <zanzibarid@load.example>\r\nFrom: Zanzibarname <zanzibaraddress@acme.example>\r\nTo: alice@example.org\r\n" +
		"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nSubject: zanzibarsubject\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
		"--b\r\n\r\nzanzibarbody " + strings.Repeat("x ", 300_000) + "\r\n--b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=zanzibarfile.csv\r\n\r\nzanzibarcontent\r\n--b--\r\n"
	s := newScene(t, nil)
	s.user.start()
	s.signIn()
	s.org.FailNext(1_000, 503, "busy")
	s.dovecot.Append(t, mailUser, "Salesforce", []byte(raw))
	waitFor(t, 20*time.Second, "the mail to wait", func() bool { return s.user.status().Counts.Waiting == 1 })
	tokens := s.org.Tokens()
	if len(tokens) < 2 {
		t.Fatalf("the org knows %d tokens", len(tokens))
	}
	canaries = append(canaries, "zanzibarid")
	canaries = append(canaries, tokens...)
	canaries = append(canaries, s.issuer.Tokens()...)
	s.search("while it waits", canaries)
	s.org.Calm()
	if _, code := s.user.run("check"); code != 0 {
		t.Errorf("check exits with %d", code)
	}
	s.await(1, 20*time.Second)
	s.search("after it was sent", canaries)
	_ = s.user.proc.Process.Signal(syscall.SIGQUIT)
	<-s.user.exited
	if !strings.Contains(s.user.stderr.String(), "goroutine") {
		t.Fatal("no crash dump came")
	}
	s.search("after a crash", canaries)
}

// search looks for words in all that a curious person could read.
func (s *scene) search(when string, canaries []string) {
	s.t.Helper()
	places := map[string][]byte{"crash output": []byte(s.user.stderr.String())}
	pid := fmt.Sprint(s.user.proc.Process.Pid)
	for _, name := range []string{"cmdline", "environ"} {
		places[name], _ = os.ReadFile(filepath.Join("/proc", pid, name))
	}
	err := filepath.WalkDir(s.user.home, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.Contains(path, "/keyrings/") {
			places[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for place, content := range places {
		for _, word := range canaries {
			if bytes.Contains(bytes.ToLower(content), []byte(strings.ToLower(word))) {
				s.t.Errorf("%s, %s holds %q", when, place, word)
			}
		}
	}
}

// identity is what makes two sources the same mail.
func identity(raw []byte) string {
	h, err := mailparse.ReadHeader(bytes.NewReader(raw))
	if err != nil || h.MessageID == "" || h.Ambiguous {
		return fmt.Sprintf("%x", sha256.Sum256(crlf(raw)))
	}
	return fmt.Sprintf("%s %x", h.MessageID, capture.Fingerprint(h))
}

// crlf returns raw as an IMAP server hands it over.
func crlf(raw []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
}
