package salesforce

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"hawser/auth/secret"
	"hawser/sync/costtest"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/salesforce/salesforcetest"
)

func TestHeaders(t *testing.T) {
	t.Parallel()
	seen := make(chan http.Header, 1)
	w := withHandler(t, func(rw http.ResponseWriter, r *http.Request) {
		seen <- r.Header
		rw.Header().Set("Sforce-Limit-Info", "api-usage=5/10")
		reply(rw, 200, `{"compositeResponse":[]}`)
	})
	r := compositeRequest("op", "67.0", nil)
	r.answer = discardComposite
	if err := w.do(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	got := <-seen
	for name, want := range map[string]string{
		"Authorization": "Bearer token", "Sforce-Call-Options": "client=Hawser", "Sforce-Mru": "updateMru=false",
		"Sforce-Duplicate-Rule-Header": "allowSave=true", "Content-Encoding": "", "Content-Type": "application/json; charset=UTF-8",
	} {
		if got.Get(name) != want {
			t.Errorf("%s: got %q, want %q", name, got.Get(name), want)
		}
	}
}

func TestTokenFaultsPassThrough(t *testing.T) {
	t.Parallel()
	revoked := fault.New(fault.TokenRevoked, "refresh", nil)
	for _, c := range []struct {
		err  error
		want fault.Code
	}{{revoked, fault.TokenRevoked}, {context.DeadlineExceeded, fault.Stalled}, {errors.New("no route"), fault.Offline}} {
		w := withHandler(t, nil)
		w.cfg.Token = func(context.Context, secret.String) (secret.String, error) { return secret.String{}, c.err }
		_, err := w.WhoAmI(t.Context())
		wantFault(t, err, c.want, false)
	}
	// The same on the way to a second attempt.
	w := withHandler(t, func(rw http.ResponseWriter, _ *http.Request) {
		reply(rw, 401, `[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]`)
	})
	w.cfg.Token = func(_ context.Context, stale secret.String) (secret.String, error) {
		if stale.Empty() {
			return secret.New("old"), nil
		}
		return secret.String{}, revoked
	}
	_, err := w.WhoAmI(t.Context())
	wantFault(t, err, fault.TokenRevoked, false)
}

func TestCreateWhereNothingMayBeCreated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &salesforcetest.Org{NoEnhancedEmail: true, NoTask: true})
	w.warm(t)
	var res []deliver.Result
	if n := w.cost(t, func() { res, _ = w.Create(t.Context(), append(mailsOf(1), tasksOf(1)...)) }); n != 0 {
		t.Errorf("took %d calls", n)
	}
	if len(res) != 2 || res[0].Err.Code != fault.EmailRefused || res[1].Err.Code != fault.PermissionMissing {
		t.Errorf("got %+v", res)
	}
}

// TestTextMovesToTheFieldThatIsOpen: a mail never loses its content to field security.
func TestTextMovesToTheFieldThatIsOpen(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{ReadOnlyFields: map[string][]string{"EmailMessage": {"TextBody"}}}
	w := newWorld(t, org)
	rec := mailOf(1)
	rec.Mail.HTML, rec.Mail.Text = "", "1 < 2 & more"
	rec.Mail.From[0].Addr = "not an address"
	w.mustCreate(t, []deliver.Record{rec})
	got := org.Records("EmailMessage")[0]
	if got["HtmlBody"] != "<pre>1 &lt; 2 &amp; more</pre>" {
		t.Errorf("body %q", got["HtmlBody"])
	}
	if got["FromAddress"] != nil || got["FromName"] != "Ann <not an address>" {
		t.Errorf("sender %v %v", got["FromAddress"], got["FromName"])
	}
}

// TestCollectionRefusedAsAWhole: one subrequest fails, the other's records exist.
func TestCollectionRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status  int
		code    string
		email   fault.Code
		unknown bool
	}{
		{404, "NOT_FOUND", fault.EmailRefused, false},
		{400, "INVALID_TYPE", fault.EmailRefused, false},
		{500, "UNKNOWN_EXCEPTION", fault.ServerError, true},
		{500, "A_CODE_OF_TOMORROW", fault.ServerError, true},
		{400, "REQUEST_LIMIT_EXCEEDED", fault.LimitReached, false},
	} {
		org := &salesforcetest.Org{}
		w := newWorld(t, org)
		w.warm(t)
		refused := `[{"errorCode":"` + c.code + `","message":"m"}]`
		status := map[int]string{404: "404", 400: "400", 500: "500"}[c.status]
		org.FailNext(1, 200, `{"compositeResponse":[{"body":`+refused+`,"httpStatusCode":`+status+`,"referenceId":"mails0"},`+
			`{"body":[{"errorCode":"PROCESSING_HALTED","message":""}],"httpStatusCode":400,"referenceId":"from0"},`+
			`{"body":[{"id":"00T000000000001AAA","success":true,"errors":[]}],"httpStatusCode":200,"referenceId":"mails1"}]}`)
		res, err := w.Create(t.Context(), append(mailsOf(2), tasksOf(3)[2:]...))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if f := res[i].Err; f == nil || f.Code != c.email || f.Unknown != c.unknown {
				t.Errorf("%s: record %d: %v", c.code, i, f)
			}
		}
		if res[2].Err != nil || res[2].ID != "00T000000000001AAA" || !res[2].Related {
			t.Errorf("%s: the task: %+v", c.code, res[2])
		}
	}
}

// TestAnswersThatDoNotFit leave every record in doubt.
func TestAnswersThatDoNotFit(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`[]`, `[{"id":"02s000000000001AAA","success":true,"errors":[]}]`, `[{"id":"short","success":true},{"id":null,"success":true}]`, `null`,
	} {
		org := &salesforcetest.Org{}
		w := newWorld(t, org)
		w.warm(t)
		org.FailNext(1, 200, `{"compositeResponse":[{"body":`+body+`,"httpStatusCode":200,"referenceId":"mails0"},{"body":[],"httpStatusCode":200,"referenceId":"from0"}]}`)
		res, err := w.Create(t.Context(), mailsOf(2))
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range res {
			if r.Err == nil || !r.Err.Unknown || r.Related {
				t.Errorf("%s: record %d: %+v", body, i, r)
			}
		}
	}
}

// TestObjectThatVanishes is not asked for again within the day.
func TestObjectThatVanishes(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{}
	w := newWorld(t, org)
	w.warm(t)
	org.FailNext(1, 200, `{"compositeResponse":[{"body":[{"errorCode":"INVALID_TYPE","message":"sObject type 'Contact' is not supported."}],"httpStatusCode":400,"referenceId":"q0"},`+
		`{"body":{"records":[]},"httpStatusCode":200,"referenceId":"q1"},{"body":{"records":[]},"httpStatusCode":200,"referenceId":"q2"},`+
		`{"body":{"records":[]},"httpStatusCode":200,"referenceId":"q3"}]}`)
	q := deliver.Query{Addresses: []string{"a@b.example"}}
	_, err := w.Find(t.Context(), q)
	wantFault(t, err, fault.ServerError, false)
	w.mustFind(t, q)
	if _, there := w.schema.objects[contact]; there {
		t.Error("the refused object is still asked for")
	}
}

// TestUploadIsNotHeldInMemory: 30 MB of files may not cost 30 MB.
func TestUploadIsNotHeldInMemory(t *testing.T) {
	w := withHandler(t, func(rw http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		if n < maxFileBytes {
			t.Errorf("only %d bytes arrived", n)
		}
		reply(rw, 200, `[{"id":"068000000000001AAA","success":true,"errors":[]}]`)
	})
	w.schema = &schema{at: time.Now(), version: "67.0", objects: map[string]*object{fileType: {
		name: fileType, create: true, fields: map[string]field{"FirstPublishLocationId": {Createable: true}},
	}}}
	f := deliver.File{RecordID: "02s000000000001AAA", Name: "a", Size: maxFileBytes, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(zeros{}, maxFileBytes)), nil
	}}
	grown := costtest.Allocated(func() {
		if res, err := w.Attach(t.Context(), []deliver.File{f}); err != nil || res[0].Err != nil {
			t.Errorf("%+v %v", res, err)
		}
	})
	if grown > 4<<20 {
		t.Errorf("allocated %d bytes", grown)
	}
}

// TestCreateBodyStandsInMemoryOnceAndSmall: 4 MB of mail are compressed while they are encoded.
func TestCreateBodyStandsInMemoryOnceAndSmall(t *testing.T) {
	text := strings.Repeat("Dear Ann, thank you for your offer of last week. ", 210)
	build := func(int) record { return record{"TextBody": text} }
	var packed int64
	grown := costtest.Allocated(func() {
		r := compositeRequest("op", "67.0", []sub{{ref: "a", path: "/x", count: 400, record: build}})
		_, packed, _ = r.body()
	})
	if packed > 400<<10 || grown > 6<<20 {
		t.Errorf("4 MB became %d bytes at the cost of %d", packed, grown)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
