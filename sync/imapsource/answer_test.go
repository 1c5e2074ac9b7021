package imapsource

import (
	"strings"
	"testing"

	"hawser/sync/costtest"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`* 1 FETCH (UID 5)`: `1 FETCH (UID 5)`,
		`* 1 FETCH (UID 5 X-GM-LABELS (\Inbox "a \"b\" \\c" {5}` + "\r\n" + `x) (y))`: `1 FETCH (UID 5 X-GM-LABELS (\Inbox <a "b" \c> <x) (y>))`,
		`* 2 FETCH (FLAGS ()  UID 3 )`:                             `2 FETCH (FLAGS () UID 3)`,
		`* 1 FETCH (BODY[HEADER.FIELDS (A B)]<0> NIL)`:             `1 FETCH (BODY[HEADER.FIELDS (A B)]<0> NIL)`,
		`* 1 FETCH (UID 5`:                                         "",
		`* 1 FETCH UID 5)`:                                         "",
		`* 1 FETCH (X "abc)`:                                       "",
		`* 1 FETCH (X {9}` + "\r\nab)":                             "",
		`* 1 FETCH (X {99999999999999999999}` + "\r\nab)":          "",
		`* ` + strings.Repeat("(", 300) + strings.Repeat(")", 300): "",
	} {
		values, err := answerOf(line)
		got := ""
		if err == nil {
			got = show(values)
		}
		if got != want {
			t.Errorf("%.80q: got %q, %v; want %q", line, got, err, want)
		}
	}
}

func show(values []value) string {
	var out []string
	for _, v := range values {
		switch {
		case v.isList:
			out = append(out, "("+show(v.list)+")")
		case v.quoted:
			out = append(out, "<"+v.text+">")
		default:
			out = append(out, v.text)
		}
	}
	return strings.Join(out, " ")
}

func TestFilesOf(t *testing.T) {
	t.Parallel()
	const text = `("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 12 1 NIL NIL NIL NIL)`
	const html = `("TEXT" "HTML" NIL NIL NIL "7BIT" 12 1 NIL NIL NIL NIL)`
	const pdf = `("APPLICATION" "PDF" ("NAME" "a.pdf") NIL NIL "BASE64" 99 NIL ("ATTACHMENT" ("FILENAME" "a.pdf")) NIL NIL)`
	const logo = `("IMAGE" "PNG" ("NAME" "l.png") "<l@x>" NIL "BASE64" 99 NIL ("INLINE" NIL) NIL NIL)`
	for structure, want := range map[string]int{
		text: 0,
		html: 0,
		pdf:  1,
		`(` + text + html + ` "ALTERNATIVE" ("BOUNDARY" "b") NIL NIL NIL)`:                                                           0,
		`(` + text + pdf + pdf + ` "MIXED" ("BOUNDARY" "b") NIL NIL NIL)`:                                                            2,
		`((` + html + logo + ` "RELATED" NIL ("ATTACHMENT" NIL) NIL)` + pdf + ` "MIXED")`:                                            1,
		`(` + html + ` ("IMAGE" "PNG" NIL "<l@x>" NIL "BASE64" 99) "RELATED")`:                                                       0,
		`(` + html + ` ("IMAGE" "PNG" NIL "<l@x>" NIL "BASE64" 99) "MIXED")`:                                                         1,
		`("TEXT" "PLAIN" ("NAME" "log.txt") NIL NIL "7BIT" 12 1)`:                                                                    1,
		`("TEXT" "PLAIN" NIL NIL NIL "7BIT" 12 1 NIL ("attachment" ("filename*" "utf-8''l%C3%B6.txt")))`:                             1,
		`("TEXT" "PLAIN" NIL NIL NIL "7BIT" 12 NIL ("INLINE" ("filename*0" "x")))`:                                                   1,
		`(` + text + `("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 99 ("d" "s" NIL NIL NIL NIL NIL NIL NIL "<i>") ` + pdf + ` 9) "MIXED")`: 1,
		`(` + text + `("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 99) "MIXED")`:                                                           1,
		`("APPLICATION" NIL NIL NIL NIL NIL -1)`:                                                                                     1,
		`("TEXT")`:                                                                                                                   -1,
		`()`:                                                                                                                         -1,
	} {
		values, err := answerOf("* " + structure)
		if err != nil || len(values) != 1 {
			t.Errorf("%s: %v", structure, err)
			continue
		}
		got, ok := filesOf(values[0], "")
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%s: got %d, want %d", structure, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for encoded, name := range map[string]string{
		"":                                "",
		"INBOX":                           "INBOX",
		"&W6JiNw- &- Ums&AOQ-tze":         "客户 & Umsätze",
		"~peter/mail/&U,BTFw-/&ZeVnLIqe-": "~peter/mail/台北/日本語",
		"&2Dzf9A-":                        "\U0001F3F4",
	} {
		if got := decodeName(encoded); got != name {
			t.Errorf("decode %q: got %q, want %q", encoded, got, name)
		}
		if got := encodeName(name); got != encoded {
			t.Errorf("encode %q: got %q, want %q", name, got, encoded)
		}
	}
	for _, bad := range []string{"a&b", "&!!-", "&AA-"} {
		if got := decodeName(bad); got != bad {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	for _, line := range []string{
		`* 1 FETCH (UID 5 BODYSTRUCTURE (("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1)("A" "B" NIL NIL NIL NIL 1) "MIXED"))`,
		"* 1 FETCH (UID 5 X-GM-LABELS (\\Inbox {3}\r\na&b \"&W6JiNw-\"))",
	} {
		f.Add(line)
	}
	for _, piece := range []string{"(", ")", "\"", "\\\"", "{", "{3}\r\n", "{4294967295}\r\n", "NIL ", "(NIL NIL)", "&", "&-", "&AA-", "\xff"} { // A53
		f.Add("* 1 FETCH (UID 5 BODYSTRUCTURE (" + strings.Repeat(piece, 1500) + ") X-GM-LABELS (a " + strings.Repeat(piece, 300) + "))")
	}
	f.Fuzz(func(t *testing.T, line string) {
		var labels []string
		costtest.Check(t, func() {
			found := fetched(line)
			_, _ = filesOf(found["BODYSTRUCTURE"], "")
			labels = labelsOf(found["X-GM-LABELS"], "x")
		})
		for _, l := range labels {
			if strings.ToValidUTF8(l, "") != l {
				t.Errorf("label %q", l)
			}
		}
		if name := strings.ToValidUTF8(line, "?"); decodeName(encodeName(name)) != name {
			t.Errorf("name %q does not survive", name)
		}
	})
}
