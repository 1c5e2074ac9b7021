package salesforce

import (
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestCutNeverExceeds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		raw := hostile().Draw(t, "s")
		s := clean(raw)
		limit := rapid.IntRange(0, 60).Draw(t, "limit")
		if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			t.Fatalf("clean(%q) = %q", raw, s)
		}
		got, missing := cut(s, limit)
		stored := strings.ReplaceAll(strings.ReplaceAll(got, "\r\n", "\n"), "\n", "\r\n")
		if len(utf16.Encode([]rune(stored))) > limit || !strings.HasPrefix(s, got) || missing != (got != s) {
			t.Fatalf("cut(%q, %d) = %q, %t", s, limit, got, missing)
		}
		if marked := cutMarked(s, limit+100); units(marked) > limit+100 {
			t.Fatalf("marked text of %d units, limit %d", units(marked), limit+100)
		}
		if marked := cutHTML(s, limit+100); units(marked) > limit+100 {
			t.Fatalf("marked page of %d units, limit %d", units(marked), limit+100)
		}
	})
}

func TestJoinAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in    []string
		limit int
		want  string
	}{
		{[]string{"a@x", "b@x"}, 4000, "a@x; b@x"}, {[]string{"a@x", "b@x"}, 8, "a@x"}, {[]string{"long@long.example", "b@x"}, 8, "b@x"},
		{nil, 10, ""}, {[]string{" ", "a@x\x00 "}, 10, "a@x"},
	} {
		if got := joinAddresses(c.in, c.limit); got != c.want {
			t.Errorf("%v: got %q, want %q", c.in, got, c.want)
		}
	}
}

func TestPlainText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"<p>one</p><p>two &amp; <b>three</b></p>":                             "one\n\ntwo & three",
		"<html><head><title>t</title><style>x{}</style></head><body>hi<br>yo": "hi\nyo",
		"a\n   b\t c<script>alert('<p>')</script>":                            "a b c",
		"<ul><li>1<li>2</ul>":                                                 "1\n2",
		"no tags &lt;x&gt; &nbsp;end":                                         "no tags <x> end",
		"":                                                                    "", "<p": "",
	} {
		if got := plainText(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzPlainText(f *testing.F) {
	f.Add("<p>a</p><style>b")
	f.Add("<script><!-- </script> x &#0; &unknown;")
	f.Fuzz(func(t *testing.T, s string) {
		if got := clean(plainText(clean(s))); !utf8.ValidString(got) || len(got) > 4*len(s)+16 {
			t.Errorf("%q gives %q", s, got)
		}
	})
}

func TestIsAddress(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"a@b.example": true, "a.b+c'd@x-y.example.com": true, "a..b@x.example": false, "a@b": false, "a b@x.example": false, "a@-x.example": false,
		"": false, "é@x.example": false, "a@é.example": false, `"a"@x.example`: false, "a@x.example, b@x.example": false, "a@{x}.example": false,
		strings.Repeat("a", 65) + "@x.example": false,
	} {
		if isAddress(s) != want {
			t.Errorf("%q: %t", s, !want)
		}
	}
}
