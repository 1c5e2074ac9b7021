package mailparse

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"hawser/sync/capture"
)

// corpus returns every mail of the test corpus that lies beside the checkout.
func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		root := filepath.Join(dir, "shared", "corpus")
		if _, err := os.Stat(root); err == nil {
			return corpusIn(t, root)
		}
		up := filepath.Dir(dir)
		if up == dir {
			if os.Getenv("CI") == "true" {
				t.Fatal("missing: the mail corpus (shared/corpus)")
			}
			t.Skip("missing: the mail corpus (shared/corpus)")
		}
		dir = up
	}
}

func corpusIn(t testing.TB, root string) map[string][]byte {
	t.Helper()
	mails := map[string][]byte{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".eml" && filepath.Ext(path) != ".raw" {
			return err
		}
		mails[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(mails) < 150 {
		t.Fatalf("corpus has %d mails, want at least 150", len(mails))
	}
	return mails
}

// check holds a Mail to what every Mail promises, and File to Parse.
func check(t *testing.T, raw []byte, m capture.Mail) {
	t.Helper()
	encoded, err := json.Marshal(m)
	if err != nil || !utf8.Valid(encoded) {
		t.Errorf("mail is not valid JSON: %v", err)
	}
	for _, s := range []string{m.Subject, m.Text, m.HTML, m.RawHeaders, m.MessageID, m.ListID} {
		if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			t.Errorf("bad text %q", s)
		}
	}
	for i, a := range m.Attachments {
		if a.Index != i || a.Name == "" || a.Type == "" || strings.ContainsAny(a.Name, "/\\\x00\n") {
			t.Errorf("bad attachment %+v", a)
		}
		if i < 20 || i == len(m.Attachments)-1 {
			if got := file(t, raw, i); int64(len(got)) != a.Size {
				t.Errorf("attachment %d has %d bytes, Parse said %d", i, len(got), a.Size)
			}
		}
	}
}

func file(t *testing.T, raw []byte, index int) []byte {
	t.Helper()
	r, err := File(bytes.NewReader(raw), int64(len(raw)), index)
	if err != nil {
		t.Fatalf("File(%d): %v", index, err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		t.Fatalf("File(%d): %v", index, err)
	}
	return b.Bytes()
}

func TestCorpusNothingIsLost(t *testing.T) {
	t.Parallel()
	for name, raw := range corpus(t) {
		start := time.Now()
		m, err := Parse(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s: took %v", name, took)
		}
		check(t, raw, m)
		h, err := ReadHeader(bytes.NewReader(raw))
		if err != nil {
			t.Errorf("%s: ReadHeader: %v", name, err)
		}
		if a, b := mustJSON(h), mustJSON(m.Header); a != b {
			t.Errorf("%s: ReadHeader and Parse differ:\n%s\n%s", name, a, b)
		}
		if m.Text == "" && m.HTML == "" && len(m.Attachments) == 0 && len(bytes.TrimSpace(afterHeader(raw))) > 0 && !hollow[filepath.Base(filepath.Dir(name))+"/"+filepath.Base(name)] {
			t.Errorf("%s: nothing of its body was kept", name)
		}
	}
}

// hollow are the mails that consist of boundaries and headers alone.
var hollow = map[string]bool{"malformed/000.eml": true, "malformed/007.eml": true}

func afterHeader(raw []byte) []byte {
	for _, sep := range []string{"\r\n\r\n", "\n\n"} {
		if _, body, ok := bytes.Cut(raw, []byte(sep)); ok {
			return body
		}
	}
	return nil
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// opinion is another parser's reading of a mail. It is not the truth.
type opinion struct {
	Attachments []int
	TextBody    []int `json:"text_body"`
	Parts       []struct {
		Headers []struct {
			Name  any
			Value any
		}
		Body any
	}
}

// header returns the last value of the named field, in the given form ("Text", "Address").
func (o opinion) header(name, form string) any {
	var found any
	for _, h := range o.Parts[0].Headers {
		if h.Name == name {
			if v, ok := h.Value.(map[string]any); ok && found == nil {
				found = v[form]
			}
		}
	}
	return found
}

func (o opinion) addrs(name string) (all []string) {
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if a, ok := v["address"].(string); ok {
				all = append(all, a)
			}
			for key, e := range v {
				if key != "address" && key != "name" {
					walk(e)
				}
			}
		}
	}
	walk(o.header(name, "Address"))
	return all
}

func (o opinion) files() (all [][]byte) {
	for _, i := range o.Attachments {
		body, _ := o.Parts[i].Body.(map[string]any)
		for kind, v := range body {
			if list, ok := v.([]any); ok && (kind == "Binary" || kind == "InlineBinary") {
				b := make([]byte, len(list))
				for i, n := range list {
					b[i] = byte(n.(float64))
				}
				all = append(all, b)
			}
		}
	}
	return all
}

func (o opinion) text() (string, bool) {
	var all []string
	for _, i := range o.TextBody {
		body, _ := o.Parts[i].Body.(map[string]any)
		s, ok := body["Text"].(string)
		if !ok {
			return "", false
		}
		all = append(all, s)
	}
	return strings.Join(all, " "), len(all) > 0
}

// score counts agreement with the other reading.
type score struct{ same, of int }

func (s *score) count(t *testing.T, what, name string, got, want any) {
	s.of++
	if mustJSON(got) == mustJSON(want) {
		s.same++
		return
	}
	g, w := mustJSON(got), mustJSON(want)
	t.Logf("%s of %s:\n  got  %.300s\n  they %.300s", what, name, g, w)
}

func TestCorpusAgreesWithAnotherParser(t *testing.T) {
	t.Parallel()
	var subjects, froms, tos, files, texts score
	for name, raw := range corpus(t) {
		other, err := os.ReadFile(strings.TrimSuffix(name, ".eml") + ".json")
		if err != nil {
			continue
		}
		var o opinion
		if err := json.Unmarshal(other, &o); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m, err := Parse(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			t.Fatal(err)
		}
		short := filepath.Base(filepath.Dir(name)) + "/" + filepath.Base(name)
		if s, ok := o.header("subject", "Text").(string); ok {
			subjects.count(t, "subject", short, m.Subject, strings.TrimSpace(s))
		}
		froms.count(t, "from", short, addrsOf(m.From), o.addrs("from"))
		tos.count(t, "to", short, addrsOf(m.To), o.addrs("to"))
		for i, want := range o.files() {
			files.count(t, "a file", short+"#"+string(rune('0'+i)), any(hasFile(t, raw, m, want)), true)
		}
		if s, ok := o.text(); ok {
			texts.count(t, "text", short, strings.Fields(m.Text), strings.Fields(s))
		}
	}
	t.Logf("same of all: subjects %v, from %v, to %v, files %v, texts %v", subjects, froms, tos, files, texts)
	// The other parser leaves uuencoded files as they are, reads raw 8-bit text as UTF-8 only and
	// drops addresses without "@"; where they differ otherwise the mail has no right reading.
	if subjects.same < 74 || froms.same < 105 || tos.same < 105 || files.same < 75 || texts.same < 67 {
		t.Error("fewer mails than before are read like the other parser does")
	}
}

func addrsOf(list []capture.Address) (all []string) {
	for _, a := range list {
		if a.Addr != "" {
			all = append(all, a.Addr)
		}
	}
	return all
}

func hasFile(t *testing.T, raw []byte, m capture.Mail, want []byte) bool {
	for i := range m.Attachments {
		if bytes.Equal(file(t, raw, i), want) {
			return true
		}
	}
	return false
}
