package salesforcetest

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
)

func TestEmailMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{MailKey: true})
	acc := w.AddAccount("Norden", "")
	ann := w.AddContact("Ann Lind", "ann@x.example", acc)
	lead := w.AddLead("Leo Berg", "leo@y.example", "Y")
	kase := w.Insert("Case", map[string]any{"Subject": "case"})
	ids := map[string]string{"acc": acc, "ann": ann, "lead": lead, "case": kase}
	w.run(ids, []step{
		{"POST", "/sobjects/EmailMessage", `{"Subject":"s"}`, 400, `Required fields are missing: [Status]`, ""},
		{"POST", "/sobjects/EmailMessage", `{"Status":"1"}`, 400, `FIELD_INTEGRITY_EXCEPTION`, ""},
		{"POST", "/sobjects/EmailMessage", `{"Status":"9"}`, 400, `INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST`, ""},
		{"POST", "/sobjects/EmailMessage", `{"Status":"3","RelatedToId":"{ann}"}`, 400, `FIELD_INTEGRITY_EXCEPTION`, ""},
		{"POST", "/sobjects/EmailMessage", `{"Status":"3","ToIds":["{acc}"]}`, 400, `FIELD_INTEGRITY_EXCEPTION`, ""},
		{"POST", "/sobjects/EmailMessage", `{"Status":"3","ToIds":"{ann}"}`, 400, `JSON_PARSER_ERROR`, ""},
		{"POST", "/sobjects/EmailMessage", `{"Status":"3","ToIds":["003000000000001"]}`, 400, `INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY`, ""},
		{"POST", "/sobjects/EmailMessage", `{"Status":"3","FromAddress":"no address"}`, 400, `INVALID_EMAIL_ADDRESS`, ""},
		{"POST", "/sobjects/EmailMessage", `{"Status":"3","Subject":"Quote","HtmlBody":"<style>p{}</style><p>Dear &amp; near</p><p>two</p>","ToIds":["{ann}"],"CcIds":["{lead}"],"FromAddress":"bo@z.example","RelatedToId":"{acc}","MessageDate":"2026-11-23T09:15:00+01:00","Incoming":true,"MessageIdentifier":"<a@b>","IsClientManaged":true,"Mail_Key__c":"k1"}`, 201, "", "mail"},
		{"GET", "/sobjects/EmailMessage/{mail}?fields=TextBody,Name,HasAttachment,MessageDate", "", 200, `"TextBody":"Dear & near\ntwo","Name":"Quote","HasAttachment":false,"MessageDate":"2026-11-23T08:15:00.000+0000"`, ""},
		{"POST", "/sobjects/EmailMessageRelation", `{"EmailMessageId":"{mail}","RelationType":"FromAddress","RelationAddress":"bo@z.example"}`, 201, "", "from"},
		{"PATCH", "/sobjects/EmailMessage/{mail}", `{"Subject":"other"}`, 400, `INSUFFICIENT_ACCESS_OR_READONLY`, ""},
		{"PATCH", "/sobjects/EmailMessage/{mail}", `{"Mail_Key__c":"k2","IsExternallyVisible":true,"RelatedToId":null}`, 204, "", ""},
		{"PATCH", "/sobjects/EmailMessage/Mail_Key__c/K2", `{"Subject":"again"}`, 400, `INSUFFICIENT_ACCESS_OR_READONLY`, ""},
		{"POST", "/sobjects/EmailMessage", `{"Status":"5","Subject":"draft"}`, 201, "", "draft"},
		{"PATCH", "/sobjects/EmailMessage/{draft}", `{"Subject":"better"}`, 204, "", ""},
		{"POST", "/sobjects/EmailMessage", `{"Status":"0","ParentId":"{case}","Incoming":true}`, 201, "", "casemail"},
		{"GET", "/sobjects/EmailMessage/{casemail}?fields=ActivityId", "", 200, `"ActivityId":null`, ""},
		{"GET", "/sobjects/EmailMessage/{draft}?fields=ActivityId", "", 200, `"ActivityId":null`, ""},
	})
	if tasks := w.Records("Task"); len(tasks) != 1 || tasks[0]["TaskSubtype"] != "Email" || tasks[0]["Status"] != "Completed" || tasks[0]["IsClosed"] != true ||
		tasks[0]["WhoId"] != ann || tasks[0]["WhatId"] != acc || tasks[0]["AccountId"] != acc || tasks[0]["ActivityDate"] != "2026-11-23" {
		t.Errorf("tasks are %v", tasks)
	}
	var rels []string
	for _, r := range w.Records("EmailMessageRelation") {
		rels = append(rels, fmt.Sprint(r["RelationType"], r["RelationAddress"], r["RelationObjectType"]))
	}
	if got := strings.Join(rels, " "); got != "ToAddressann@x.exampleContact CcAddressleo@y.exampleLead FromAddressbo@z.example<nil>" {
		t.Errorf("relations are %s", got)
	}
	w.run(ids, []step{{"DELETE", "/sobjects/EmailMessage/{mail}", "", 204, "", ""}})
	if n, m := len(w.Records("EmailMessageRelation")), len(w.Records("Task")); n != 0 || m != 0 {
		t.Errorf("%d relations and %d tasks survive their mail", n, m)
	}
}

func TestEmailSwitches(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{RefuseEmail: true})
	w.run(nil, []step{
		{"GET", "/sobjects/EmailMessage/describe", "", 200, `"createable":true`, ""},
		{"POST", "/sobjects/EmailMessage", `{"Status":"3"}`, 400, `INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY`, ""},
	})
	w = newWorld(t, &Org{NoEnhancedEmail: true, NoTask: true, NoFiles: true})
	w.run(nil, []step{
		{"POST", "/sobjects/EmailMessage", `{"Status":"3"}`, 404, `NOT_FOUND`, ""},
		{"GET", "/query?q=SELECT+Id+FROM+EmailMessage", "", 400, `INVALID_TYPE`, ""},
		{"POST", "/sobjects/Task", `{}`, 400, `CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY`, ""},
		{"POST", "/sobjects/ContentVersion", `{"PathOnClient":"a","VersionData":"YQ=="}`, 400, `CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY`, ""},
	})
}

// TestSiteUsers: what one site user sees of another's mails and tasks.
func TestSiteUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{External: true, MailKey: true})
	other := w.AddUser(User{Username: "bo@partners.example"})
	ids := map[string]string{}
	w.run(ids, []step{
		{"POST", "/sobjects/EmailMessage", `{"Status":"3","MessageIdentifier":"<a@b>","BccAddress":"x@y.example","Mail_Key__c":"k"}`, 201, "", "mail"},
		{"POST", "/sobjects/Task", `{"Subject":"mine"}`, 201, "", "task"},
		{"POST", "/sobjects/Task", `{"Subject":"public","IsVisibleInSelfService":true}`, 201, "", "public"},
		{"POST", "/sobjects/ContentVersion", `{"PathOnClient":"a.txt","VersionData":"YQ=="}`, 400, `Required fields are missing: [NetworkId]`, ""},
		{"POST", "/sobjects/ContentVersion", `{"PathOnClient":"a.txt","VersionData":"YQ==","NetworkId":"` + w.NetworkID() + `"}`, 201, "", ""},
		{"GET", "/limits", "", 403, "", ""},
		{"GET", "/query?q=SELECT+COUNT()+FROM+EmailMessage+WHERE+MessageIdentifier='%3Ca@b%3E'", "", 200, `"totalSize":1`, ""},
	})
	w.token, _ = w.MintToken(other.ID)
	w.run(ids, []step{
		{"GET", "/query?q=SELECT+COUNT()+FROM+EmailMessage+WHERE+MessageIdentifier='%3Ca@b%3E'", "", 200, `"totalSize":0`, ""},
		{"GET", "/sobjects/EmailMessage/{mail}", "", 404, `NOT_FOUND`, ""},
		{"GET", "/query?q=SELECT+Subject+FROM+Task", "", 200, `"totalSize":1,"done":true,"records":[{"attributes":{"type":"Task","url":"/services/data/v67.0/sobjects/Task/{public}"}`, ""},
		{"POST", "/sobjects/EmailMessageRelation", `{"EmailMessageId":"{mail}","RelationType":"ToAddress"}`, 400, `INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY`, ""},
		{"POST", "/sobjects/EmailMessage", `{"Status":"3","Mail_Key__c":"K"}`, 400, `DUPLICATE_VALUE`, ""},
	})
}

func TestTask(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{})
	acc := w.AddAccount("Norden", "")
	ids := map[string]string{"acc": acc, "ann": w.AddContact("Ann", "", acc), "lead": w.AddLead("Leo", "", "Y")}
	w.run(ids, []step{
		{"POST", "/sobjects/Task", `{"WhoId":"{lead}","WhatId":"{acc}"}`, 400, `FIELD_INTEGRITY_EXCEPTION`, ""},
		{"POST", "/sobjects/Task", `{"WhoId":"{lead}"}`, 201, ``, ""},
		{"POST", "/sobjects/Task", `{"TaskWhoIds":["{ann}"]}`, 400, `INVALID_FIELD`, ""},
		{"POST", "/sobjects/Task", `{"WhoId":"{ann}","Description":"` + strings.Repeat(`x\r\n`, 16000) + `"}`, 201, ``, "task"},
		{"POST", "/sobjects/Task", `{"Description":"` + strings.Repeat("😀", 16001) + `"}`, 400, `STRING_TOO_LONG`, ""},
		{"GET", "/sobjects/Task/{task}?fields=AccountId,Status,IsClosed,Priority", "", 200, `"AccountId":"{acc}","Status":"Not Started","IsClosed":false,"Priority":"Normal"`, ""},
		{"PATCH", "/sobjects/Task/{task}", `{"Status":"Completed"}`, 204, ``, ""},
		{"GET", "/sobjects/Task/{task}?fields=IsClosed,CompletedDateTime", "", 200, `"IsClosed":true,"CompletedDateTime":"2026-`, ""},
		{"PATCH", "/sobjects/Task/{task}", `{"Status":"In Progress"}`, 204, ``, ""},
		{"GET", "/sobjects/Task/{task}?fields=IsClosed,CompletedDateTime", "", 200, `"IsClosed":false,"CompletedDateTime":null`, ""},
	})
	w = newWorld(t, &Org{SharedActivities: true})
	ids = map[string]string{"ann": w.AddContact("Ann", "", ""), "bo": w.AddContact("Bo", "", ""), "lead": w.AddLead("Leo", "", "Y")}
	w.run(ids, []step{
		{"POST", "/sobjects/Task", `{"TaskWhoIds":["{ann}","{lead}"]}`, 400, `FIELD_INTEGRITY_EXCEPTION`, ""},
		{"POST", "/sobjects/Task", `{"TaskWhoIds":["{bo}","{ann}"]}`, 201, ``, "task"},
		{"GET", "/sobjects/Task/{task}?fields=WhoId", "", 200, `"WhoId":"{bo}"`, ""},
	})
}

// form builds a multipart body; a file part has a non-empty third value.
func form(t *testing.T, parts ...[3]string) (contentType string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for _, p := range parts {
		h := textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name=%q`, p[0])}, "Content-Type": {"application/json"}}
		if p[2] != "" {
			h = textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name=%q; filename=%q`, p[0], p[2])}, "Content-Type": {"application/octet-stream"}}
		}
		part, err := m.CreatePart(h)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(part, p[1])
	}
	m.Close()
	return `multipart/form-data; boundary="` + m.Boundary() + `"`, b.Bytes()
}

func (w world) post(path, contentType string, body []byte) (int, string) {
	w.t.Helper()
	req, err := http.NewRequest("POST", w.base+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	req.Header.Set("Content-Type", contentType)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{})
	mail := w.Insert("EmailMessage", map[string]any{"Status": "3"})
	doc := [3]string{"entity_content", `{"Title":"Plan","PathOnClient":"C:\\x\\plan.PDF","FirstPublishLocationId":"` + mail + `"}`, ""}
	blob := [3]string{"VersionData", "bytes \x00\xff of a plan", "plan.pdf"}
	for _, parts := range [][][3]string{{doc, blob}, {blob, doc}} {
		kind, body := form(t, parts...)
		if status, answer := w.post(api+"/sobjects/ContentVersion", kind, body); status != 201 {
			t.Fatalf("upload: %d %s", status, answer)
		}
	}
	v := w.Records("ContentVersion")[1]
	sum := md5.Sum([]byte(blob[1]))
	if v["Checksum"] != hex.EncodeToString(sum[:]) || v["ContentSize"] != float64(len(blob[1])) || v["Title"] != "Plan" || v["FileType"] != "PDF" || string(w.File(v["Id"].(string))) != blob[1] {
		t.Errorf("version is %v", v)
	}
	if m := w.Records("EmailMessage")[0]; m["HasAttachment"] != true {
		t.Error("the mail does not know of its file")
	}
	status, body := w.query("SELECT ContentDocumentId, ContentDocument.Title FROM ContentDocumentLink WHERE LinkedEntityId = '" + mail + "'")
	if status != 200 || body["totalSize"] != 2.0 {
		t.Errorf("links: %d %v", status, body)
	}
	if s, got := w.do("GET", api+"/sobjects/ContentVersion/"+v["Id"].(string)+"/VersionData", ""); s != 200 || got != blob[1] {
		t.Errorf("download: %d %q", s, got)
	}
	docID, _ := v["ContentDocumentId"].(string)
	w.run(map[string]string{"doc": docID, "mail": mail, "v": v["Id"].(string)}, []step{
		{"POST", "/sobjects/ContentDocumentLink", `{"ContentDocumentId":"{doc}","LinkedEntityId":"{mail}","ShareType":"V"}`, 400, `DUPLICATE_VALUE`, ""},
		{"POST", "/sobjects/EmailMessage", `{"Status":"3","ContentDocumentIds":["{doc}"]}`, 201, ``, "second"},
		{"GET", "/query?q=SELECT+Id+FROM+ContentDocumentLink+WHERE+LinkedEntityId='{second}'", "", 200, `"totalSize":1`, ""},
		{"POST", "/sobjects/ContentVersion", `{"ContentDocumentId":"{doc}","PathOnClient":"b.txt","VersionData":"YQ=="}`, 201, ``, ""},
		{"GET", "/sobjects/ContentVersion/{v}?fields=IsLatest", "", 200, `"IsLatest":false`, ""},
		{"POST", "/sobjects/ContentVersion", `{"PathOnClient":"b.txt","VersionData":"%%"}`, 400, `JSON_PARSER_ERROR`, ""},
		{"POST", "/sobjects/ContentVersion", `{"PathOnClient":"b.txt"}`, 400, `VersionData`, ""},
		{"POST", "/composite", `{"compositeRequest":[` + part("GET", "/sobjects/ContentVersion/{v}/VersionData", "a", "") + `]}`, 200, `INVALID_REQUEST`, ""},
	})
	if f := w.File("068000000000001AAA"); f != nil {
		t.Errorf("a file that does not exist holds %q", f)
	}
}

func TestManyFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{})
	mail := w.Insert("EmailMessage", map[string]any{"Status": "3"})
	var records []string
	parts := make([][3]string, 1)
	for i := range 200 {
		records = append(records, fmt.Sprintf(`{"attributes":{"type":"ContentVersion","binaryPartName":"bin%d","binaryPartNameAlias":"VersionData"},"PathOnClient":"%d.txt","FirstPublishLocationId":%q}`, i, i, mail))
		parts = append(parts, [3]string{fmt.Sprint("bin", i), fmt.Sprint("content ", i), fmt.Sprintf("%d.txt", i)})
	}
	parts[0] = [3]string{"collection", `{"allOrNone":false,"records":[` + strings.Join(records, ",") + `]}`, ""}
	kind, body := form(t, parts...)
	status, answer := w.post(api+"/composite/sobjects", kind, body)
	if status != 200 || strings.Count(answer, `"success":true`) != 200 || w.Calls() != 1 {
		t.Fatalf("200 files: %d %.300s, %d calls", status, answer, w.Calls())
	}
	for i, v := range w.Records("ContentVersion") {
		if got := string(w.File(v["Id"].(string))); got != fmt.Sprint("content ", i) {
			t.Errorf("file %d holds %q", i, got)
		}
	}
	parts = [][3]string{{"c", `{"records":[` + records[0] + `]}`, ""}, {"other", "x", "x"}}
	kind, body = form(t, parts...)
	if status, answer := w.post(api+"/composite/sobjects", kind, body); status != 200 || !strings.Contains(answer, "INVALID_MULTIPART_REQUEST") {
		t.Errorf("a record without its part: %d %s", status, answer)
	}
	for _, bad := range [][][3]string{{{"a", "x", "x"}}, {{"", `{}`, ""}, {"a", "x", "x"}, {"a", "y", "y"}}} {
		kind, body = form(t, bad...)
		if status, answer := w.post(api+"/composite/sobjects", kind, body); status != 400 || !strings.Contains(answer, "INVALID_MULTIPART_REQUEST") {
			t.Errorf("%v answers %d %s", bad, status, answer)
		}
	}
	if status, _ := w.post(api+"/composite/sobjects", "multipart/form-data; boundary="+strings.Repeat("b", 71), body); status != 400 {
		t.Errorf("a long boundary answers %d", status)
	}
	if status, _ := w.post(api+"/composite/sobjects", kind, body[:len(body)-30]); status != 400 {
		t.Errorf("a cut body answers %d", status)
	}
}

func FuzzMultipart(f *testing.F) {
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"c\"\r\n\r\n{}\r\n--b\r\nContent-Disposition: form-data; name=\"x\"; filename=\"y\"\r\n\r\nbytes\r\n--b--\r\n"))
	f.Add([]byte("--b--"))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := readMultipart(bytes.NewReader(body), "b")
		if err != nil {
			t.Fatal(err)
		}
		if p.bad == nil && p.doc == nil {
			t.Error("no document and no complaint")
		}
	})
}
