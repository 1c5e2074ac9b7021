package mailparse

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"hawser/sync/capture"
	"hawser/sync/costtest"
)

func FuzzParse(f *testing.F) {
	f.Add([]byte(mixed))
	for _, raw := range hostileMails() {
		f.Add([]byte(raw))
	}
	for _, raw := range corpus(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m capture.Mail
		costtest.Check(t, func() {
			var err error
			if m, err = Parse(bytes.NewReader(raw), int64(len(raw))); err != nil {
				t.Fatal(err)
			}
		})
		check(t, raw, m)
	})
}

func FuzzReadHeader(f *testing.F) {
	f.Add([]byte(mixed))
	f.Add([]byte(typical))
	f.Add([]byte("From:\nno field\nTo: 0"))
	f.Add([]byte("To: a:b@c;(x\"<d\nDate: 1-1-1\nReferences: <<>\n"))
	for _, block := range hostileHeaders() {
		f.Add([]byte(block))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var h capture.Header
		costtest.Check(t, func() {
			var err error
			if h, err = ReadHeader(bytes.NewReader(raw)); err != nil {
				t.Fatal(err)
			}
		})
		check(t, raw, capture.Mail{Header: h})
		m, err := Parse(bytes.NewReader(raw), int64(len(raw)))
		if err != nil || mustJSON(m.Header) != mustJSON(h) {
			t.Fatalf("ReadHeader and Parse differ: %s, %s, %v", mustJSON(h), mustJSON(m.Header), err)
		}
	})
}

func FuzzAddresses(f *testing.F) {
	for _, s := range []string{
		"A B <a@b.example>, c@d.example", `"B, A" <a@b.example>`, "a@b.example (Ann (the boss) B)", "Team: a@b.example, B <c@d.example>;, e@f.example",
		"<@relay.example,@x.example:a@b.example>", `"john doe"@b.example`, "=?utf-8?Q?J=C3=B6rg?= <j@b.example>", "用户@例え.example", `"never closed <a@b`, "((((", "a@b;c@d",
	} {
		f.Add([]byte(s), "utf-8")
	}
	for _, s := range hostileAddresses() {
		f.Add([]byte(s), "")
	}
	f.Fuzz(func(t *testing.T, value []byte, charset string) {
		var list []capture.Address
		costtest.Check(t, func() { list = addresses(nil, value, charset) })
		if len(list) > maxAddresses {
			t.Fatalf("%d addresses", len(list))
		}
		for _, a := range list {
			if !utf8.ValidString(a.Name+a.Addr) || strings.ContainsAny(a.Name+a.Addr, "\x00\r\n") || a.Name == "" && a.Addr == "" {
				t.Fatalf("address %q of %q", a, value)
			}
		}
	})
}

func FuzzHTMLText(f *testing.F) {
	for _, s := range []string{
		"<style>p{}</style><p>a <b>b</b></p><ul><li>c<li>d</ul><a href='http://x.example'>e</a>", "<title>x", "<script>x</script >y", "&amp;&#0;&#x110000;&nbsp;x", "<pre>a\n b</pre>",
		"<svg><title>x</title></svg><table><td>a<td>b<tr><td>c", "<template><p>x</template>y", "<a href=http://a><img alt='b c'></a>", "<!--x--><![CDATA[y]]>z",
	} {
		f.Add(s)
	}
	for _, s := range hostilePages() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, document string) {
		document = strings.ToValidUTF8(document, "")
		var text string
		costtest.Check(t, func() { text = HTMLText(document) })
		if !utf8.ValidString(text) || text != strings.TrimSpace(text) || strings.Contains(text, "\n\n\n") {
			t.Fatalf("text %q of %q", text, document)
		}
		if len(text) > 3*len(document)+16 {
			t.Fatalf("%d bytes of text came of %d", len(text), len(document))
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add([]byte(mixed))
	for _, raw := range hostileMails() {
		f.Add([]byte(raw))
	}
	for _, raw := range corpus(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) { costtest.Check(t, func() { readText(t, raw) }) })
}

// readText holds the words of a mail to what they promise.
func readText(t *testing.T, raw []byte) {
	text, types, err := Text(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	if !utf8.ValidString(text) || len(text) > 6*maxText || len(types) > 2*maxParts {
		t.Errorf("%d bytes of text, %d types", len(text), len(types))
	}
	for _, kind := range types {
		if kind != strings.ToLower(kind) || strings.Count(kind, "/") != 1 || !utf8.ValidString(kind) {
			t.Errorf("type %q", kind)
		}
	}
}
