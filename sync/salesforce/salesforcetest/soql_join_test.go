package salesforcetest

import (
	"net/url"
	"strings"
	"testing"
)

func TestSemiJoins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{})
	norden, other := w.AddAccount("Norden", ""), w.AddAccount("Other", "")
	ann := w.AddContact("Ann", "ann@norden.example", norden)
	w.AddContact("Bo", "bo@other.example", other)
	deal := w.AddOpportunity("Deal", norden)
	w.AddOpportunity("Second", other)
	w.Insert("OpportunityContactRole", map[string]any{"OpportunityId": deal, "ContactId": ann})
	const inner = "SELECT AccountId FROM Contact WHERE Email = 'ANN@norden.example'"
	for _, c := range []struct{ where, want string }{
		{"AccountId IN (" + inner + ")", "Deal"},
		{"IsClosed = false AND AccountId IN (" + inner + ")", "Deal"},
		{"AccountId NOT IN (" + inner + ")", "Second"},
		{"AccountId IN (SELECT Id FROM Account WHERE Name LIKE 'nor%')", "Deal"},
		{"AccountId IN (SELECT AccountId FROM Contact WHERE Name = 'nobody')", ""},
		{"Id IN (SELECT OpportunityId FROM OpportunityContactRole WHERE Contact.Name = 'Ann')", "Deal"},
		{"IsClosed = true OR AccountId IN (" + inner + ")", "MALFORMED_QUERY"},
		{"IsClosed = true AND (Name = 'x' OR AccountId IN (" + inner + "))", "MALFORMED_QUERY"},
		{"AccountId IN (SELECT Id FROM Contact)", "MALFORMED_QUERY"},
		{"AccountId IN (SELECT Name FROM Contact)", "MALFORMED_QUERY"},
		{"AccountId IN (SELECT AccountId, Id FROM Contact)", "MALFORMED_QUERY"},
		{"AccountId IN (SELECT AccountId FROM Contact LIMIT 1)", "MALFORMED_QUERY"},
		{"AccountId IN (SELECT AccountId FROM Nothing)", "INVALID_TYPE"},
		{"AccountId IN (SELECT AccountId FROM Contact", "MALFORMED_QUERY"},
	} {
		status, body := w.query("SELECT Name FROM Opportunity WHERE " + c.where)
		var got []string
		if rows, ok := body["records"].([]any); ok {
			for _, r := range rows {
				got = append(got, r.(map[string]any)["Name"].(string))
			}
		} else {
			got = []string{body["errorCode"].(string)}
		}
		if strings.Join(got, ",") != c.want {
			t.Errorf("%s: %d %q, want %q", c.where, status, got, c.want)
		}
	}
}

// TestClosedFollowsFromStage: whether an opportunity or a case is open is no field of its own.
func TestClosedFollowsFromStage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{})
	deal := w.AddOpportunity("Deal", w.AddAccount("Norden", ""))
	trouble := w.AddCase("It is broken", w.AddContact("Ann", "ann@norden.example", ""))
	w.run(map[string]string{"deal": deal, "trouble": trouble}, []step{
		{"GET", "/query?q=" + url.QueryEscape("SELECT Id FROM Opportunity WHERE IsClosed = false"), "", 200, "{deal}", ""},
		{"GET", "/sobjects/Case/{trouble}", "", 200, `"IsClosed":false`, ""},
		{"PATCH", "/sobjects/Opportunity/{deal}", `{"StageName":"Closed Won"}`, 204, "", ""},
		{"PATCH", "/sobjects/Case/{trouble}", `{"Status":"Closed"}`, 204, "", ""},
		{"GET", "/query?q=" + url.QueryEscape("SELECT Id FROM Opportunity WHERE IsClosed = false"), "", 200, `"totalSize":0`, ""},
		{"GET", "/sobjects/Case/{trouble}", "", 200, `"IsClosed":true`, ""},
	})
}

// TestPrivateObjects: a site user sees of a private object what is their own; NoDelete is what
// describe and the deletion say.
func TestPrivateObjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{External: true, Private: []string{"Contact"}, NoDelete: []string{"Task"}})
	uwe := w.AddUser(User{Username: "uwe@partners.example"})
	mine := w.AddContact("Mine", "mine@x.example", "")
	other := w.Insert("Contact", map[string]any{"LastName": "Other", "OwnerId": uwe.ID})
	task := w.Insert("Task", map[string]any{"Subject": "s"})
	w.run(map[string]string{"mine": mine, "other": other, "task": task}, []step{
		{"GET", "/sobjects/Contact/{mine}", "", 200, "Mine", ""},
		{"GET", "/sobjects/Contact/{other}", "", 404, "NOT_FOUND", ""},
		{"GET", "/query?q=" + url.QueryEscape("SELECT Id FROM Contact"), "", 200, `"totalSize":1`, ""},
		{"GET", "/sobjects/Task/describe", "", 200, `"deletable":false`, ""},
		{"DELETE", "/sobjects/Task/{task}", "", 400, "INSUFFICIENT_ACCESS_OR_READONLY", ""},
	})
}

// TestDeletedMailLeavesItsFiles: the links go with the mail, the documents stay.
func TestDeletedMailLeavesItsFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{})
	w.run(map[string]string{}, []step{
		{"POST", "/sobjects/EmailMessage", `{"Status":"3","Subject":"s"}`, 201, "", "mail"},
		{"POST", "/sobjects/ContentVersion", `{"PathOnClient":"a.txt","VersionData":"YQ==","FirstPublishLocationId":"{mail}"}`, 201, "", "file"},
		{"DELETE", "/sobjects/EmailMessage/{mail}", "", 204, "", ""},
	})
	if links, docs := len(w.Records("ContentDocumentLink")), len(w.Records("ContentDocument")); links != 1 || docs != 1 {
		t.Errorf("%d links and %d documents are left", links, docs) // the owner's own link
	}
}
