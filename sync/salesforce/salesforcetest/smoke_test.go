package salesforcetest

import (
	"net/http/httptest"
	"testing"
)

func TestSmoke(t *testing.T) {
	o := &Org{MailKey: true, External: true}
	srv := httptest.NewServer(o)
	defer srv.Close()
	access, _ := o.MintToken(DefaultUsername)
	c := client{t: t, base: srv.URL, token: access}
	o.AddContact("Ann Example", "ann@example.com", "")
	for _, u := range []string{"/services/data", "/services/data/v67.0", "/services/data/v67.0/sobjects/EmailMessage/describe",
		"/services/data/v67.0/query?q=SELECT+Id,Name,Email,Account.Name+FROM+Contact+WHERE+Email+IN+('ANN@example.com')"} {
		s, b := c.do("GET", u, "")
		if len(b) > 600 {
			b = b[:600]
		}
		t.Log(s, b)
	}
	t.Log(c.do("POST", "/services/data/v67.0/composite", `{"allOrNone":false,"compositeRequest":[{"method":"POST","url":"/services/data/v67.0/composite/sobjects","referenceId":"m","body":{"allOrNone":false,"records":[{"attributes":{"type":"EmailMessage"},"Subject":"x","Status":"3","TextBody":"hi","Mail_Key__c":"abc"}]}},
	{"method":"POST","url":"/services/data/v67.0/composite/sobjects","referenceId":"r","body":{"records":[{"attributes":{"type":"EmailMessageRelation"},"EmailMessageId":"@{m[0].id}","RelationType":"FromAddress","RelationAddress":"a@b.de"}]}}]}`))
	t.Log(o.Records("EmailMessage"), o.Records("Task"), o.Calls())
}
