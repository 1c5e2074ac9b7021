package salesforce

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"hawser/sync/deliver"
	"hawser/sync/salesforce/salesforcetest"
)

// literalsByTheBook reads the string literals of a statement by the table of the SOQL and SOSL
// Reference, "Quoted String Escape Sequences", and by nothing else: it shares no line with quote
// and none with the pretend org's parser. \_ and \% exist in LIKE alone, which is never sent.
func literalsByTheBook(statement string) ([]string, error) {
	escapes := map[byte]string{
		'n': "\n", 'N': "\n", 'r': "\r", 'R': "\r", 't': "\t", 'T': "\t", 'b': "\b", 'B': "\b", 'f': "\f", 'F': "\f",
		'"': `"`, '\'': "'", '\\': `\`,
	}
	var out []string
	for rest := statement; ; {
		start := strings.IndexByte(rest, '\'')
		if start < 0 {
			if strings.ContainsRune(rest, '\\') {
				return nil, fmt.Errorf("a backslash outside of a literal: %q", rest)
			}
			return out, nil
		}
		if strings.ContainsRune(rest[:start], '\\') {
			return nil, fmt.Errorf("a backslash outside of a literal: %q", rest[:start])
		}
		rest = rest[start+1:]
		var b strings.Builder
		for {
			switch {
			case rest == "":
				return nil, fmt.Errorf("a literal does not end")
			case rest[0] == '\'':
			case rest[0] != '\\':
				_, n := utf8.DecodeRuneInString(rest)
				b.WriteString(rest[:n])
				rest = rest[n:]
				continue
			case len(rest) > 1 && escapes[rest[1]] != "":
				b.WriteString(escapes[rest[1]])
				rest = rest[2:]
				continue
			case len(rest) > 5 && rest[1] == 'u':
				n, err := strconv.ParseUint(rest[2:6], 16, 16)
				if err != nil {
					return nil, err
				}
				b.WriteRune(rune(n))
				rest = rest[6:]
				continue
			default:
				return nil, fmt.Errorf("no such escape: %.6q", rest)
			}
			break
		}
		rest = rest[1:]
		out = append(out, b.String())
	}
}

// TestA57StatementsHoldTheirValuesAndNoMore: whatever a mail says, two grammars read from each
// statement exactly the values that were meant, and a tail that is still the tail.
func TestA57StatementsHoldTheirValuesAndNoMore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(hostile(), 1, 30).Draw(t, "values")
		fields := []string{"Email", "Work__c"}[:rapid.IntRange(1, 2).Draw(t, "fields")]
		var want []string
		for _, v := range values {
			want = append(want, clean(v))
		}
		var got []string
		for _, s := range soqlIn("SELECT Id FROM Contact", fields, quotes(values), " AND IsClosed = false ORDER BY LastModifiedDate DESC") {
			real, err := salesforcetest.Literals(s)
			if err != nil {
				t.Fatalf("the pretend org's parser: %v in %q", err, s)
			}
			book, err := literalsByTheBook(s)
			if err != nil {
				t.Fatalf("the book: %v in %q", err, s)
			}
			if !slices.Equal(real, book) {
				t.Fatalf("parser %q, book %q", real, book)
			}
			each := len(book) / len(fields)
			for f := range fields {
				if !slices.Equal(book[:each], book[f*each:(f+1)*each]) {
					t.Fatalf("fields are asked for different values: %q", s)
				}
			}
			got = append(got, book[:each]...)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
	})
}

// TestA57LookUpAsksForWhatWasMeant: the statements of a whole look-up, subqueries and joins
// included, hold the addresses, ids and keys that were asked for and nothing else.
func TestA57LookUpAsksForWhatWasMeant(t *testing.T) {
	t.Parallel()
	for _, keyed := range []bool{true, false} {
		org := &salesforcetest.Org{MailKey: keyed}
		w := newWorld(t, org)
		w.warm(t)
		sc := w.schema
		rapid.Check(t, func(t *rapid.T) {
			var q deliver.Query
			allowed := map[string]bool{w.cfg.UserID: true, "FromAddress": true, "Email": true}
			for i, s := range rapid.SliceOfN(hostile(), 1, 8).Draw(t, "texts") {
				q.Addresses = append(q.Addresses, s+"@x")
				mail := deliver.Sought{Key: key(fmt.Sprint(i)), MessageID: "<" + s + ">", From: s, Subject: s}
				q.Saved, q.Shared = append(q.Saved, mail), append(q.Shared, mail)
				for _, v := range []string{strings.ToLower(clean(s + "@x")), messageIdentifier(mail.Key, mail.MessageID), string(mail.Key)} {
					allowed[v] = true
				}
				q.Relations, q.Files = append(q.Relations, s), append(q.Files, s)
			}
			f := &finder{c: w.Client, sc: sc, q: q}
			f.people()
			f.savedMails()
			f.savedTasks()
			f.relations()
			f.files()
			f.deals()
			if len(f.out) < 4 {
				t.Fatalf("%d statements", len(f.out))
			}
			for _, s := range f.out {
				real, err := salesforcetest.Literals(s.soql)
				if err != nil {
					t.Fatalf("%v in %q", err, s.soql)
				}
				book, err := literalsByTheBook(s.soql)
				if err != nil || !slices.Equal(real, book) {
					t.Fatalf("%v: parser %q, book %q", err, real, book)
				}
				for _, l := range real {
					if !allowed[l] {
						t.Fatalf("%q is asked for: %q", l, s.soql)
					}
				}
			}
		})
	}
}
