package salesforce

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestClean(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		raw := hostile().Draw(t, "s")
		if s := clean(raw); !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			t.Fatalf("clean(%q) = %q", raw, s)
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
