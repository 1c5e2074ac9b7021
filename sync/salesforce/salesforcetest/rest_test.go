package salesforcetest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// step is one request and what its answer must hold; {name} stands for a saved id.
type step struct {
	method, path, body string
	status             int
	want               string // "" takes anything
	save               string // name under which the answer's "id" is kept
}

// run performs the steps in order.
func (w world) run(ids map[string]string, steps []step) {
	w.t.Helper()
	for _, s := range steps {
		for name, id := range ids {
			s.path, s.body = strings.ReplaceAll(s.path, "{"+name+"}", id), strings.ReplaceAll(s.body, "{"+name+"}", id)
			s.want = strings.ReplaceAll(s.want, "{"+name+"}", id)
		}
		if !strings.HasPrefix(s.path, "/services") && !strings.HasPrefix(s.path, "/partners") {
			s.path = api + s.path
		}
		status, body := w.do(s.method, s.path, s.body)
		if status != s.status || !strings.Contains(body, s.want) || status == 204 && body != "" {
			w.t.Errorf("%s %s %s\n answers %d %.400s\n want %d %s", s.method, s.path, s.body, status, body, s.status, s.want)
		}
		if s.save != "" {
			var made struct{ ID string }
			if err := json.Unmarshal([]byte(body), &made); err != nil || made.ID == "" {
				w.t.Fatalf("no id in %s", body)
			}
			ids[s.save] = made.ID
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	for id15, want := range map[string]string{"00D3D00000017Vm": "UAI", "0DB5p000000k9n9": "GAA", "0057i00000AA8cI": "AAT", "02sxx0000004C92": "AAE"} {
		if got := id18(id15); got != id15+want {
			t.Errorf("%s becomes %s, want ending %s", id15, got, want)
		}
	}
	for id, want := range map[string]bool{"02sxx0000004C92": true, "02sxx0000004C92AAE": true, "02sxx0000004C92AAA": false, "02sxx0000004C9": false, "02sxx0000004C9'": false, "": false} {
		if validID(id) != want {
			t.Errorf("validID(%q) is %v", id, !want)
		}
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{MailKey: true, ReadOnlyFields: map[string][]string{"Contact": {"Phone"}}, HideFields: map[string][]string{"Contact": {"Title"}}})
	w.run(map[string]string{}, []step{
		{"POST", "/sobjects/Contact", `{"LastName":"Lind","Email":"bo@x.example"}`, 201, `"success":true,"errors":[]}`, "bo"},
		{"POST", "/sobjects/contact/", `{"lastname":"Berg","attributes":{"type":"Contact"}}`, 201, "", ""},
		{"GET", "/sobjects/Contact/{bo}", "", 200, `{"attributes":{"type":"Contact","url":"/services/data/v67.0/sobjects/Contact/{bo}"},"Id":"{bo}"`, ""},
		{"GET", "/sobjects/Contact/{bo}?fields=email,LastName", "", 200, `"Email":"bo@x.example","LastName":"Lind"`, ""},
		{"GET", "/sobjects/Contact/{bo}?fields=Title", "", 400, `INVALID_FIELD`, ""},
		{"PATCH", "/sobjects/Contact/{bo}", `{"FirstName":"Bo","Email":null}`, 204, "", ""},
		{"GET", "/sobjects/Contact/{bo}?fields=Name,Email", "", 200, `"Name":"Bo Lind","Email":null`, ""},
		{"PATCH", "/sobjects/Contact/{bo}", `{"LastName":""}`, 400, `REQUIRED_FIELD_MISSING`, ""},
		{"PUT", "/sobjects/Contact/{bo}", `{}`, 405, `METHOD_NOT_ALLOWED`, ""},
		{"POST", "/sobjects/Contact", `{}`, 400, `[{"message":"Required fields are missing: [LastName]","errorCode":"REQUIRED_FIELD_MISSING","fields":["LastName"]}]`, ""},
		{"POST", "/sobjects/Contact", `{"LastName":"x","Nope":1}`, 400, `"message":"No such column 'Nope' on sobject of type Contact","errorCode":"INVALID_FIELD"`, ""},
		{"POST", "/sobjects/Contact", `{"LastName":"x","Title":"y"}`, 400, `INVALID_FIELD"`, ""},
		{"POST", "/sobjects/Contact", `{"LastName":"x","Phone":"1"}`, 400, `"message":"Unable to create/update fields: Phone. Please check`, ""},
		{"POST", "/sobjects/Contact", `{"LastName":"x","Name":"y"}`, 400, `INVALID_FIELD_FOR_INSERT_UPDATE`, ""},
		{"POST", "/sobjects/Contact", `{"LastName":"x","Email":"not one"}`, 400, `Email: invalid email address: not one`, ""},
		{"POST", "/sobjects/Contact", `{"LastName":"x","AccountId":"nope"}`, 400, `MALFORMED_ID`, ""},
		{"POST", "/sobjects/Contact", `{"LastName":"x","AccountId":"{bo}"}`, 400, `FIELD_INTEGRITY_EXCEPTION`, ""},
		{"POST", "/sobjects/Contact", `{"LastName":"x","AccountId":"001000000000001AAA"}`, 400, `INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY`, ""},
		{"POST", "/sobjects/Contact", `{"LastName":["x"]}`, 400, `JSON_PARSER_ERROR`, ""},
		{"POST", "/sobjects/Contact", `{"LastName":`, 400, `JSON_PARSER_ERROR`, ""},
		{"POST", "/sobjects/Task", `{"Subject":"` + strings.Repeat("x", 256) + `"}`, 400, `Subject: data value too large: xxx`, ""},
		{"POST", "/sobjects/Task", `{"TaskSubtype":"Nope"}`, 400, `INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST`, ""},
		{"POST", "/sobjects/Task", `{"Type":"Anything"}`, 201, ``, ""},
		{"POST", "/sobjects/Nope", `{}`, 404, `NOT_FOUND`, ""},
		{"GET", "/sobjects/Contact/003000000000001AAA", "", 404, `"errorCode":"NOT_FOUND"`, ""},
		{"PATCH", "/sobjects/Task/Mail_Key__c/k%2F1", `{"Subject":"one"}`, 201, `"created":true`, "task"},
		{"PATCH", "/sobjects/Task/Mail_Key__c/K%2F1", `{"Subject":"two"}`, 200, `{"id":"{task}","success":true,"errors":[],"created":false}`, ""},
		{"PATCH", "/services/data/v45.0/sobjects/Task/Mail_Key__c/k%2F1", `{"Subject":"three"}`, 204, "", ""},
		{"PATCH", "/sobjects/Task/Mail_Key__c/new?updateOnly=true", `{"Subject":"x"}`, 404, `NOT_FOUND`, ""},
		{"PATCH", "/sobjects/Task/Mail_Key__c/k%2F1", `{"Mail_Key__c":"x"}`, 400, `INVALID_FIELD`, ""},
		{"PATCH", "/sobjects/Task/Subject/x", `{}`, 404, `Provided external ID field does not exist or is not accessible: Subject`, ""},
		{"GET", "/sobjects/Task/Mail_Key__c/k%2F1", "", 200, `"Subject":"three"`, ""},
		{"POST", "/sobjects/Task", `{"Mail_Key__c":"K/1"}`, 400, `duplicate value found: Mail_Key__c duplicates value on record with id: 00T`, ""},
		{"DELETE", "/sobjects/Task/{task}", "", 204, "", ""},
		{"DELETE", "/sobjects/Task/{task}", "", 404, `ENTITY_IS_DELETED`, ""},
		{"POST", "/sobjects/Task", `{"Mail_Key__c":"K/1"}`, 201, ``, ""},
	})
}

func TestSeveralMatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{})
	a, b := w.AddContact("A", "same@x.example", ""), w.AddContact("B", "SAME@x.example", "")
	status, body := w.do("GET", api+"/sobjects/Contact/Email/same@x.example", "")
	want := fmt.Sprintf(`["%s/sobjects/Contact/%s","%s/sobjects/Contact/%s"]`, api, a, api, b)
	if status != 300 || body != want {
		t.Errorf("two matches answer %d %s", status, body)
	}
}

func TestVersionsAndDescribe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{NoEnhancedEmail: true, NoTask: true, HideFields: map[string][]string{"Contact": {"Email"}}, ReadOnlyFields: map[string][]string{"Contact": {"Phone"}}})
	w.run(nil, []step{
		{"GET", "/services/data/", "", 200, `{"label":"Summer '26","url":"/services/data/v67.0","version":"67.0"}]`, ""},
		{"GET", "/services/data/v31.0/sobjects/", "", 200, `"encoding":"UTF-8"`, ""},
		{"GET", "/services/data/v30.0/sobjects/", "", 410, `UNSUPPORTED_API_VERSION`, ""},
		{"GET", "/services/data/v68.0/sobjects/", "", 404, `NOT_FOUND`, ""},
		{"GET", "/services/data/vx/sobjects/", "", 404, `NOT_FOUND`, ""},
		{"GET", "", "", 200, `"identity":"http://127.0.0.1:`, ""},
		{"GET", SitePath + api + "/sobjects/Task/describe", "", 200, `"createable":false`, ""},
		{"GET", TwinPath + api + "/sobjects/Task/describe/", "", 200, `"keyPrefix":"00T"`, ""},
		{"GET", "/sobjects/Contact/describe", "", 200, `"name":"LastName"`, ""},
		{"GET", "/sobjects/EmailMessage/describe", "", 404, `NOT_FOUND`, ""},
		{"GET", "/sobjects/Contact", "", 200, `"objectDescribe"`, ""},
		{"GET", "/limits", "", 200, `"DailyApiRequests":{"Max":100000`, ""},
		{"GET", "/nothing/here", "", 404, `NOT_FOUND`, ""},
	})
	_, body := w.do("GET", api+"/sobjects/Contact/describe", "")
	var d struct {
		Fields []struct {
			Name                         string
			Createable, Nillable, Unique bool
		}
		ChildRelationships []struct{ RelationshipName string }
	}
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		t.Fatal(err)
	}
	for _, f := range d.Fields {
		if f.Name == "Email" || f.Name == "Phone" && f.Createable || f.Name == "LastName" && (f.Nillable || !f.Createable) {
			t.Errorf("describe shows %+v", f)
		}
	}
	if len(d.ChildRelationships) == 0 {
		t.Error("no child relationships")
	}
	// http.Get by hand: the header decides.
	for since, want := range map[string]int{"Sat, 17 Oct 2026 06:30:00 GMT": 304, "Sat, 17 Oct 2026 06:29:59 GMT": 200, "yesterday": 200} {
		req, err := http.NewRequest("GET", w.base+api+"/sobjects/Contact/describe", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "OAuth "+w.token)
		req.Header.Set("If-Modified-Since", since)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("describe since %s answers %d, want %d", since, res.StatusCode, want)
		}
	}
}

func TestHeadersAndCounting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{DailyLimit: 8, MaxJSON: 4000})
	header := func(path string) http.Header {
		req, err := http.NewRequest("GET", w.base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+w.token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.Header
	}
	if h := header("/services/data/"); h.Get("Sforce-Limit-Info") != "" || w.Calls() != 0 {
		t.Errorf("the version list is counted: %v", h)
	}
	h := header(api + "/sobjects")
	if h.Get("Sforce-Limit-Info") != "api-usage=1/8" || h.Get("Content-Type") != "application/json;charset=UTF-8" {
		t.Errorf("headers are %v", h)
	}
	w.run(nil, []step{
		{"POST", "/composite", `{"compositeRequest":[{"method":"GET","url":"/services/data/v67.0/sobjects","referenceId":"a"},{"method":"GET","url":"/services/data/v67.0/limits","referenceId":"b"}]}`, 200, "", ""},
		{"POST", "/composite/batch", `{"batchRequests":[{"method":"GET","url":"v67.0/sobjects"},{"method":"GET","url":"v67.0/limits"},{"method":"GET","url":"v67.0/sobjects/nope"}]}`, 200, `"hasErrors":true`, ""},
		{"POST", "/sobjects/Task", `{"Subject":"` + strings.Repeat("x", 5000) + `"}`, 413, "", ""},
		{"GET", "/sobjects", "", 200, "", ""}, {"GET", "/sobjects", "", 200, "", ""}, {"GET", "/sobjects", "", 200, "", ""},
		{"GET", "/sobjects", "", 403, `"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"`, ""},
	})
	if w.Calls() != 8 {
		t.Errorf("%d calls counted, want 8", w.Calls())
	}
	log := w.CallLog()
	if len(log) != 9 || fmt.Sprint(log[2].Parts) != "[GET /services/data/v67.0/sobjects GET /services/data/v67.0/limits]" || log[2].User != DefaultUsername {
		t.Errorf("log is %+v", log)
	}
}

func TestCompressedBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{})
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	fmt.Fprint(z, `{"Subject":"packed"}`)
	z.Close()
	req, err := http.NewRequest("POST", w.base+api+"/sobjects/Task", &b)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	req.Header.Set("Content-Encoding", "gzip")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if tasks := w.Records("Task"); res.StatusCode != 201 || len(tasks) != 1 || tasks[0]["Subject"] != "packed" {
		t.Errorf("a packed body answers %d, tasks %v", res.StatusCode, tasks)
	}
	req, err = http.NewRequest("GET", w.base+api+"/sobjects/Task/describe", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	req.Header.Set("Accept-Encoding", "gzip")
	if res, err = http.DefaultClient.Do(req); err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	zr, err := gzip.NewReader(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := io.ReadAll(zr); err != nil || !json.Valid(d) {
		t.Errorf("packed answer: %v", err)
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{})
	w.AddContact("Ann Example", "ann@x.example", "")
	w.AddLead("Ann Lead", "ann@x.example", "X")
	w.run(nil, []step{
		{"GET", "/search/?q=FIND+%7Bann%40x.example%7D+IN+EMAIL+FIELDS+RETURNING+Contact(Id,Name),Lead(Id)+LIMIT+20", "", 200, `"Name":"Ann Example"`, ""},
		{"GET", "/search?q=FIND+%7Bann%7D+RETURNING+Contact(Id,Name)", "", 200, `{"searchRecords":[{"attributes":{"type":"Contact"`, ""},
		{"GET", "/search?q=FIND+%7Bnobody%7D+RETURNING+Contact", "", 200, `{"searchRecords":[]}`, ""},
		{"GET", "/search?q=FIND+ann", "", 400, `MALFORMED_SEARCH`, ""},
		{"GET", "/parameterizedSearch?q=ann%40x.example&in=EMAIL&sobject=Lead&Lead.fields=Id,Name", "", 200, `"Name":"Ann Lead"`, ""},
		{"POST", "/parameterizedSearch", `{"q":"ann","fields":["Id"],"sobjects":[{"name":"Contact","fields":["Id","Email"]},{"name":"Lead"}]}`, 200, `"Email":"ann@x.example"`, ""},
	})
}

func TestHooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{
		Validate: func(object string, rec map[string]any) error {
			if object == "Task" && rec["Subject"] == "bad" {
				return errors.New("No bad tasks.")
			}
			return nil
		},
		Trigger: func(_ string, rec map[string]any) error {
			if rec["Subject"] == "flow" {
				return errors.New("The flow failed.")
			}
			return nil
		},
	})
	w.run(map[string]string{}, []step{
		{"POST", "/sobjects/Task", `{"Subject":"bad"}`, 400, `"message":"No bad tasks.","errorCode":"FIELD_CUSTOM_VALIDATION_EXCEPTION"`, ""},
		{"POST", "/sobjects/Task", `{"Subject":"flow"}`, 400, `CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY`, ""},
		{"POST", "/sobjects/Task", `{"Subject":"good"}`, 201, ``, "t"},
		{"PATCH", "/sobjects/Task/{t}", `{"Subject":"bad"}`, 400, `No bad tasks.`, ""},
	})
	if n := len(w.Records("Task")); n != 1 {
		t.Errorf("%d tasks, want 1", n)
	}
}
