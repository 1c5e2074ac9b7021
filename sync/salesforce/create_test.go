package salesforce

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/match"
	"hawser/sync/salesforce/salesforcetest"
	"hawser/sync/shape"
)

func TestCreateEmail(t *testing.T) {
	t.Parallel()
	for _, external := range []bool{false, true} {
		for _, keyed := range []bool{false, true} {
			t.Run(fmt.Sprintf("external %t key %t", external, keyed), func(t *testing.T) {
				t.Parallel()
				org := &salesforcetest.Org{External: external, MailKey: keyed}
				w := newWorld(t, org)
				account := org.AddAccount("Acme", "")
				ann := org.AddContact("Ann", "ann@acme.example", account)
				cy := org.AddLead("Cy", "cy@lead.example", "Lead Inc")
				w.warm(t)
				rec := mailOf(1)
				rec.Mail.References = []string{"<root@acme.example>"}
				rec.Links = match.Links{
					From: &match.Candidate{Type: match.Contact, ID: ann}, To: []match.Candidate{{Type: match.Contact, ID: ann}},
					ToOther: []string{"x@unknown.example", "y@unknown.example"}, Cc: []match.Candidate{{Type: match.Lead, ID: cy}}, RelatedTo: account,
				}
				var res []deliver.Result
				if n := w.cost(t, func() { res = w.mustCreate(t, []deliver.Record{rec}) }); n != 1 {
					t.Errorf("took %d calls", n)
				}
				if !res[0].Related {
					t.Error("the sender's relation was not made")
				}
				got := org.Records("EmailMessage")[0]
				want := map[string]any{
					"Id": res[0].ID, "Subject": "Subject 1", "TextBody": "Text 1", "HtmlBody": "<p>Text 1</p>", "FromAddress": "ann@acme.example", "FromName": "Ann",
					"ToAddress": "x@unknown.example; y@unknown.example", "Incoming": true, "Status": "3", "MessageIdentifier": "<m1@acme.example>",
					"ThreadIdentifier": "<root@acme.example>", "RelatedToId": account, "MessageDate": "2026-11-20T09:01:00.000+0000", "IsClientManaged": true,
				}
				if keyed {
					want["Mail_Key__c"] = string(rec.Key)
				}
				for name, v := range want {
					if got[name] != v {
						t.Errorf("%s: got %v, want %v", name, got[name], v)
					}
				}
				types := map[any]any{}
				for _, r := range org.Records("EmailMessageRelation") {
					types[r["RelationType"]] = r["RelationId"]
				}
				if types["FromAddress"] != ann || types["ToAddress"] == nil || types["CcAddress"] != cy {
					t.Errorf("relations %v", types)
				}
			})
		}
	}
}

func TestCreateManyIsOneCall(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{MailKey: true}
	w := newWorld(t, org)
	w.warm(t)
	records := mailsOf(maxRecords)
	for i := range 150 {
		records[i].Kind = deliver.Task
	}
	var res []deliver.Result
	if n := w.cost(t, func() { res = w.mustCreate(t, records) }); n != 1 {
		t.Errorf("took %d calls", n)
	}
	for i, r := range res {
		want := "02s"
		if i < 150 {
			want = "00T"
		}
		if !r.Related || !strings.HasPrefix(r.ID, want) {
			t.Fatalf("record %d: %+v", i, r)
		}
	}
	if n := len(org.Records("EmailMessageRelation")); n != 250 {
		t.Errorf("%d relations", n)
	}
	_, err := w.Create(t.Context(), mailsOf(maxRecords+1))
	wantFault(t, err, fault.Internal, false)
}

// TestCallsPerThousand holds the arithmetic behind the limits: 13 KB a mail on average.
func TestCallsPerThousand(t *testing.T) {
	t.Parallel()
	l := (&Client{}).Limits()
	perCreate := min(l.Records, int(l.Bytes/(13<<10)))
	if calls := 2 * (1000 + perCreate - 1) / perCreate; calls > 8 {
		t.Errorf("%d calls for 1,000 mails leave too little of 12", calls)
	}
}

func TestCreateSendsLittle(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{MailKey: true}
	w := newWorld(t, org)
	w.warm(t)
	records := mailsOf(50)
	for i := range records {
		records[i].Mail.Text = strings.Repeat("All work and no play. ", 500)
	}
	org.ForgetCalls()
	w.mustCreate(t, records)
	if log := org.CallLog(); len(log) != 1 || log[0].Sent > 100<<10 {
		t.Errorf("sent %d bytes in %d calls: not compressed", log[0].Sent, len(log))
	}
}

func TestCreateTwiceIsSavedOnce(t *testing.T) {
	t.Parallel()
	for _, kind := range []deliver.Kind{deliver.Email, deliver.Task} {
		org := &salesforcetest.Org{MailKey: true}
		w := newWorld(t, org)
		rec := mailOf(1)
		rec.Kind = kind
		first := w.mustCreate(t, []deliver.Record{rec})
		res, err := w.Create(t.Context(), []deliver.Record{rec, mailOf(2)})
		if err != nil {
			t.Fatal(err)
		}
		if res[0].ID != first[0].ID || res[0].Err == nil || res[0].Err.Code != fault.AlreadySaved {
			t.Errorf("%s: got %+v, want id %s and already-saved", kind, res[0], first[0].ID)
		}
		if res[1].Err != nil {
			t.Errorf("the other mail: %v", res[1].Err)
		}
		// The relations of the collection lean on a record that was not made in this call.
		if kind == deliver.Email && res[1].Related {
			t.Error("relation claimed although halted")
		}
		saved := 0
		for _, r := range org.Records(string(kind)) {
			if r["Mail_Key__c"] == string(rec.Key) {
				saved++
			}
		}
		if saved != 1 {
			t.Errorf("%d records", saved)
		}
	}
}

func TestCreateTask(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{External: true, NoEnhancedEmail: true, MailKey: true}
	zone := time.FixedZone("far", -10*3600)
	w := newWorld(t, org, func(c *Config) { c.Now = func() time.Time { return time.Now().In(zone) } })
	account := org.AddAccount("Acme", "")
	ann := org.AddContact("Ann", "ann@acme.example", account)
	rec := mailOf(1)
	rec.Kind = deliver.Task
	rec.Mail.Subject = strings.Repeat("s", 300)
	rec.Links = match.Links{From: &match.Candidate{Type: match.Contact, ID: ann}, RelatedTo: account}
	res := w.mustCreate(t, []deliver.Record{rec})
	got := org.Records("Task")[0]
	for name, v := range map[string]any{
		"Id": res[0].ID, "Subject": strings.Repeat("s", 255), "Status": "Completed", "TaskSubtype": "Email", "ActivityDate": "2026-11-19",
		"WhoId": ann, "WhatId": account, "Mail_Key__c": string(rec.Key),
	} {
		if got[name] != v {
			t.Errorf("%s: got %v, want %v", name, got[name], v)
		}
	}
	text, _ := got["Description"].(string)
	text = strings.ReplaceAll(text, "\r\n", "\n")
	for _, part := range []string{"Text 1\n", "From: Ann <ann@acme.example>", "To: bob@other.example", "Message-ID: <m1@acme.example>"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in %q", part, text)
		}
	}
}

func TestTaskLinks(t *testing.T) {
	t.Parallel()
	con := func(id string) match.Candidate {
		return match.Candidate{Type: match.Contact, ID: "00300000000000" + id}
	}
	led := match.Candidate{Type: match.Lead, ID: "00Q000000000001"}
	usr := match.Candidate{Type: match.User, ID: "005000000000001"}
	const opp = "006000000000001"
	for name, c := range map[string]struct {
		in       bool
		links    match.Links
		who, rel string
	}{
		"sender":                     {true, match.Links{From: new(con("1")), To: []match.Candidate{con("2")}}, con("1").ID, ""},
		"recipient of an outgoing":   {false, match.Links{From: new(con("1")), To: []match.Candidate{con("2")}}, con("2").ID, ""},
		"users do not count":         {true, match.Links{From: &usr, Cc: []match.Candidate{con("3")}}, con("3").ID, ""},
		"a lead alone":               {true, match.Links{From: &led, RelatedTo: opp}, led.ID, ""},
		"a contact keeps the record": {true, match.Links{From: &led, To: []match.Candidate{con("2")}, RelatedTo: opp}, con("2").ID, opp},
		"a lead before a contact":    {true, match.Links{From: &led, To: []match.Candidate{con("2")}}, led.ID, ""},
		"only a record":              {true, match.Links{RelatedTo: opp}, "", opp},
		"a person is not a record":   {true, match.Links{RelatedTo: con("1").ID}, "", ""},
		"malformed":                  {true, match.Links{From: &match.Candidate{Type: match.Contact, ID: "x' OR"}, RelatedTo: "y"}, "", ""},
	} {
		who, what := taskLinks(deliver.Record{Incoming: c.in, Links: c.links})
		got := ""
		if len(who) > 0 {
			got = who[0].ID
		}
		if got != c.who || what != c.rel {
			t.Errorf("%s: got %q %q, want %q %q", name, got, what, c.who, c.rel)
		}
	}
}

func TestSharedActivitiesNameEveryContact(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{SharedActivities: true}
	w := newWorld(t, org)
	rec := mailOf(1)
	rec.Kind = deliver.Task
	for i := range 3 {
		rec.Links.To = append(rec.Links.To, match.Candidate{Type: match.Contact, ID: org.AddContact(fmt.Sprint("C", i), fmt.Sprintf("c%d@x.example", i), "")})
	}
	w.mustCreate(t, []deliver.Record{rec})
	if who := org.Records("Task")[0]["WhoId"]; who != rec.Links.To[0].ID {
		t.Errorf("WhoId %v", who)
	}
}

func TestEmailRefusedByExperience(t *testing.T) {
	t.Parallel()
	now := time.Now()
	org := &salesforcetest.Org{External: true, RefuseEmail: true}
	w := newWorld(t, org, func(c *Config) { c.Now = func() time.Time { return now } })
	ann := org.AddContact("Ann", "ann@acme.example", "")
	if !w.warm(t).Email {
		t.Fatal("the describe should promise e-mails")
	}
	// With links they may be what is refused; without, it is the object itself.
	rec := mailOf(1)
	rec.Links.From = nil
	rec.Links.To = []match.Candidate{{Type: match.Contact, ID: ann}}
	res, err := w.Create(t.Context(), []deliver.Record{rec})
	if err != nil || res[0].Err == nil || res[0].Err.Code != fault.ReferenceRefused || !w.warm(t).Email {
		t.Errorf("with links: %+v %v", res, err)
	}
	res, err = w.Create(t.Context(), mailsOf(1))
	if err != nil || res[0].Err == nil || res[0].Err.Code != fault.EmailRefused {
		t.Errorf("without links: %+v %v", res, err)
	}
	if caps := w.warm(t); caps.Email || !caps.Task {
		t.Errorf("afterwards: %+v", caps)
	}
	now = now.Add(25 * time.Hour)
	if !w.warm(t).Email {
		t.Error("a day later it is tried again")
	}
}

func TestHiddenLinkIsReferenceRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &salesforcetest.Org{})
	rec := mailOf(1)
	rec.Links.RelatedTo = "001000000000999AAA"
	res, err := w.Create(t.Context(), []deliver.Record{rec, mailOf(2)})
	if err != nil || res[0].Err == nil || res[0].Err.Code != fault.ReferenceRefused || res[1].Err != nil {
		t.Errorf("got %+v %v", res, err)
	}
}

func TestFieldsOutsideTheDescribeAreLeftOut(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{
		HideFields:     map[string][]string{"EmailMessage": {"IsClientManaged", "ThreadIdentifier", "Headers", "ToIds"}},
		ReadOnlyFields: map[string][]string{"EmailMessage": {"HtmlBody", "RelatedToId"}},
	}
	w := newWorld(t, org)
	ann := org.AddContact("Ann", "ann@acme.example", "")
	rec := mailOf(1)
	rec.Mail.Text, rec.Mail.HTML = "", "<style>p{}</style><p>Caf&eacute;</p><p>two</p>"
	rec.Links = match.Links{To: []match.Candidate{{Type: match.Contact, ID: ann}}}
	w.mustCreate(t, []deliver.Record{rec})
	got := org.Records("EmailMessage")[0]
	if text := strings.ReplaceAll(got["TextBody"].(string), "\r", ""); text != "Café\n\ntwo" {
		t.Errorf("text %q", text)
	}
	if got["ToAddress"] != "bob@other.example" {
		t.Errorf("people without ids become addresses: %v", got["ToAddress"])
	}
}

// TestFieldRefusedDespiteDescribe: the describe in memory is older than the permissions.
func TestFieldRefusedDespiteDescribe(t *testing.T) {
	t.Parallel()
	for _, message := range []string{
		`{"statusCode":"INVALID_FIELD_FOR_INSERT_UPDATE","message":"Unable to create/update fields: Headers, IsClientManaged. Please check the security settings of this field.","fields":["Headers","IsClientManaged"]}`,
		`{"statusCode":"INVALID_FIELD_FOR_INSERT_UPDATE","message":"Unable to create/update fields: Headers, IsClientManaged. Please check.","fields":[]}`,
		`{"statusCode":"INVALID_FIELD","message":"No such column 'Headers' on sobject of type EmailMessage","fields":null}`,
	} {
		org := &salesforcetest.Org{}
		w := newWorld(t, org)
		w.warm(t)
		org.FailNext(1, 200, `{"compositeResponse":[{"body":[{"success":false,"errors":[`+message+`]},{"success":false,"errors":[`+message+`]}],`+
			`"httpStatusCode":200,"referenceId":"mails0"},{"body":[{"errorCode":"PROCESSING_HALTED","message":""}],"httpStatusCode":400,"referenceId":"from0"}]}`)
		res, err := w.Create(t.Context(), mailsOf(2))
		if err != nil || res[0].Err == nil || res[0].Err.Code.Class() != fault.Retry || res[1].Err == nil || res[1].Err.Code.Class() != fault.Retry {
			t.Fatalf("got %+v %v, want a fault that passes", res, err)
		}
		if n := w.cost(t, func() { w.mustCreate(t, mailsOf(2)) }); n != 2 {
			t.Errorf("the next attempt took %d calls, want describe and create", n)
		}
		if got := org.Records("EmailMessage")[0]; got["Headers"] != nil || got["Subject"] != "Subject 0" {
			t.Errorf("record %v", got)
		}
	}
}

func TestRecordRefusals(t *testing.T) {
	t.Parallel()
	const text = "Ann's <secret> rule text"
	org := &salesforcetest.Org{
		Validate: func(object string, rec map[string]any) error {
			if object == "EmailMessage" && rec["Subject"] == "Subject 1" {
				return errors.New(text)
			}
			return nil
		},
		Trigger: func(object string, rec map[string]any) error {
			if object == "EmailMessage" && rec["Subject"] == "Subject 2" {
				return errors.New(text)
			}
			return nil
		},
	}
	w := newWorld(t, org)
	w.warm(t)
	res, err := w.Create(t.Context(), mailsOf(4))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []fault.Code{"", fault.ValidationFailed, fault.ValidationFailed, ""} {
		var got fault.Code
		if res[i].Err != nil {
			got = res[i].Err.Code
			if !strings.Contains(res[i].Err.Detail, text) || strings.Contains(res[i].Err.Error(), "secret") || res[i].Err.Unknown {
				t.Errorf("record %d: detail %q, error %q", i, res[i].Err.Detail, res[i].Err)
			}
		}
		if got != want {
			t.Errorf("record %d: got %q, want %q", i, got, want)
		}
	}
	org.LockRows(1)
	if res, err := w.Create(t.Context(), mailsOf(5)[4:]); err != nil || res[0].Err == nil || res[0].Err.Code != fault.RecordLocked {
		t.Errorf("locked: %+v %v", res, err)
	}
	org.StorageFull(true)
	if res, err := w.Create(t.Context(), mailsOf(6)[5:]); err != nil || res[0].Err == nil || res[0].Err.Code != fault.StorageFull {
		t.Errorf("full: %+v %v", res, err)
	}
	org.StorageFull(false)
	org.ReadOnly(true)
	res, err = w.Create(t.Context(), mailsOf(7)[6:])
	if err == nil {
		err = asError(res[0].Err)
	}
	wantFault(t, err, fault.OrgReadOnly, false)
	if strings.Contains(w.logs.String(), "secret") {
		t.Error("an administrator's text is in the log")
	}
}

func TestLostAnswersAreUnknown(t *testing.T) {
	t.Parallel()
	ann := deliver.Relation{Address: capture.Address{Addr: "ann@acme.example"}}
	for name, act := range map[string]func(ctx context.Context, w *world, id string) error{
		"create": func(ctx context.Context, w *world, _ string) error { _, err := w.Create(ctx, mailsOf(2)); return err },
		"relate": func(ctx context.Context, w *world, id string) error {
			rel := ann
			rel.RecordID = id
			_, err := w.Relate(ctx, []deliver.Relation{rel})
			return err
		},
		"attach": func(ctx context.Context, w *world, id string) error {
			_, err := w.Attach(ctx, []deliver.File{fileOf(id, "a.txt", "abc")})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			org := &salesforcetest.Org{}
			w := newWorld(t, org)
			id := w.mustCreate(t, mailsOf(3)[2:])[0].ID
			post := func(method, _ string) bool { return method == http.MethodPost }

			org.LoseReply(post, 1)
			err := act(t.Context(), w, id)
			if f := fault.Of(err); f == nil || !f.Unknown || f.Code.Class() != fault.Retry {
				t.Errorf("lost reply: %v", err)
			}
			org.HalfReply(post, 1)
			err = act(t.Context(), w, id)
			if f := fault.Of(err); f == nil || !f.Unknown || f.Code.Class() != fault.Retry {
				t.Errorf("half reply: %v", err)
			}
			for status, unknown := range map[int]bool{500: true, 502: true, 503: true, 504: true, 420: false, 404: false, 403: false} {
				org.FailNext(1, status, "<html>sorry</html>")
				if f := fault.Of(act(t.Context(), w, id)); f == nil || f.Unknown != unknown {
					t.Errorf("%d: %v", status, f)
				}
			}
			org.ServeHTML(1)
			wantFault(t, act(t.Context(), w, id), fault.NotTheServer, true)
			org.FailNext(1, 403, `[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]`)
			err = act(t.Context(), w, id)
			wantFault(t, err, fault.LimitReached, false)
			if fault.Of(err).After < 15*time.Minute {
				t.Error("asked again too soon")
			}
			w.http.Transport = refusedDial{}
			wantFault(t, act(t.Context(), w, id), fault.Offline, false)
		})
	}
}

// refusedDial is a network without a way out.
type refusedDial struct{}

func (refusedDial) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return nil, errors.New("no route")
}

func TestTimeoutIsStalledAndUnknown(t *testing.T) {
	t.Parallel()
	for _, write := range []bool{true, false} {
		w := withHandler(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done() // the client has gone
		})
		r := collectionRequest("op", "67.0", 0, nil)
		r.write = write
		// Long enough for the request to be sent on a busy machine.
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		wantFault(t, w.do(ctx, r), fault.Stalled, write)
	}
}

func TestLookupsAreNeverUnknown(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{}
	w := newWorld(t, org)
	w.warm(t)
	org.LoseReply(nil, 1)
	if _, err := w.Find(t.Context(), deliver.Query{Addresses: []string{"a@b.example"}}); err == nil || fault.Of(err).Unknown {
		t.Errorf("got %v", err)
	}
}

// TestMailsThatLookLikeReferences: a composite request replaces @{...} wherever it stands.
func TestMailsThatLookLikeReferences(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{MailKey: true}
	w := newWorld(t, org)
	w.warm(t)
	records := mailsOf(4)
	records[1].Mail.Text = "use @{mails0[0].id} and @{nothing.here} @{"
	records[3].Mail.Subject = "@{from0[0].id}"
	var res []deliver.Result
	if n := w.cost(t, func() { res = w.mustCreate(t, records) }); n != 2 {
		t.Errorf("took %d calls", n)
	}
	texts := map[any]any{}
	for _, r := range org.Records("EmailMessage") {
		texts[r["Id"]] = fmt.Sprint(r["Subject"], "|", r["TextBody"])
	}
	for i, r := range records {
		if want := r.Mail.Subject + "|" + r.Mail.Text; texts[res[i].ID] != want {
			t.Errorf("record %d: got %q, want %q", i, texts[res[i].ID], want)
		}
		if res[i].Related != (i%2 == 0) {
			t.Errorf("record %d: related %t", i, res[i].Related)
		}
	}
	rels := []deliver.Relation{{RecordID: res[1].ID, Address: records[1].Mail.From[0]}, {RecordID: res[3].ID, Address: records[3].Mail.From[0]}}
	if got, err := w.Relate(t.Context(), rels); err != nil || got[0].Err != nil || got[1].Err != nil {
		t.Errorf("relate: %+v %v", got, err)
	}
	// A search for one must not be taken for a reference either.
	q := deliver.Query{Addresses: []string{"x@{y}.example"}, Saved: []deliver.Sought{{Key: "k", MessageID: "<a@{q0.done}>"}}}
	if _, err := w.Find(t.Context(), q); err != nil {
		t.Errorf("find: %v", err)
	}
	// Apart from the others a failure is their own.
	records = mailsOf(6)[4:]
	records[1].Mail.Text = "@{x}"
	org.LoseReply(func(_, path string) bool { return strings.HasSuffix(path, "/composite/sobjects") }, 1)
	res, err := w.Create(t.Context(), records)
	if err != nil || res[0].Err != nil || res[1].Err == nil || !res[1].Err.Unknown || res[1].Err.Code.Class() != fault.Retry {
		t.Errorf("got %+v %v", res, err)
	}
}

func TestHugeMailIsCutVisibly(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{}
	w := newWorld(t, org)
	email, task := mailOf(1), mailOf(2)
	for _, r := range []*deliver.Record{&email, &task} {
		r.Mail.Text = strings.Repeat("😀\n", 200_000)
		r.Mail.HTML = "<p>" + strings.Repeat("<b>x</b>", 50_000)
		r.Mail.RawHeaders = strings.Repeat("X-A: bcd\r\n", 10_000)
		r.Mail.Subject = strings.Repeat("ü\x00\xff", 4000)
		for i := range 500 {
			r.Mail.To = append(r.Mail.To, capture.Address{Addr: fmt.Sprintf("person%d@long.example", i)})
			r.Links.ToOther = append(r.Links.ToOther, fmt.Sprintf("person%d@long.example", i))
		}
	}
	task.Kind = deliver.Task
	w.mustCreate(t, []deliver.Record{email, task})
	got := org.Records("EmailMessage")[0]
	for name, end := range map[string]string{"TextBody": "[…]", "HtmlBody": "<p>[…]</p>", "Headers": "X-A: bcd", "ToAddress": ".example"} {
		if s, _ := got[name].(string); !strings.HasSuffix(strings.TrimSpace(s), end) {
			t.Errorf("%s ends in %q", name, s[max(len(s)-60, 0):])
		}
	}
	for _, r := range org.Records("Task") {
		if s, _ := r["Description"].(string); r["TaskSubtype"] == "Email" && strings.Contains(s, keyLine) {
			if !strings.Contains(s, "\n\n[…]\n\n--\n") || !strings.HasSuffix(s, keyLine+string(task.Key)) || shape.Units(s) > lenDescription {
				t.Errorf("task of %d units ends in %q", shape.Units(s), s[len(s)-100:])
			}
			if !strings.Contains(s, "; …\nDate: ") {
				t.Errorf("no mark stands for the people who are left out: %q", s[len(s)-400:])
			}
			return
		}
	}
	t.Error("the task is missing")
}

func TestRelate(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{}
	w := newWorld(t, org)
	ann := org.AddContact("Ann", "ann@acme.example", "")
	ids := w.mustCreate(t, mailsOf(2))
	org.ForgetCalls()
	var res []deliver.Result
	n := w.cost(t, func() {
		var err error
		res, err = w.Relate(t.Context(), []deliver.Relation{
			{RecordID: ids[0].ID, Address: capture.Address{Addr: "ann@acme.example"}, PersonID: ann},
			{RecordID: ids[1].ID, Address: capture.Address{}},
			{RecordID: "02s000000000999AAA", Address: capture.Address{Addr: "ann@acme.example"}},
			{RecordID: ids[1].ID, Address: capture.Address{Addr: "ann@acme.example"}, PersonID: "003000000000999AAA"},
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	if n != 1 || res[0].Err != nil || res[1].Err != nil || res[2].Err == nil || res[3].Err == nil || res[3].Err.Code != fault.ReferenceRefused {
		t.Errorf("%d calls, %+v", n, res)
	}
	if n := w.cost(t, func() { _, _ = w.Relate(t.Context(), []deliver.Relation{{RecordID: ids[0].ID}}) }); n != 0 {
		t.Errorf("nothing to relate took %d calls", n)
	}
	many := make([]deliver.Relation, 600)
	for i := range many {
		many[i] = deliver.Relation{RecordID: ids[0].ID, Address: capture.Address{Addr: fmt.Sprintf("p%d@x.example", i)}}
	}
	if n := w.cost(t, func() { res, _ = w.Relate(t.Context(), many) }); n != 1 || len(res) != 600 || res[599].Err != nil {
		t.Errorf("600 relations took %d calls: %+v", n, res[len(res)-1])
	}
}

func fileOf(record, name, content string) deliver.File {
	return deliver.File{RecordID: record, Name: name, Type: "text/plain", Size: int64(len(content)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }}
}
