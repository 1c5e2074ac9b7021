package salesforce

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"hawser/auth/secret"
	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/match"
	"hawser/sync/salesforce/salesforcetest"
)

func (w *world) mustFind(t *testing.T, q deliver.Query) deliver.Answer {
	t.Helper()
	a, err := w.Find(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestFindPeople(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{}
	w := newWorld(t, org)
	account := org.AddAccount("Acme", "")
	ann := org.AddContact("Ann", "Ann.O'Neil@Acme.example", account)
	twin := org.AddContact("Twin", "ann.o'neil@acme.example", "")
	cy := org.AddLead("Cy", "cy@lead.example", "Lead Inc")
	org.Insert("Lead", map[string]any{"LastName": "Gone", "Company": "x", "Email": "gone@lead.example", "IsConverted": true})
	usr := org.AddUser(salesforcetest.User{Username: "uwe@acme.example", Name: "Uwe"})
	org.AddUser(salesforcetest.User{Username: "left@acme.example", Inactive: true})
	w.warm(t)
	var a deliver.Answer
	if n := w.cost(t, func() {
		a = w.mustFind(t, deliver.Query{Addresses: []string{"ann.o'neil@acme.example", "cy@lead.example", "gone@lead.example", "uwe@acme.example", "left@acme.example",
			"nobody@x.example", "no address", strings.Repeat("x", 300) + "@y.example", `odd"\'@{x.y}@z.example`}})
	}); n != 1 {
		t.Errorf("took %d calls", n)
	}
	people := a.People["ann.o'neil@acme.example"]
	if len(people) != 2 || !slices.ContainsFunc(people, func(p match.Candidate) bool { return p.ID == twin }) ||
		!slices.ContainsFunc(people, func(p match.Candidate) bool {
			return reflect.DeepEqual(p, match.Candidate{Type: match.Contact, ID: ann, Name: "Ann", AccountID: account, Field: "Contact.Email", About: "Acme"})
		}) {
		t.Errorf("contacts: %+v", people)
	}
	if p := a.People["cy@lead.example"]; len(p) != 1 || p[0].Type != match.Lead || p[0].ID != cy {
		t.Errorf("lead: %+v", p)
	}
	if p := a.People["uwe@acme.example"]; len(p) != 1 || p[0].Type != match.User || p[0].ID != usr.ID {
		t.Errorf("user: %+v", p)
	}
	if len(a.People) != 3 {
		t.Errorf("found too many: %v", a.People)
	}
}

func TestFindWithoutSomeObjects(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{External: true, NoEnhancedEmail: true, HideObjects: []string{"Lead"}, HideFields: map[string][]string{"Contact": {"AccountId"}}}
	w := newWorld(t, org)
	ann := org.AddContact("Ann", "ann@acme.example", org.AddAccount("Acme", ""))
	a := w.mustFind(t, deliver.Query{Addresses: []string{"ann@acme.example"}, Saved: sought(mailsOf(2)), Relations: []string{"02s000000000001AAA"}})
	if p := a.People["ann@acme.example"]; len(p) != 1 || p[0].ID != ann || p[0].AccountID != "" {
		t.Errorf("got %+v", a)
	}
}

func TestFindSaved(t *testing.T) {
	t.Parallel()
	for _, keyed := range []bool{true, false} {
		t.Run(fmt.Sprintf("key %t", keyed), func(t *testing.T) {
			t.Parallel()
			org := &salesforcetest.Org{MailKey: keyed}
			zone := time.FixedZone("far", 13*3600)
			w := newWorld(t, org, func(c *Config) { c.Now = func() time.Time { return time.Now().In(zone) } })
			records := mailsOf(8)
			records[1].Mail.MessageID = `<quote'back\slash"@x>`
			records[2].Mail.MessageID, records[2].Key = "", capture.DigestKey(testAccount, "", [32]byte{1})
			records[3].Mail.MessageID = "<" + strings.Repeat("long", 300) + "@x>"
			records[4].Mail.Date = time.Time{}
			for i := 5; i < 8; i++ {
				records[i].Kind = deliver.Task
			}
			records[5].Mail.Date = time.Date(2026, 11, 20, 23, 59, 0, 0, time.UTC)
			records[6].Mail.Text = "forged\n" + keyLine + string(key("<never@saved>"))
			records[7].Mail.Date = time.Time{}
			res := w.mustCreate(t, records)

			q := deliver.Query{Saved: append(sought(records), deliver.Sought{Key: key("<never@saved>"), MessageID: "<never@saved>", Date: records[6].Mail.Date})}
			var a deliver.Answer
			want := 1
			if n := w.cost(t, func() { a = w.mustFind(t, q) }); n != want {
				t.Errorf("took %d calls, want %d", n, want)
			}
			for i, r := range records {
				if got, want := a.Saved[r.Key], (deliver.Existing{ID: res[i].ID, Kind: r.Kind}); got != want {
					t.Errorf("record %d: got %+v, want %+v", i, got, want)
				}
			}
			if len(a.Saved) != len(records) {
				t.Errorf("found %d of %d", len(a.Saved), len(records))
			}
		})
	}
}

// TestFindTellsMailsWithOneMessageIDApart: without a key field the date has to.
func TestFindTellsMailsWithOneMessageIDApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &salesforcetest.Org{})
	first, second := mailOf(1), mailOf(1)
	second.Key = capture.DigestKey(testAccount, second.Mail.MessageID, [32]byte{2})
	second.Mail.Date = second.Mail.Date.Add(time.Hour)
	w.mustCreate(t, []deliver.Record{first})
	a := w.mustFind(t, deliver.Query{Saved: sought([]deliver.Record{first, second})})
	if _, ok := a.Saved[second.Key]; ok || len(a.Saved) != 1 {
		t.Errorf("got %+v", a.Saved)
	}
}

// TestFindIgnoresWhatOthersSaved: the key belongs to one user, and so does a match without it.
func TestFindIgnoresWhatOthersSaved(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{}
	w := newWorld(t, org)
	other := org.AddUser(salesforcetest.User{Username: "uwe@acme.example"})
	access, _ := org.MintToken(other.ID)
	own := w.token
	w.mu.Lock()
	w.token = secret.New(access)
	w.mu.Unlock()
	w.mustCreate(t, mailsOf(1))
	w.mu.Lock()
	w.token = own
	w.mu.Unlock()
	if a := w.mustFind(t, deliver.Query{Saved: sought(mailsOf(1))}); len(a.Saved) != 0 {
		t.Errorf("got %+v", a.Saved)
	}
}

func TestFindRelationsAndFiles(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{}
	w := newWorld(t, org)
	records := mailsOf(2)
	records[1].Mail.From = nil
	res := w.mustCreate(t, records)
	if _, err := w.Attach(t.Context(), []deliver.File{fileOf(res[0].ID, "a.txt", "abc"), fileOf(res[0].ID, "a.txt", "abcd")}); err != nil {
		t.Fatal(err)
	}
	ids := []string{res[0].ID, res[1].ID, "not an id"}
	var a deliver.Answer
	if n := w.cost(t, func() { a = w.mustFind(t, deliver.Query{Relations: ids, Files: ids}) }); n != 1 {
		t.Errorf("took %d calls", n)
	}
	if !a.Related[res[0].ID] || len(a.Related) != 1 {
		t.Errorf("relations %v", a.Related)
	}
	files := a.Files[res[0].ID]
	slices.SortFunc(files, func(x, y deliver.FileSeen) int { return int(x.Size - y.Size) })
	if want := []deliver.FileSeen{{Title: "a.txt", Size: 3}, {Title: "a.txt", Size: 4}}; !slices.Equal(files, want) || len(a.Files) != 1 {
		t.Errorf("files %v", a.Files)
	}
}

func TestFindAtItsLimits(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{MailKey: true}
	w := newWorld(t, org)
	w.warm(t)
	q := deliver.Query{Saved: sought(mailsOf(maxSought))}
	for i := range maxAddresses {
		q.Addresses = append(q.Addresses, fmt.Sprintf("%s%d@%s.example", strings.Repeat("p", 40), i, strings.Repeat("d", 50)))
	}
	if n := w.cost(t, func() { w.mustFind(t, q) }); n != 1 {
		t.Errorf("took %d calls", n)
	}
}

func TestFindFollowsFurtherRows(t *testing.T) {
	t.Parallel()
	for _, prefix := range []bool{false, true} {
		org := &salesforcetest.Org{External: true, PrefixURLs: prefix}
		w := newWorld(t, org)
		for range 4500 {
			org.AddContact("Ann", "ann@acme.example", "")
		}
		w.warm(t)
		var a deliver.Answer
		if n := w.cost(t, func() { a = w.mustFind(t, deliver.Query{Addresses: []string{"ann@acme.example"}}) }); n != 3 {
			t.Errorf("took %d calls", n)
		}
		if n := len(a.People["ann@acme.example"]); n != 4500 {
			t.Errorf("found %d", n)
		}
	}
}

func TestFindMapsRefusals(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{}
	w := newWorld(t, org)
	w.warm(t)
	refused := func(e string) string {
		return `{"compositeResponse":[{"body":[` + e + `],"httpStatusCode":400,"referenceId":"q0"},` +
			`{"body":{"totalSize":0,"done":true,"records":[]},"httpStatusCode":200,"referenceId":"q1"},{"body":{"records":[]},"httpStatusCode":200,"referenceId":"q2"},` +
			`{"body":{"records":[]},"httpStatusCode":200,"referenceId":"q3"}]}`
	}
	q := deliver.Query{Addresses: []string{"a@b.example"}}
	org.FailNext(1, 200, refused(`{"errorCode":"INVALID_FIELD","message":"\nSELECT Id, AccountId\n ^\nERROR at Row:1:Column:8\nNo such column 'AccountId' on entity 'Contact'."}`))
	_, err := w.Find(t.Context(), q)
	wantFault(t, err, fault.ServerError, false)
	org.ForgetCalls()
	w.mustFind(t, q) // describes again and asks without the column
	if log := org.CallLog(); len(log) != 2 && len(log) != 3 {
		t.Errorf("calls: %+v", log)
	}
	if w.schema.objects[contact].has("AccountId") {
		t.Error("the column is still asked for")
	}
	// Without AccountId there are no opportunities to ask for: three queries.
	malformed := strings.Replace(refused(`{"errorCode":"MALFORMED_QUERY","message":"unexpected token: x"}`), `,{"body":{"records":[]},"httpStatusCode":200,"referenceId":"q3"}`, "", 1)
	org.FailNext(1, 200, malformed)
	_, err = w.Find(t.Context(), q)
	wantFault(t, err, fault.ServerError, false) // perhaps for what hangs on contacts: the next try is without it
	org.FailNext(1, 200, malformed)
	_, err = w.Find(t.Context(), q)
	wantFault(t, err, fault.Internal, false)
	for _, body := range []string{`{}`, `{"compositeResponse":[]}`, `{"compositeResponse":null}`, `[]`, `{"compositeResponse":[{"body":{},"httpStatusCode":200,"referenceId":"other"}]}`, `nonsense`} {
		org.FailNext(1, 200, body)
		if _, err := w.Find(t.Context(), q); err == nil || fault.Of(err).Code.Class() != fault.Retry {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestLocatorsAreNotAddresses(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"", "https://evil.example/?x=1", "/services/data/v67.0/query/a?b", "/services/data/v67.0/query/.."} {
		w := withHandler(t, func(rw http.ResponseWriter, r *http.Request) { reply(rw, 200, `{"done":true,"records":[]}`) })
		err := w.follow(t.Context(), &schema{version: "67.0"}, query{}, part{more: next})
		wantFault(t, err, fault.ServerError, false)
		if w.calls() != 0 {
			t.Errorf("%q was followed", next)
		}
	}
}

func TestEndlessQueryEnds(t *testing.T) {
	t.Parallel()
	w := withHandler(t, func(rw http.ResponseWriter, r *http.Request) {
		reply(rw, 200, `{"done":false,"nextRecordsUrl":"/services/data/v67.0/query/01g000-1","records":[]}`)
	})
	p := part{more: "/services/data/v67.0/query/01g000-1"}
	if err := w.follow(t.Context(), &schema{version: "67.0"}, query{some: true}, p); err != nil {
		t.Error(err)
	}
	wantFault(t, w.follow(t.Context(), &schema{version: "67.0"}, query{}, p), fault.SalesforceRefused, false)
}
