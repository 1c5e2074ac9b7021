package salesforcetest

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// fillPage puts records of every kind into an org.
func fillPage(o *Org) (mail string) {
	acc := o.AddAccount("Norden Shipping", "https://norden.example")
	ann := o.AddContact("Ingrid Sørensen", "ingrid@norden.example", acc)
	lead := o.AddLead("Marek Novák", "marek@havel.example", "Havel & syn")
	files := o.Insert("ContentVersion", map[string]any{"PathOnClient": "Quay plan.pdf", "VersionData": []byte(strings.Repeat("pdf", 9000))})
	doc := o.Records("ContentVersion")[0]["ContentDocumentId"]
	_ = files
	for i, s := range []string{"Berth 4 on Thursday", "Re: Berth 4 on Thursday", "見積書の件", "Invoice 2026-118", ""} {
		o.Insert("EmailMessage", map[string]any{"Subject": s, "FromName": "Ingrid Sørensen", "FromAddress": "ingrid@norden.example", "Status": "3",
			"TextBody": "Good morning,\n\nthe Hawser lies ready at berth 4.\n\nIngrid", "ToIds": []string{ann, lead}, "ToAddress": "dispatch@unknown.example",
			"MessageDate": time.Date(2026, 11, 20+i, 8, 30, 0, 0, time.UTC), "Incoming": true, "MessageIdentifier": "<a" + s + "@norden.example>"})
	}
	mail = o.Insert("EmailMessage", map[string]any{"Subject": "Quay plan <script>alert(1)</script>", "FromName": "Marek Novák", "FromAddress": "marek@havel.example", "Status": "3",
		"HtmlBody": `<p style="color:#0b5cab;font:18px Georgia">Dear Ann, <b>the plan</b> is attached.</p><table border=1 cellpadding=6><tr><td>Berth</td><td>4</td></tr><tr><td>Depth</td><td>11.2 m</td></tr></table><script>top.location='http://evil.example'</script><img src="http://tracker.example/x.png">`,
		"ToIds":    []string{ann}, "CcIds": []string{lead}, "FromId": lead, "RelatedToId": acc, "Incoming": true, "ContentDocumentIds": []string{doc.(string)},
		"MessageDate": time.Date(2026, 11, 25, 9, 12, 0, 0, time.UTC), "MessageIdentifier": "<quay@havel.example>"})
	o.Insert("Task", map[string]any{"Subject": "Call the harbour office", "WhoId": ann, "Description": "About the tide.", "ActivityDate": "2026-11-25"})
	return mail
}

func TestPage(t *testing.T) {
	t.Parallel()
	o := &Org{}
	mail := fillPage(o)
	srv := httptest.NewServer(o)
	t.Cleanup(srv.Close)
	c := client{t: t, base: srv.URL}
	for _, tc := range []struct {
		path   string
		status int
		want   []string
	}{
		{"/_org/", 200, []string{"Quay plan &lt;script&gt;alert(1)", "Ingrid Sørensen", "見積書の件", "(no subject)", `src="/_org/html/` + mail, "Account Norden Shipping", "Quay plan.pdf"}},
		{"/_org/tasks", 200, []string{"Call the harbour office", "About the tide."}},
		{"/_org/files", 200, []string{"27.0 kB", "MD5"}},
		{"/_org/contacts", 200, []string{"ingrid@norden.example"}},
		{"/_org/leads", 200, []string{"Havel &amp; syn"}},
		{"/_org/calls", 200, []string{"Requests"}},
		{"/_org/list?view=mails", 200, []string{"Berth 4 on Thursday"}},
		{"/_org/mails/" + mail + "?part=detail", 200, []string{"Lead Marek Novák", "&lt;quay@havel.example&gt;"}},
		{"/_org/html/" + mail, 200, []string{"the plan"}},
		{"/_org/nowhere", 404, nil},
		{"/_org/mails/02sHw0000000000AAA", 404, nil},
		{"/_org/html/nothing", 404, nil},
	} {
		status, body := c.do("GET", tc.path, "")
		if status != tc.status {
			t.Errorf("%s answers %d, want %d", tc.path, status, tc.status)
		}
		for _, w := range tc.want {
			if !strings.Contains(body, w) {
				t.Errorf("%s lacks %q", tc.path, w)
			}
		}
		if strings.Contains(body, "<script>alert") {
			t.Errorf("%s holds a mail's script", tc.path)
		}
	}
}

func TestPageIsGuarded(t *testing.T) {
	t.Parallel()
	o := &Org{}
	mail := fillPage(o)
	get := func(path, host string) *http.Response {
		r := httptest.NewRequest("GET", path, nil)
		r.Host = host
		w := httptest.NewRecorder()
		o.ServeHTTP(w, r)
		return w.Result()
	}
	if res := get("/_org/", "evil.example:8080"); res.StatusCode != 403 {
		t.Errorf("a foreign host name gets %d, want 403", res.StatusCode)
	}
	if csp := get("/_org/", "localhost:8080").Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("page policy is %q", csp)
	}
	if csp := get("/_org/html/"+mail, "127.0.0.1").Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "sandbox;") {
		t.Errorf("mail policy is %q", csp)
	}
	file, _ := o.Records("ContentVersion")[0]["Id"].(string)
	if d := get("/_org/file/"+file, "[::1]:80").Header.Get("Content-Disposition"); d != "attachment; filename*=UTF-8''Quay%20plan.pdf" {
		t.Errorf("file disposition is %q", d)
	}
}

func TestPageFollows(t *testing.T) {
	t.Parallel()
	o := &Org{}
	srv := httptest.NewServer(o)
	t.Cleanup(srv.Close)
	res, err := http.Get(srv.URL + "/_org/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	next := func() string {
		for lines.Scan() {
			if s, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return s
			}
		}
		t.Fatal("the event stream ended")
		return ""
	}
	if s := next(); !strings.Contains(s, `"contacts":0`) {
		t.Errorf("first event is %s", s)
	}
	o.AddContact("A B", "a@b.example", "")
	if s := next(); !strings.Contains(s, `"contacts":1`) {
		t.Errorf("second event is %s", s)
	}
	res.Body.Close()
	for range 200 {
		o.mu.Lock()
		n := len(o.subs)
		o.mu.Unlock()
		if n == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("a follower that left is still served")
}
