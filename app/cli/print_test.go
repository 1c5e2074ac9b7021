package cli

import (
	"strings"
	"testing"
	"time"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                        "plain",
		"a\x1b[2Jb\x07c\u009bd":        "a[2Jbcd",
		"two\r\nlines\tand  spaces ":   "two lines and spaces",
		"invoice\u202etxt.exe\u2066":   "invoicetxt.exe",
		"bad \xff bytes":               "bad bytes",
		"見積もり 🙂 e\u0301":               "見積もり 🙂 e\u0301",
		"line\u2028and\u2029paragraph": "lineandparagraph",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"12345678": "12345678", "123456789": "1234567…", "見積もり書": "見積も…", "1 345 7 9 1": "1 345 7…", "": "",
	} {
		got := short(in, 8)
		if got != want || columns(got) > 8 {
			t.Errorf("short(%q) = %q (%d columns), want %q", in, got, columns(got), want)
		}
	}
}

func TestTableAligns(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	printTable(&b, [][]string{{"No.", "Subject", "Ref"}, {"1", "見積もり", "a"}, {"    a line of its own that is long"}, {"12", "e\u0301", ""}})
	want := "No.  Subject   Ref\n1    見積もり  a\n    a line of its own that is long\n12   e\u0301\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestParseNumbers(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]int{
		"": nil, " \n": nil, "1": {1}, "3,1": {1, 3}, "1,3-5 2": {1, 2, 3, 4, 5}, "2-2, 2": {2},
	} {
		got, ok := parseNumbers(in, 5)
		if !ok || len(got) != len(want) {
			t.Fatalf("parseNumbers(%q) = %v, %v", in, got, ok)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("parseNumbers(%q) = %v, want %v", in, got, want)
			}
		}
	}
	for _, in := range []string{"0", "6", "5-6", "3-1", "-1", "1-", "a", "1-2-3", "99999999999999999999"} {
		if got, ok := parseNumbers(in, 5); ok {
			t.Errorf("parseNumbers(%q) = %v", in, got)
		}
	}
}

func TestParseUntil(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", 2*3600)
	at := time.Date(2026, 11, 25, 10, 0, 0, 0, zone)
	for in, want := range map[string]string{
		"tomorrow": "2026-11-26T00:00:00+02:00", "10:30": "2026-11-25T10:30:00+02:00", "10:00": "2026-11-26T10:00:00+02:00", "9:15": "2026-11-26T09:15:00+02:00",
		"2026-12-24": "2026-12-24T00:00:00+02:00", "2026-12-24 18:00": "2026-12-24T18:00:00+02:00", "2026-12-24T18:00": "2026-12-24T18:00:00+02:00",
		"2026-12-24T18:00:00Z": "2026-12-24T18:00:00Z",
	} {
		got, ok := parseUntil(in, at)
		if !ok || got.Format(time.RFC3339) != want {
			t.Errorf("parseUntil(%q) = %v, %v, want %s", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "soon", "25:00", "24.12.2026", "yesterday"} {
		if got, ok := parseUntil(in, at); ok {
			t.Errorf("parseUntil(%q) = %v", in, got)
		}
	}
}

// FuzzClean: whatever a subject holds, one harmless line comes out.
func FuzzClean(f *testing.F) {
	f.Add("a\x1b]0;title\x07b\n\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range clean(s) {
			if r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
				t.Fatalf("clean(%q) keeps %U", s, r)
			}
		}
		if columns(short(s, 20)) > 20 {
			t.Fatalf("short(%q) is too long", s)
		}
	})
}
