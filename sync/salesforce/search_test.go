package salesforce

import (
	"strings"
	"testing"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/match"
	"hawser/sync/salesforce/salesforcetest"
)

// TestE04SearchAndLinkByID: the person finds a record by part of its name, as far as they may see
// it, and the mail is linked to it with its account, although the address is new.
func TestE04SearchAndLinkByID(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{External: true, MailKey: true, Private: []string{"Contact"}}
	d := newDesk(t, org)
	other := org.AddUser(salesforcetest.User{Username: "b@partners.example"})
	account := org.AddAccount("Acme", "")
	jane := org.AddContact("Jane Miller", "jane@home.example", account)
	deal := org.AddOpportunity("Deal", account)
	org.Insert("Contact", map[string]any{"LastName": "Miller", "Email": "m@x.example", "OwnerId": other.ID})
	lead := org.AddLead("Joe Miller", "joe@y.example", "Lead Inc")
	job := d.add(letter(1, "jane@new.example", myAddress, ""))
	job.Mark = capture.MarkRule
	d.deliver(t)
	if job.last.Code != fault.Unmatched {
		t.Fatalf("%+v", job.last)
	}
	before := org.Calls()
	found, err := d.Deliverer.Search(t.Context(), " miller ")
	if err != nil || len(found) != 2 || org.Calls() != before+1 {
		t.Fatalf("%v, %+v, %d calls", err, found, org.Calls()-before)
	}
	if p := found[0]; p.Type != match.Contact || p.ID != jane || p.Name != "Jane Miller" || p.AccountID != account || p.About != "jane@home.example" {
		t.Errorf("found %+v", p)
	}
	if p := found[1]; p.Type != match.Lead || p.ID != lead || p.About != "joe@y.example, Lead Inc" {
		t.Errorf("found %+v", p)
	}
	job.Answers, job.done = map[string]string{deliver.AnswerPerson + "jane@new.example": jane}, false
	if n := d.deliver(t); n != 3 { // the person, what is open for the account, the record
		t.Errorf("took %d calls", n)
	}
	if rec := d.only(t, "EmailMessage"); rec["RelatedToId"] != deal {
		t.Errorf("related to %v", rec["RelatedToId"])
	}
	if m := job.made.Matched; len(m) != 1 || m[0] != (match.Reason{Address: "jane@new.example", RecordID: jane}) {
		t.Errorf("matched %+v", m)
	}
}

// TestSearchOfHostileText: any text is a search for that text; what is too short costs nothing.
func TestSearchOfHostileText(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{}
	w := newWorld(t, org)
	w.warm(t)
	id := org.AddContact(`Ann "Quote" O'Neil`, "ann@x.example", "")
	for text, want := range map[string]int{`O'NEIL`: 1, `"quote"`: 1, "": 0, " x ": 0, "} RETURNING User(Id)": 0, `\' OR Id != '`: 0, strings.Repeat("long ", 200): 0, "a\x00n\nn": 0} {
		before := org.Calls()
		found, err := w.Search(t.Context(), text)
		if err != nil || len(found) != want || want == 1 && found[0].ID != id {
			t.Errorf("%q: %v, %+v", text, err, found)
		}
		if n := org.Calls() - before; n != 1 && len(strings.TrimSpace(text)) > 1 || n > 1 {
			t.Errorf("%q: %d calls", text, n)
		}
	}
	none := newWorld(t, &salesforcetest.Org{HideObjects: []string{"Contact", "Lead"}})
	if found, err := none.Search(t.Context(), "ann"); err != nil || found != nil {
		t.Errorf("without contacts and leads: %v, %+v", err, found)
	}
	org.FailNext(1, 403, `[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]`)
	_, err := w.Search(t.Context(), "ann")
	wantFault(t, err, fault.LimitReached, false)
}
