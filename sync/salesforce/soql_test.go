package salesforce

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/salesforce/salesforcetest"
)

// unquote reads a SOQL string literal by the rules of the SOQL reference, written apart from
// quote: only the listed escape sequences exist, an unescaped quote ends it.
func unquote(t interface{ Fatalf(string, ...any) }, lit string) string {
	if len(lit) < 2 || lit[0] != '\'' || lit[len(lit)-1] != '\'' {
		t.Fatalf("not a literal: %q", lit)
	}
	var b strings.Builder
	in := []rune(lit[1 : len(lit)-1])
	for i := 0; i < len(in); i++ {
		switch {
		case in[i] == '\'':
			t.Fatalf("the literal ends early: %q", lit)
		case in[i] != '\\':
			b.WriteRune(in[i])
		case i+1 == len(in):
			t.Fatalf("the closing quote is escaped: %q", lit)
		default:
			i++
			switch in[i] {
			case 'n', 'r', 't', 'b', 'f':
				b.WriteString(map[rune]string{'n': "\n", 'r': "\r", 't': "\t", 'b': "\b", 'f': "\f"}[in[i]])
			case '\\', '\'', '"':
				b.WriteRune(in[i])
			case 'u':
				if i+4 >= len(in) || string(in[i+1:i+5]) != "007b" {
					t.Fatalf("unexpected code in %q", lit)
				}
				b.WriteByte('{')
				i += 4
			default:
				t.Fatalf("unknown escape \\%c in %q", in[i], lit)
			}
		}
	}
	return b.String()
}

// hostile draws strings of the characters that matter.
func hostile() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.RuneFrom([]rune("'\"\\@{}%_\n\r\t\b\f\x00u0nN()=,é😀")), 0, 40, -1),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
}

func TestQuoteIsOneLiteral(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := hostile().Draw(t, "s")
		lit := quote(s)
		if got := unquote(t, lit); got != clean(s) {
			t.Fatalf("%q becomes %q", s, got)
		}
		if !utf8.ValidString(lit) || strings.Contains(lit, "@{") || strings.ContainsRune(lit, 0) {
			t.Fatalf("unsafe literal %q", lit)
		}
	})
}

// TestHostileMessageIDs asks the pretend org's own parser: whatever a Message-ID holds, the mail
// saved with it is found, and nothing else is.
func TestHostileMessageIDs(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{}
	w := newWorld(t, org)
	w.warm(t)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.StringOfN(rapid.RuneFrom([]rune("'\"\\@{}%_\x00u0nN()=,é😀")), 1, 20, -1), 1, 5, strings.ToLower).Draw(t, "ids")
		var q deliver.Query
		for _, id := range ids {
			n++
			q.Saved = append(q.Saved, deliver.Sought{Key: capture.Key(id), MessageID: "<" + id + ">"})
			q.Addresses = append(q.Addresses, id+"@x")
		}
		a, err := w.Find(t.Context(), q)
		if err != nil {
			t.Fatalf("%q: %v", ids, err)
		}
		if len(a.Saved) != 0 || len(a.People) != 0 {
			t.Fatalf("%q found %+v", ids, a)
		}
	})
	rec := mailOf(1)
	rec.Mail.MessageID = `<a'b\c"d@{e}%_@x>`
	res := w.mustCreate(t, []deliver.Record{rec})
	if len(res) == 1 && res[0].ID == "" {
		t.Fatal("not saved")
	}
	if a := w.mustFind(t, deliver.Query{Saved: sought([]deliver.Record{rec})}); a.Saved[rec.Key].ID != res[0].ID {
		t.Errorf("got %+v", a.Saved)
	}
}

func TestSOQLInKeepsItsLength(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("ab'\\😀")), 0, 3000, -1), 0, 200).Draw(t, "values")
		fields := []string{"Email", "Work__c", "Other__c"}[:rapid.IntRange(1, 3).Draw(t, "fields")]
		total := 0
		for _, s := range soqlIn("SELECT Id FROM Contact", fields, quotes(values), " ORDER BY Id") {
			if len(s) > maxSOQL {
				t.Fatalf("statement of %d bytes", len(s))
			}
			if !strings.HasPrefix(s, "SELECT Id FROM Contact WHERE (Email IN ('") || !strings.HasSuffix(s, ") ORDER BY Id") {
				t.Fatalf("statement %.80q", s)
			}
			total += strings.Count(s, "','") + 1
		}
		want := 0
		for _, v := range values {
			if len(quote(v)) <= maxLiteral {
				want += len(fields)
			}
		}
		// Every further field of a statement repeats its list; the separators count values.
		if len(values) > 0 && want > 0 && total == 0 {
			t.Fatal("values are missing")
		}
	})
	if got := soqlIn("h", []string{"A"}, nil, ""); got != nil {
		t.Errorf("no values give %q", got)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"001A0000006Vm9u": "001A0000006Vm9uIAC", "001A0000006Vm9uIAC": "001A0000006Vm9uIAC",
		"": "", "001": "", "001A0000006Vm9'": "", "001A0000006Vm9uIA": "", "001A0000006Vm9é": "", "001A0000006Vm9uIAC ": "",
	} {
		if got := id18(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if len(quoteIDs([]string{"x' OR Id != '"})) != 0 {
		t.Error("a malformed id became a literal")
	}
}
