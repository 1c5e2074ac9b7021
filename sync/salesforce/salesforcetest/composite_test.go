package salesforcetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func part(method, path, ref, body string) string {
	if body == "" {
		return fmt.Sprintf(`{"method":%q,"url":%q,"referenceId":%q}`, method, api+path, ref)
	}
	return fmt.Sprintf(`{"method":%q,"url":%q,"referenceId":%q,"body":%s}`, method, api+path, ref, body)
}

// composite posts parts and returns the statuses and the bodies.
func (w world) composite(allOrNone bool, parts ...string) (statuses []int, bodies []string) {
	w.t.Helper()
	status, body := w.do("POST", api+"/composite", fmt.Sprintf(`{"allOrNone":%v,"compositeRequest":[%s]}`, allOrNone, strings.Join(parts, ",")))
	var out struct {
		CompositeResponse []struct {
			Body           json.RawMessage
			HTTPStatusCode int
		}
	}
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		return []int{status}, []string{body}
	}
	for _, r := range out.CompositeResponse {
		statuses, bodies = append(statuses, r.HTTPStatusCode), append(bodies, string(r.Body))
	}
	return statuses, bodies
}

func TestComposite(t *testing.T) {
	t.Parallel()
	mail := part("POST", "/sobjects/EmailMessage", "mail", `{"Subject":"s","Status":"3"}`)
	many := part("POST", "/composite/sobjects", "many", `{"records":[{"attributes":{"type":"EmailMessage"},"Subject":"a","Status":"3"},{"attributes":{"type":"EmailMessage"},"Status":"9"}]}`)
	rel := func(ref, from string) string {
		return part("POST", "/sobjects/EmailMessageRelation", ref, `{"EmailMessageId":"`+from+`","RelationType":"FromAddress","RelationAddress":"a@b.example"}`)
	}
	repeatPart := func(n int, path string) (out []string) {
		for i := range n {
			out = append(out, part("GET", path, fmt.Sprint("r", i), ""))
		}
		return out
	}
	query := "/query?q=SELECT+Id+FROM+Contact"
	for _, tc := range []struct {
		name      string
		allOrNone bool
		parts     []string
		statuses  string
		want      string // in any body
		mails     int
	}{
		{"chain", false, []string{mail, rel("from", "@{mail.id}"), part("GET", "/sobjects/EmailMessage/@{mail.id}?fields=ActivityId", "back", "")}, "[201 201 200]", `"ActivityId":"00T`, 1},
		{"into an array", false, []string{many, rel("from", "@{many[0].id}")}, "[200 201]", `"success":true`, 1},
		{"into a failed record", false, []string{many, rel("from", "@{many[1].id}")}, "[200 400]", `Invalid reference specified. No value for many[1].id found in many`, 1},
		{"out of range", false, []string{many, rel("from", "@{many[2].id}")}, "[200 400]", `PROCESSING_HALTED`, 1},
		{"into a failed part", false, []string{part("POST", "/sobjects/EmailMessage", "mail", `{"Status":"9"}`), rel("from", "@{mail.id}")}, "[400 400]", `No value for mail.id found in mail`, 0},
		{"into a query", false, []string{part("GET", "/query?q=SELECT+Id,Email,Account.Name+FROM+Contact", "q", ""), part("GET", "/sobjects/Contact/@{q.records[0].Id}", "c", "")}, "[200 200]", `"Email":"c@x.example"`, 0},
		{"a null is a value", false, []string{part("GET", "/query?q=SELECT+Phone+FROM+Contact", "q", ""), part("POST", "/sobjects/Contact", "c", `{"LastName":"x","Phone":"@{q.records[0].Phone}"}`)}, "[200 201]", ``, 0},
		{"all or none", true, []string{mail, part("POST", "/sobjects/Task", "t", `{"Nope":1}`), rel("from", "@{mail.id}")}, "[400 400 400]", `The transaction was rolled back since another operation in the same transaction failed.`, 0},
		{"outer flag overrides", true, []string{many, rel("from", "@{many[0].id}")}, "[200 400]", `PROCESSING_HALTED`, 0},
		{"26 parts", false, repeatPart(26, "/limits"), "[400]", `LIMIT_EXCEEDED`, 0},
		{"25 parts", false, repeatPart(25, "/limits"), "[200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200]", ``, 0},
		{"6 queries", false, repeatPart(6, query), "[400]", `limit of 5`, 0},
		{"5 queries", false, repeatPart(5, query), "[200 200 200 200 200]", ``, 0},
		{"bad reference id", false, []string{part("GET", "/limits", "a-b", "")}, "[400]", `referenceId`, 0},
		{"double reference id", false, []string{part("GET", "/limits", "a", ""), part("GET", "/limits", "a", "")}, "[400]", `referenceId`, 0},
		{"forbidden header", false, []string{`{"method":"GET","url":"` + api + `/limits","referenceId":"a","httpHeaders":{"accept":"x"}}`}, "[400]", `not allowed in a subrequest`, 0},
		{"relative url", false, []string{`{"method":"GET","url":"limits","referenceId":"a"}`}, "[404]", `NOT_FOUND`, 0},
		{"site url", false, []string{`{"method":"GET","url":"` + SitePath + api + `/limits","referenceId":"a"}`}, "[200]", ``, 0},
		{"lower case method", false, []string{`{"method":"get","url":"` + api + `/limits","referenceId":"a"}`}, "[400]", `METHOD_NOT_ALLOWED`, 0},
		{"nested", false, []string{part("POST", "/composite", "a", `{"compositeRequest":[]}`)}, "[400]", `INVALID_REQUEST`, 0},
		{"empty", false, nil, "[400]", ``, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, &Org{})
			w.AddContact("C", "c@x.example", "")
			statuses, bodies := w.composite(tc.allOrNone, tc.parts...)
			if fmt.Sprint(statuses) != tc.statuses || !strings.Contains(strings.Join(bodies, "\n"), tc.want) {
				t.Errorf("statuses %v, want %s; bodies:\n%s", statuses, tc.statuses, strings.Join(bodies, "\n"))
			}
			if n := len(w.Records("EmailMessage")); n != tc.mails {
				t.Errorf("%d mails, want %d", n, tc.mails)
			}
			if w.Calls() != 1 {
				t.Errorf("counted as %d calls", w.Calls())
			}
		})
	}
}

func TestCollections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{MailKey: true})
	records := func(n int, each string) string {
		return strings.TrimSuffix(strings.Repeat(each+",", n), ",")
	}
	task := `{"attributes":{"type":"Task"},"Subject":"t"}`
	contact := `{"attributes":{"type":"Contact"},"LastName":"c"}`
	id := w.Insert("Task", map[string]any{"Subject": "old"})
	gone := w.Insert("Task", map[string]any{"Subject": "gone"})
	ids := map[string]string{"id": id, "gone": gone}
	w.run(ids, []step{
		{"POST", "/composite/sobjects", `{"records":[` + records(200, task) + `]}`, 200, `"success":true`, ""},
		{"POST", "/composite/sobjects", `{"records":[` + records(201, task) + `]}`, 400, `record limit reached. cannot submit more than 200 records into this call`, ""},
		{"POST", "/composite/sobjects", `{"records":[]}`, 400, ``, ""},
		{"POST", "/composite/sobjects", `{"records":[` + records(5, task+","+contact) + `]}`, 200, `"success":true`, ""},
		{"POST", "/composite/sobjects", `{"records":[` + records(6, task+","+contact) + `]}`, 400, `10 chunks`, ""},
		{"POST", "/composite/sobjects", `{"records":[{"Subject":"no type"}]}`, 200, `"statusCode":"INVALID_TYPE"`, ""},
		{"POST", "/composite/sobjects", `{"records":[` + task + `,{"attributes":{"type":"Task"},"Subject":"` + strings.Repeat("x", 256) + `"}]}`, 200, `},{"success":false,"errors":[{"statusCode":"STRING_TOO_LONG"`, ""},
		{"POST", "/composite/sobjects", `{"allOrNone":true,"records":[{"attributes":{"type":"Task"},"Mail_Key__c":"undone"},{"attributes":{"type":"Task"},"Nope":1}]}`, 200, `"ALL_OR_NONE_OPERATION_ROLLED_BACK"`, ""},
		{"GET", "/sobjects/Task/Mail_Key__c/undone", "", 404, ``, ""},
		{"PATCH", "/composite/sobjects", `{"records":[{"attributes":{"type":"Task"},"id":"{id}","Subject":"new"},{"attributes":{"type":"Task"},"Subject":"x"}]}`, 200, `"statusCode":"MISSING_ARGUMENT"`, ""},
		{"PATCH", "/composite/sobjects/Task/Mail_Key__c", `{"records":[{"attributes":{"type":"Task"},"Mail_Key__c":"k","Subject":"1"},{"attributes":{"type":"Task"},"Mail_Key__c":"K","Subject":"2"}]}`, 200, `"created":false`, ""},
		{"PATCH", "/composite/sobjects/Task/Nope", `{"records":[` + task + `]}`, 404, `Provided external ID field`, ""},
		{"DELETE", "/composite/sobjects?ids={gone},00T000000000001EAA", "", 200, `{"id":"{gone}","success":true,"errors":[]},{"success":false,"errors":[{"statusCode":"INVALID_CROSS_REFERENCE_KEY"`, ""},
		{"POST", "/composite/sobjects/Task", `{"ids":["{id}","{gone}","junk"],"fields":["Subject"]}`, 200, `"Subject":"new","Id":"{id}"},null,null]`, ""},
		{"POST", "/composite/sobjects/Task", `{"ids":["{id}"],"fields":["Nope"]}`, 400, `INVALID_FIELD`, ""},
		{"GET", "/composite/sobjects/Task?ids={id}&fields=Subject", "", 200, `"Subject":"new"`, ""},
	})
}

func TestTreeAndGraph(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{})
	w.run(nil, []step{
		{"POST", "/composite/tree/Account", `{"records":[{"attributes":{"type":"Account","referenceId":"a"},"Name":"A","Contacts":{"records":[{"attributes":{"type":"Contact","referenceId":"c"},"LastName":"C"}]}}]}`, 201, `{"hasErrors":false,"results":[{"referenceId":"a","id":"001`, ""},
		{"POST", "/composite/tree/Account", `{"records":[{"attributes":{"type":"Account","referenceId":"a"},"Name":"B","Contacts":{"records":[{"attributes":{"type":"Contact","referenceId":"c"},"Email":"123"}]}}]}`, 400, `{"hasErrors":true,"results":[{"referenceId":"c","errors":[{"statusCode":"INVALID_EMAIL_ADDRESS"`, ""},
		{"POST", "/composite/graph", `{"graphs":[{"graphId":"1","compositeRequest":[` + part("POST", "/sobjects/Account", "a", `{"Name":"G"}`) + `]},{"graphId":"2","compositeRequest":[` + part("POST", "/sobjects/Account", "a", `{"Name":"H"}`) + "," + part("POST", "/sobjects/Account", "b", `{}`) + `]}]}`, 200, `"isSuccessful":false`, ""},
	})
	names := []any{}
	for _, a := range w.Records("Account") {
		names = append(names, a["Name"])
	}
	if fmt.Sprint(names) != "[A G]" {
		t.Errorf("accounts are %v, want A and G", names)
	}
}
