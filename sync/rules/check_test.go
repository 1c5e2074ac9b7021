package rules

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"hawser/sync/capture"
	"hawser/sync/fault"
)

// TestCheckNamesTheLine breaks good choices in one place each.
func TestCheckNamesTheLine(t *testing.T) {
	t.Parallel()
	good := capture.Choices{
		Automatic: true, Days: 30, Folders: []string{"INBOX"}, Block: []string{"a@b.example", "b.example", "*.c.example", "*@d.example", "bücher.example"},
		Rules: []capture.Rule{{ID: "a", Action: capture.Allow}, {ID: "b", Action: capture.Deny, Over: 1, Under: 3, Words: []string{"attorney*"}}},
		Order: []string{"Lead", "Contact"}, Content: capture.Content{Level: capture.LevelText, Files: capture.FilesAsk},
	}
	if err := Check(good); err != nil {
		t.Fatalf("good choices: %v %q", err, fault.Of(err).Detail)
	}
	for want, spoil := range map[string]func(*capture.Choices){
		`rules[1].id: "a"`:                              func(c *capture.Choices) { c.Rules[1].ID = "a" },
		`rules[0].id: ""`:                               func(c *capture.Choices) { c.Rules[0].ID = "" },
		`rules[0].id: "a b"`:                            func(c *capture.Choices) { c.Rules[0].ID = "a b" },
		`rules[0].action: "permit"`:                     func(c *capture.Choices) { c.Rules[0].Action = "permit" },
		`rules[1].from[1]: "ann at b"`:                  func(c *capture.Choices) { c.Rules[1].From = []string{"a@b.example", "ann at b"} },
		`rules[0].to[0]: "com"`:                         func(c *capture.Choices) { c.Rules[0].To = []string{"com"} },
		`rules[0].with[0]: "a*@b.example"`:              func(c *capture.Choices) { c.Rules[0].With = []string{"a*@b.example"} },
		`rules[0].direction: "up"`:                      func(c *capture.Choices) { c.Rules[0].Direction = "up" },
		`rules[0].words[0]: " * "`:                      func(c *capture.Choices) { c.Rules[0].Words = []string{" * "} },
		`rules[0].folders[0]: ""`:                       func(c *capture.Choices) { c.Rules[0].Folders = []string{""} },
		`rules[0].kinds[0]: "spam"`:                     func(c *capture.Choices) { c.Rules[0].Kinds = []capture.Kind{"spam"} },
		`rules[0].over: "-1"`:                           func(c *capture.Choices) { c.Rules[0].Over = -1 },
		`rules[1].under: "1"`:                           func(c *capture.Choices) { c.Rules[1].Under = 1 },
		`block[0]: "a@b"`:                               func(c *capture.Choices) { c.Block[0] = "a@b" },
		`pass[0]: "x..y"`:                               func(c *capture.Choices) { c.Pass = []string{"x..y"} },
		`days: "8"`:                                     func(c *capture.Choices) { c.Days = 8 },
		`only: "both"`:                                  func(c *capture.Choices) { c.Direction = "both" },
		`kinds[0]: "x"`:                                 func(c *capture.Choices) { c.Kinds = []capture.Kind{"x"} },
		`labels[0]: " "`:                                func(c *capture.Choices) { c.Labels = []string{" "} },
		`order[1]: "Lead"`:                              func(c *capture.Choices) { c.Order = []string{"Lead", "Lead"} },
		`content.level: "all"`:                          func(c *capture.Choices) { c.Content.Level = "all" },
		`content.files: "some"`:                         func(c *capture.Choices) { c.Content.Files = "some" },
		`content.fileMax: "-1"`:                         func(c *capture.Choices) { c.Content.FileMax = -1 },
		`rules[0].records: "Contact"`:                   func(c *capture.Choices) { no := false; c.Rules[0].Known, c.Rules[0].Records = &no, []string{"Contact"} },
		`rules: "> 500"`:                                func(c *capture.Choices) { c.Rules = make([]capture.Rule, MaxRules+1) },
		`words: "> 1000"`:                               func(c *capture.Choices) { c.Words = make([]string, MaxTexts+1) },
		`block[0]: "` + strings.Repeat("a", 320) + `…"`: func(c *capture.Choices) { c.Block[0] = strings.Repeat("a", 400) + ".example" },
	} {
		c := good
		c.Rules, c.Block = slices.Clone(good.Rules), slices.Clone(good.Block)
		spoil(&c)
		if f := fault.Of(Check(c)); f == nil || f.Code != fault.Usage || f.Detail != want {
			t.Errorf("want %s, got %+v", want, f)
		}
	}
	company := capture.Company{Block: []string{"a b"}, MaxLevel: "x"}
	if f := fault.Of(CheckCompany(company)); f == nil || f.Detail != `block[0]: "a b"` {
		t.Errorf("company: %+v", f)
	}
	if f := fault.Of(CheckCompany(capture.Company{MaxLevel: "x"})); f == nil || f.Detail != `maxLevel: "x"` {
		t.Errorf("company: %+v", f)
	}
}

func TestFilesAreRefused(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"automatic": true}`:        "",
		"{\n  \"automatc\": true\n}": `: unknown field "automatc"`,
		"{\n  \"days\": \"7\"\n}":    "days",
		`{"automatic": true} {}`:     "1:20",
		`{"automatic": tru}`:         "1:",
		"{\"words\": [\"\xff\"]}":    "UTF-8",
		`{"block": ["com"]}`:         `block[0]: "com"`,
		`[]`:                         "1:",
		``:                           "1:",
		`"` + strings.Repeat("a", capture.MaxFile) + `"`: "> ",
	} {
		c, err := readFile([]byte(in))
		f := fault.Of(err)
		switch {
		case want == "" && err != nil, want != "" && (f == nil || f.Code != fault.Usage || !strings.Contains(f.Detail, want)):
			t.Errorf("%.40q: %+v, want %q", in, f, want)
		case want == "" && !c.Automatic:
			t.Errorf("%q was not read", in)
		}
	}
}

// TestAddressesAreCompared spells one address in many ways, and others that look like it.
func TestAddressesAreCompared(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		entry string
		same  []string
		other []string
	}{
		{"ann@example.com", []string{"Ann@EXAMPLE.com", " ann@example.com. ", `"ann"@example.com`}, []string{"ann@sub.example.com", "ann@example.co", "jann@example.com", "ann"}},
		{"example.com", []string{"x@example.com", "x@a.b.example.com"}, []string{"x@notexample.com", "x@example.com.evil.org", "example.com@evil.org"}},
		{"@example.com", []string{"x@sub.example.com"}, []string{"x@xexample.com"}},
		{"bücher.example", []string{"x@xn--bcher-kva.example", "x@BÜCHER.example", "x@bu\u0308cher.example", "x@sub.bücher。example"}, []string{"x@bucher.example"}},
		{"xn--bcher-kva.example", []string{"x@bücher.example"}, []string{"x@bucher.example"}},
		{"zoë@bücher.example", []string{"ZOË@bücher.example", "zoe\u0308@xn--bcher-kva.example"}, []string{"zoe@bücher.example"}},
		{"straße.example", []string{"x@xn--strae-oqa.example"}, []string{"x@strasse.example"}},
	} {
		l := newList([]string{c.entry})
		for _, want := range []bool{true, false} {
			for _, addr := range map[bool][]string{true: c.same, false: c.other}[want] {
				a, ok := parse(addr)
				if entry, has := l.has(a); (ok && has) != want || has && entry != c.entry {
					t.Errorf("%q covers %q: %v", c.entry, addr, !want)
				}
			}
		}
	}
}

func TestTheFreeMailListMeansSomething(t *testing.T) {
	t.Parallel()
	l := freeMailDomains()
	if len(l.addresses) > 0 || len(l.domains) < 500 {
		t.Errorf("%d addresses, %d domains", len(l.addresses), len(l.domains))
	}
	for _, d := range slices.Collect(maps.Keys(l.domains)) {
		if !meaningful(d) {
			t.Errorf("%q is no domain", d)
		}
		if _, above, _ := strings.Cut(d, "."); above != "" {
			if entry, ok := l.hasDomain(above); ok {
				t.Errorf("%s is below %s", d, entry)
			}
		}
	}
}

// TestNonsenseAllowsNothing compiles what Check refuses: no such line may widen what is saved.
func TestNonsenseAllowsNothing(t *testing.T) {
	t.Parallel()
	m := Message{Header: capture.Header{From: []capture.Address{{Addr: "ann@cust.example"}}}, Folder: "INBOX", Role: "inbox", Body: &Body{}}
	for _, r := range []capture.Rule{
		{ID: "x"}, {ID: "x", Action: "ALLOW"}, {ID: "x", Action: capture.Allow, From: []string{"not an address"}},
		{ID: "x", Action: capture.Allow, Words: []string{""}}, {ID: "x", Action: capture.Allow, To: []string{"", "@"}},
		{ID: "x", Action: capture.Allow, Kinds: []capture.Kind{"x"}}, {ID: "x", Action: capture.Allow, Direction: "x"},
	} {
		s := Compile(capture.Choices{Automatic: true, Rules: []capture.Rule{r}}, capture.Company{}, nil)
		if d := s.Decide(m, "", false); d.Verdict != Filter {
			t.Errorf("%+v: %+v", r, d)
		}
	}
}
