package mailparse

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pythonOpinion is what Python's email package makes of a mail; nil where it gives up.
type pythonOpinion struct {
	Path    string
	Subject *string
	From    []string
	To      []string
	Date    *int64
	Text    []string
	Files   []string
}

func pythonOpinions(t *testing.T, root string) map[string]pythonOpinion {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("missing: python3")
		}
		t.Skip("missing: python3")
	}
	cmd := exec.CommandContext(t.Context(), python, "testdata/opinion.py", root)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3: %v", err)
	}
	all := make(map[string]pythonOpinion)
	for line := range bytes.Lines(out) {
		var o pythonOpinion
		if err := json.Unmarshal(line, &o); err != nil {
			t.Fatal(err)
		}
		all[o.Path] = o
	}
	return all
}

// TestCorpusAgreesWithPython holds the reading of every mail against Python's own parser, which
// shares nothing with ours. Where they differ the log says how; the figures only rise.
func TestCorpusAgreesWithPython(t *testing.T) {
	t.Parallel()
	mails := corpus(t)
	root := ""
	for path := range mails {
		root = path[:strings.Index(path, filepath.Join("shared", "corpus"))+len(filepath.Join("shared", "corpus"))]
		break
	}
	opinions := pythonOpinions(t, root)
	if len(opinions) != len(mails) {
		t.Fatalf("Python read %d mails of %d", len(opinions), len(mails))
	}
	var subjects, froms, tos, dates, files, texts score
	for path, raw := range mails {
		o, short := opinions[path], filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path)
		m, err := Parse(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			t.Fatal(err)
		}
		if o.Subject != nil {
			subjects.count(t, "subject", short, strings.Join(strings.Fields(m.Subject), " "), *o.Subject)
		}
		if o.From != nil {
			froms.count(t, "from", short, append([]string{}, addrsOf(m.From)...), o.From)
		}
		if o.To != nil {
			tos.count(t, "to", short, append([]string{}, addrsOf(m.To)...), o.To)
		}
		if o.Date != nil {
			dates.count(t, "date", short, m.Date.Unix(), *o.Date)
		}
		if o.Text != nil {
			texts.count(t, "text", short, strings.Fields(m.Text), o.Text)
		}
		have := make(map[string]bool)
		for i := range m.Attachments {
			sum := sha256.Sum256(bytes.ReplaceAll(file(t, raw, i), []byte("\r\n"), []byte("\n")))
			have[hex.EncodeToString(sum[:])] = true
		}
		for _, want := range o.Files {
			files.count(t, "a file", short, have[want], true)
		}
	}
	t.Logf("same of all: subjects %v, from %v, to %v, dates %v, files %v, texts %v", subjects, froms, tos, dates, files, texts)
	// Python stops at the first padding of base64, keeps soft breaks of damaged quoted-printable, and
	// takes a header that begins with a broken field for text.
	if subjects.same < 188 || froms.same < 192 || tos.same < 193 || dates.same < 120 || files.same < 51 || texts.same < 129 {
		t.Error("fewer mails than before are read like Python does")
	}
}
