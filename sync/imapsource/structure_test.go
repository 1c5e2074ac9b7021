package imapsource_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hawser/sync/capture"
	"hawser/sync/imapsource"
	"hawser/sync/mailparse"
	"hawser/sync/sourcetest"
	"hawser/sync/sourcetest/dovecottest"
)

// corpus returns the mails of the test corpus that lies beside the checkout, with CRLF line ends,
// and the generated ones.
func corpus(t testing.TB) [][]byte {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	root := ""
	for up := dir; ; up = filepath.Dir(up) {
		root = filepath.Join(up, "shared", "corpus")
		if _, err := os.Stat(root); err == nil {
			break
		}
		if up == filepath.Dir(up) {
			if os.Getenv("CI") == "true" {
				t.Fatal("missing: the mail corpus (shared/corpus)")
			}
			t.Skip("missing: the mail corpus (shared/corpus)")
		}
	}
	var mails [][]byte
	err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".eml" && filepath.Ext(path) != ".raw" {
			return err
		}
		raw, err := os.ReadFile(path)
		if err == nil && bytes.Contains(raw, []byte("\n\n")) || bytes.Contains(raw, []byte("\r\n\r\n")) {
			raw = bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
			mails = append(mails, raw)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	mails = slices.AppendSeq(mails, sourcetest.Generate(5, 100))
	return mails
}

// TestFilesAgreesWithTheParser: what the server says about a mail's attachments is what parsing
// the whole mail finds.
func TestFilesAgreesWithTheParser(t *testing.T) {
	t.Parallel()
	mails := corpus(t)
	s := dovecottest.Start(t, dovecottest.Config{})
	d := newDovecotUser(t, s)
	s.AppendMany(t, d.user, "INBOX", len(mails), func(i int) []byte { return mails[i] })
	src := open(t, d.config())
	counts := map[uint32]int{}
	r := &heads{see: func(item capture.Item) { counts[item.Ref.UID] = item.Files }}
	req := imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}, HeadersFirst: true, Structure: true}
	if err := src.Scan(t.Context(), req, r); err != nil {
		t.Fatal(err)
	}
	differ, some := 0, 0
	for i, raw := range mails {
		m, err := mailparse.Parse(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, a := range m.Attachments {
			if !a.Inline || !strings.HasPrefix(a.Type, "image/") {
				want++
			}
		}
		if want > 0 {
			some++
		}
		if got := counts[uint32(i+1)]; got != want {
			differ++
			t.Logf("mail %d: the server says %d, the parser %d: %.150q %+v", i+1, got, want, raw, m.Attachments)
		}
	}
	t.Logf("%d mails, %d with attachments, %d differ", len(mails), some, differ)
	if len(mails) < 200 || some < 50 {
		t.Error("the corpus says too little")
	}
	if differ > len(mails)/50 { // broken MIME, which each reads in its own way
		t.Errorf("%d of %d differ", differ, len(mails))
	}
	req.Structure = false
	r.see = func(item capture.Item) {
		if item.Files != -1 || item.Labels != nil {
			t.Errorf("nobody asked for %d attachments, labels %v", item.Files, item.Labels)
		}
	}
	if err := src.Scan(t.Context(), req, r); err != nil {
		t.Fatal(err)
	}
}

// heads is a sink that sees header blocks and wants nothing.
type heads struct {
	counter
	see func(item capture.Item)
}

func (h *heads) Wanted(_ context.Context, heads []capture.Item) ([]bool, error) {
	for _, item := range heads {
		h.see(item)
	}
	return make([]bool, len(heads)), nil
}
