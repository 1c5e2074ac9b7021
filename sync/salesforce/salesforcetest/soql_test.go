package salesforcetest

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

// world is an org with a server, a signed-in user and a clock that stands still.
type world struct {
	*Org
	client
	srv *httptest.Server
}

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T, o *Org) world {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return noon }
	}
	srv := httptest.NewServer(o)
	t.Cleanup(srv.Close)
	access, _ := o.MintToken(DefaultUsername)
	return world{o, client{t: t, base: srv.URL, token: access}, srv}
}

const api = "/services/data/v67.0"

// query runs a statement and returns status and the decoded answer.
func (w world) query(soql string) (int, map[string]any) {
	w.t.Helper()
	status, body := w.do("GET", api+"/query?q="+url.QueryEscape(soql), "")
	var one map[string]any
	if json.Unmarshal([]byte(body), &one) != nil {
		var list []map[string]any
		if err := json.Unmarshal([]byte(body), &list); err != nil || len(list) != 1 {
			w.t.Fatalf("query answers %s", body)
		}
		one = list[0]
	}
	return status, one
}

func contacts(o *Org) {
	acc := o.AddAccount("Norden", "https://norden.example")
	o.AddContact("Ann O'Hara", "ann@norden.example", acc)
	o.AddContact("Bo Lind", "bo@norden.example", acc)
	o.AddContact("100% Real", "c_d@other.example", "")
	o.AddContact(`Back\slash`, "", "")
}

func TestQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{})
	contacts(w.Org)
	for _, tc := range []struct{ where, want string }{
		{"", "Ann O'Hara,Bo Lind,100% Real,Back\\slash"},
		{"WHERE Email = 'ANN@norden.EXAMPLE'", "Ann O'Hara"},
		{"WHERE Email IN ('bo@norden.example','nobody@x.example','ANN@norden.example')", "Ann O'Hara,Bo Lind"},
		{"WHERE Email NOT IN ('bo@norden.example')", "Ann O'Hara,100% Real,Back\\slash"},
		{"WHERE Email != 'bo@norden.example'", "Ann O'Hara,100% Real,Back\\slash"},
		{"WHERE Email = null", "Back\\slash"},
		{"WHERE Email != null AND Account.Name = 'norden'", "Ann O'Hara,Bo Lind"},
		{`WHERE Name = 'Ann O\'Hara'`, "Ann O'Hara"},
		{`WHERE Name = 'Back\\slash'`, "Back\\slash"},
		{`WHERE Name LIKE '100\%%'`, "100% Real"},
		{`WHERE Name LIKE '%\\%'`, "Back\\slash"},
		{`WHERE Email LIKE 'c\_d@%'`, "100% Real"},
		{`WHERE Email LIKE '__@norden%'`, "Bo Lind"},
		{"WHERE Email LIKE '%@norden.example'", "Ann O'Hara,Bo Lind"},
		{`WHERE Name = '\u0042o Lind'`, "Bo Lind"},
		{"WHERE (Email = 'bo@norden.example' OR Name LIKE 'Ann%') AND (NOT Name LIKE 'bo%')", "Ann O'Hara"},
		{"WHERE Name LIKE 'b%' OR Email = 'ann@norden.example' ORDER BY Name", "Ann O'Hara,Back\\slash,Bo Lind"},
		{"ORDER BY Email DESC NULLS LAST LIMIT 2", "100% Real,Bo Lind"},
		{"ORDER BY Email LIMIT 1", "Back\\slash"},
		{"ORDER BY Name ASC LIMIT 1 OFFSET 2", "Back\\slash"},
		{"WHERE CreatedDate = TODAY", "Ann O'Hara,Bo Lind,100% Real,Back\\slash"},
		{"WHERE CreatedDate = YESTERDAY", ""},
		{"WHERE CreatedDate > 2026-11-25T11:59:59Z LIMIT 1", "Ann O'Hara"},
		{"WHERE CreatedDate > 2026-11-25T12:00:00.000Z", ""},
		{"WHERE CreatedDate >= 2026-11-25T13:00:00+01:00 LIMIT 1", "Ann O'Hara"},
		{"WHERE CreatedDate = LAST_N_DAYS:7 LIMIT 1", "Ann O'Hara"},
		{"WHERE CreatedDate < LAST_N_DAYS:7", ""},
		{"WHERE IsDeleted = false LIMIT 1", "Ann O'Hara"},
		{"USING SCOPE", "MALFORMED_QUERY"},
		{"WHERE Nope = 'x'", "INVALID_FIELD"},
		{"WHERE Description = 'x'", "INVALID_FIELD"},
		{"WHERE Email = x", "MALFORMED_QUERY"},
		{"WHERE Email = 'x", "MALFORMED_QUERY"},
		{`WHERE Email = 'x\q'`, "MALFORMED_QUERY"},
		{"WHERE Email = 'a' AND Name = 'b' OR Name = 'c'", "MALFORMED_QUERY"},
		{"WHERE CreatedDate > '2026-11-25'", "INVALID_FIELD"},
		{"WHERE CreatedDate > 2026-11-25", "INVALID_FIELD"},
		{"WHERE Email = 5", "INVALID_FIELD"},
		{"WHERE Id = 'nonsense'", "INVALID_QUERY_FILTER_OPERATOR"},
		{"WHERE Id LIKE '003%'", "INVALID_QUERY_FILTER_OPERATOR"},
		{"WHERE Email = '" + strings.Repeat("x", 4001) + "'", "MALFORMED_QUERY"},
		{"OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"},
		{"LIMIT -1", "MALFORMED_QUERY"},
		{"WHERE Nope.Name = 'x'", "INVALID_FIELD"},
	} {
		status, body := w.query("SELECT Id, Name FROM Contact " + tc.where)
		var names []string
		records, _ := body["records"].([]any)
		for _, r := range records {
			names = append(names, r.(map[string]any)["Name"].(string))
		}
		got := strings.Join(names, ",")
		if status != 200 {
			got, _ = body["errorCode"].(string)
		}
		if got != tc.want {
			t.Errorf("%s\n gives %q, want %q", tc.where, got, tc.want)
		}
	}
}

func TestQueryShapes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{HideFields: map[string][]string{"contact": {"title"}}, HideObjects: []string{"Opportunity"}})
	contacts(w.Org)
	get := func(soql, path string) any {
		t.Helper()
		_, body := w.query(soql)
		var v any = map[string]any(body)
		for step := range strings.SplitSeq(path, ".") {
			switch x := v.(type) {
			case map[string]any:
				v = x[step]
			case []any:
				n := 0
				if _, err := fmt.Sscan(step, &n); err != nil || n >= len(x) {
					return nil
				}
				v = x[n]
			}
		}
		return v
	}
	for _, tc := range []struct {
		soql, path string
		want       any
	}{
		{"SELECT COUNT() FROM Contact", "totalSize", 4.0},
		{"select count() from contact where email like '%norden%'", "totalSize", 2.0},
		{"SELECT COUNT(Id), COUNT(Email) FROM Contact", "records.0.expr1", 3.0},
		{"SELECT c.name, c.account.website FROM Contact c LIMIT 1", "records.0.Account.Website", "https://norden.example"},
		{"SELECT Account.Name, Account.Owner.Username FROM Contact LIMIT 1", "records.0.Account.Owner.Username", DefaultUsername},
		{"SELECT Account.Name FROM Contact WHERE Account.Name = null", "records.0.Account", nil},
		{"SELECT Name, (SELECT Email FROM Contacts ORDER BY Email DESC LIMIT 1) FROM Account", "records.0.Contacts.records.0.Email", "bo@norden.example"},
		{"SELECT Name, (SELECT Id FROM Tasks) FROM Account", "records.0.Tasks", nil},
		{"SELECT id FROM contact LIMIT 1", "records.0.attributes.type", "Contact"},
		{"SELECT CreatedDate FROM Contact LIMIT 1", "records.0.CreatedDate", "2026-11-25T12:00:00.000+0000"},
		{"SELECT Title FROM Contact", "errorCode", "INVALID_FIELD"},
		{"SELECT Id FROM Opportunity", "errorCode", "INVALID_TYPE"},
		{"SELECT Id FROM Nope", "errorCode", "INVALID_TYPE"},
		{"SELECT Id FROM ContentDocumentLink", "errorCode", "MALFORMED_QUERY"},
		{"SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId IN ('003000000000001')", "totalSize", 0.0},
		{"SELECT Id Name FROM Contact", "errorCode", "MALFORMED_QUERY"},
		{"SELECT Nope FROM Contact", "message", "\nSELECT Nope FROM Contact\n       ^\nERROR at Row:1:Column:8\nNo such column 'Nope' on entity 'Contact'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."},
		{"DELETE FROM Contact", "errorCode", "MALFORMED_QUERY"},
		{"SELECT ApiName FROM TaskStatus WHERE IsClosed = true", "records.0.ApiName", "Completed"},
	} {
		if got := get(tc.soql, tc.path); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s\n %s is %v, want %v", tc.soql, tc.path, got, tc.want)
		}
	}
}

func TestRelativeDates(t *testing.T) {
	t.Parallel()
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	for _, tc := range []struct {
		s        string
		from, to time.Time
	}{
		{"TODAY", day(2026, 11, 25), day(2026, 11, 26)},
		{"tomorrow", day(2026, 11, 26), day(2026, 11, 27)},
		{"THIS_WEEK", day(2026, 11, 22), day(2026, 11, 29)},
		{"LAST_WEEK", day(2026, 11, 15), day(2026, 11, 22)},
		{"NEXT_MONTH", day(2026, 12, 1), day(2027, 1, 1)},
		{"LAST_N_MONTHS:2", day(2026, 9, 1), day(2026, 11, 1)},
		{"LAST_YEAR", day(2025, 1, 1), day(2026, 1, 1)},
		{"LAST_N_DAYS:7", day(2026, 11, 18), day(2026, 11, 26)},
		{"NEXT_N_DAYS:2", day(2026, 11, 26), day(2026, 11, 28)},
	} {
		from, to, ok := relativeSpan(tc.s, noon)
		if !ok || !from.Equal(tc.from) || !to.Equal(tc.to) {
			t.Errorf("%s is %v to %v (%v), want %v to %v", tc.s, from, to, ok, tc.from, tc.to)
		}
	}
	for _, s := range []string{"LAST_N_DAYS", "LAST_DAYS:7", "TODAY:1", "LAST_N_DAYS:x", "LAST_N_DAYS:99999999", "SOON", ""} {
		if _, _, ok := relativeSpan(s, noon); ok {
			t.Errorf("%q is taken for a date", s)
		}
	}
}

func TestQueryPages(t *testing.T) {
	t.Parallel()
	now := noon
	w := newWorld(t, &Org{PrefixURLs: true, Now: func() time.Time { return now }})
	for i := range 4500 {
		w.AddContact(fmt.Sprintf("Person %04d", i), fmt.Sprintf("p%d@x.example", i), "")
	}
	path, seen := SitePath+api+"/query?q=SELECT+Name+FROM+Contact", []string{}
	sizes := []int{}
	for path != "" {
		status, body := w.do("GET", path, "")
		var page struct {
			TotalSize      int
			Done           bool
			NextRecordsURL string
			Records        []struct{ Name string }
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil || status != 200 || page.TotalSize != 4500 || page.Done != (page.NextRecordsURL == "") {
			t.Fatalf("page %s: %d %v %.200s", path, status, err, body)
		}
		sizes = append(sizes, len(page.Records))
		for _, r := range page.Records {
			seen = append(seen, r.Name)
		}
		if path = page.NextRecordsURL; path != "" && !strings.HasPrefix(path, SitePath+api+"/query/01g") {
			t.Fatalf("next page is at %s", path)
		}
	}
	if fmt.Sprint(sizes) != "[2000 2000 500]" || len(seen) != 4500 || seen[4499] != "Person 4499" {
		t.Errorf("pages of %v, %d records", sizes, len(seen))
	}
	_, body := w.do("GET", api+"/query?q=SELECT+Name+FROM+Contact", "")
	at := strings.Index(body, "/query/01g")
	locator := body[at+len("/query/") : at+len("/query/")+23]
	now = now.Add(16 * time.Minute)
	if status, body := w.do("GET", api+"/query/"+locator, ""); status != 400 || !strings.Contains(body, "INVALID_QUERY_LOCATOR") {
		t.Errorf("an old locator %s gives %d %s", locator, status, body)
	}
	if status, _ := w.do("GET", api+"/query/nonsense", ""); status != 400 {
		t.Errorf("a false locator gives %d", status)
	}
}

// TestLongListsAreQuick: a hundred times as many values must not take a hundred times as long,
// whether an index helps (Email) or not (Title).
func TestLongListsAreQuick(t *testing.T) {
	t.Parallel()
	o := &Org{}
	for i := range 5000 {
		o.AddContact(fmt.Sprintf("Person %d", i), fmt.Sprintf("p%d@x.example", i), "")
	}
	run := func(size int) (found int, took time.Duration) {
		soql := longQuery(size)
		took = time.Hour
		for range 5 {
			q := &request{org: o, user: &User{UserType: "Standard"}, method: "GET", version: 67, path: []string{"query"}, query: url.Values{"q": {soql}}, tx: &tx{}}
			start := time.Now()
			o.mu.Lock()
			a := q.soql(false)
			o.mu.Unlock()
			took = min(took, time.Since(start))
			n, _ := a.body.(ordered).get("totalSize")
			found, _ = n.(int)
		}
		return found, took
	}
	few, short := run(1000)
	many, long := run(99_000)
	if few < 20 || many < 2400 || long > 40*short {
		t.Errorf("%d found in %v, %d in %v", few, short, many, long)
	}
	if _, err := parseSOQL(strings.Repeat("x", 100_001)); err == nil || err.code != "MALFORMED_QUERY" {
		t.Errorf("a statement that is too long gives %v", err)
	}
}

// longQuery is a statement of about size characters.
func longQuery(size int) string {
	var b strings.Builder
	b.WriteString("SELECT Id FROM Contact WHERE Name LIKE '%person%' AND (Email IN ('p1@x.example'")
	for i := 0; b.Len() < size/2; i++ {
		fmt.Fprintf(&b, ",'p%d@x.example'", i*2)
	}
	b.WriteString(") OR Title IN ('a'")
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, ",'title %d'", i)
	}
	b.WriteString("))")
	return b.String()
}

func FuzzSOQL(f *testing.F) {
	for _, s := range []string{
		"SELECT Id FROM Contact", "SELECT COUNT() FROM Contact WHERE Email LIKE '%\\_x' OR (NOT Name = 'a')",
		"SELECT Account.Name, (SELECT Id FROM Tasks WHERE Status='x') FROM Contact c WHERE c.CreatedDate > LAST_N_DAYS:3 ORDER BY Name DESC NULLS LAST LIMIT 1 OFFSET 2 FOR VIEW",
		"SELECT Id FROM Task WHERE ActivityDate >= 2026-11-25 AND IsClosed = true AND WhoId IN ('003Hw0000000001', null)",
		"SELECT Id FROM Contact WHERE Name = '\\u12", "SELECT", "((((", "SELECT Id FROM ContentDocumentLink WHERE Id='x'",
	} {
		f.Add(s)
	}
	o := &Org{}
	contacts(o)
	o.Insert("Task", map[string]any{"Subject": "x", "ActivityDate": "2026-11-25"})
	f.Fuzz(func(t *testing.T, s string) {
		q := &request{org: o, user: &User{UserType: "Standard"}, method: "GET", version: 67, path: []string{"query"}, query: url.Values{"q": {s}}, tx: &tx{}}
		o.mu.Lock()
		defer o.mu.Unlock()
		a := q.soql(false)
		if a.status != 200 && a.status != 400 {
			t.Errorf("%q answers %d", s, a.status)
		}
		if _, err := json.Marshal(a.body); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	})
}

func FuzzSOSL(f *testing.F) {
	f.Add("FIND {ann@x} IN EMAIL FIELDS RETURNING Contact(Id,Name), Lead LIMIT 5")
	f.Add("FIND {a\\}b} RETURNING User")
	f.Add("FIND {")
	f.Fuzz(func(t *testing.T, s string) {
		text, _, _, _, err := parseSOSL(s)
		if err == nil && text == "" {
			t.Errorf("%q finds nothing to look for", s)
		}
	})
}
