package rules

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/costtest"
	"hawser/sync/fault"
)

// hostileFiles are rule files that are no rule files, that say two things at once (A59), or that are
// made to cost much.
func hostileFiles() []string {
	list := func(field, piece string, n int) string {
		return `{"automatic":true,"` + field + `":[` + strings.Repeat(piece+",", n) + piece + "]}"
	}
	files := []string{
		`{"automatic":true,"rules":[{"id":"a","action":"allow"},{"id":"b","action":"deny","folders":["INBOX"]}],"block":["b.example"],"pass":["a@b.example"]}`,
		`{"automatic":true,"rules":[{"id":"a","action":"allow"},{"id":"a","action":"deny"},{"id":"","action":""},{"ID":"A","Action":"ALLOW"}]}`,
		`{"automatic":false,"automatic":true,"Automatic":false,"rules":null,"rules":[{"id":"a","action":"allow","known":null,"files":true,"over":9223372036854775807,"under":-1}]}`,
		`{"days":1e999,"since":"9999-12-31T23:59:59.999999999+23:59"}`, `{"since":"0000-01-01T00:00:00Z","days":90}`, `{"days":7.0}`, `{"days":"7","days":7}`, "\ufeff{}", "{}\x00", "{} // x", `{"a":`, `nul`, "-", `"\ud800"`, `{"words":["\ud800\udc00","\u0000",""," ","*","**","a*b","\u202e"]}`,
		`{"block":["@","*","*.","*@","a@","@b","*.*.b.example","a@*.example","xn--a.example","` + strings.Repeat("a", 320) + `.example","a b@c.example","\"a b\"@c.example","'%_{}?\\@x.example","。","..","com"]}`,
		`{"rules":[{"id":"a","action":"allow","from":["*.b.example"],"with":["*"],"direction":"x","kinds":["list","x"],"records":["Lead","Account"],"words":["re:","弁護士*","ſ","İ"]}],"order":["User","User"]}`,
		`{"content":{"level":"x","files":"always","maxFile":-1,"maxTotal":99999999999999999999}}`, `{"folders":["INBOX","inbox","&","a/b","` + strings.Repeat("x", 3000) + `"]}`,
		`{"rules":[` + strings.Repeat(`{"id":"a","action":"deny"},`, 400) + `{}]}`, strings.Repeat("[", 2000), strings.Repeat(`{"rules":[`, 500), strings.Repeat(" ", 3000) + "x", `{"` + strings.Repeat("a", 3000) + `":1}`,
	}
	for _, field := range []string{"block", "pass", "words", "labels", "folders", "kinds", "order"} {
		files = append(files, list(field, `"a.example"`, 300), list(field, `"*"`, 300), list(field, `"\u0130ſ*"`, 300))
	}
	return files
}

// readFile reads a rule file as the program does.
func readFile(data []byte) (capture.Choices, error) {
	c, err := capture.ReadChoices(data)
	if err == nil {
		err = Check(c)
	}
	return c, err
}

// FuzzFile: whatever a rule file holds, reading it ends, costs little, and what was read can decide
// and be read again.
func FuzzFile(f *testing.F) {
	yes := true
	full, _ := json.Marshal(capture.Choices{
		Automatic: true, Since: time.Now(), Days: 7, Direction: capture.SentBy, Folders: []string{"INBOX"}, Block: []string{"a@b.example"},
		Words: []string{"a*"}, Kinds: capture.Kinds, Rules: []capture.Rule{{ID: "a", Action: capture.Deny, From: []string{"*.b.example"}, Known: &yes}},
	})
	f.Add(full)
	f.Add([]byte(`{"rules":[{"id":"x","action":"allow","words":["弁護士"],"records":["Lead"]}],"block":["bücher.example"]}`))
	for _, file := range hostileFiles() {
		f.Add([]byte(file))
	}
	m := Message{Header: capture.Header{Subject: strings.Repeat("a re: ab ſ 弁護士 ", 50), From: []capture.Address{{Addr: "a@b.example"}}}, Folder: "INBOX", Body: &Body{Text: strings.Repeat("the words of a mail, and a text to look for them in ", 100)}}
	f.Fuzz(func(t *testing.T, data []byte) {
		var c capture.Choices
		var err error
		var d Decision
		costtest.Check(t, func() {
			if c, err = readFile(data); err != nil {
				return
			}
			s := Compile(c, capture.Company{}, []string{"me@acme.example"})
			d = s.Decide(m, "", false)
			s.Entries()
		})
		if err != nil {
			if d := fault.Of(err).Detail; d == "" || len(d) > 2*maxValue+200 {
				t.Fatalf("detail of %d bytes: %q", len(d), d)
			}
			return
		}
		if !c.Automatic && d.Verdict != Filter {
			t.Fatalf("automatic capture is off: %+v", d)
		}
		again, err := json.Marshal(c)
		if err != nil {
			return // a year that JSON cannot write
		}
		if len(again) <= capture.MaxFile {
			if _, err := readFile(again); err != nil {
				t.Fatalf("read once, not twice: %v %q", err, fault.Of(err).Detail)
			}
		}
	})
}
