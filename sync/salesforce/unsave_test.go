package salesforce

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/salesforce/salesforcetest"
)

// count is how many records of each object there are.
func (d *desk) count(objects ...string) string {
	var out []string
	for _, o := range objects {
		out = append(out, fmt.Sprint(len(d.org.Records(o)), " ", o))
	}
	return strings.Join(out, ", ")
}

var madeBySaving = []string{"EmailMessage", "EmailMessageRelation", "Task", "ContentDocument", "ContentVersion", "ContentDocumentLink"}

// TestC06UnsaveRemovesWhatWasMadeAndOnlyThat: the record, its relations, its task and its files go;
// what the person or somebody else added stays, and so does every other mail.
func TestC06UnsaveRemovesWhatWasMadeAndOnlyThat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		org   *salesforcetest.Org
		calls int
	}{
		{&salesforcetest.Org{MailKey: true}, 4}, // look, look at the files, remove, remove the task
		{&salesforcetest.Org{External: true}, 4},
		{&salesforcetest.Org{NoEnhancedEmail: true}, 3},
	} {
		d := newDesk(t, c.org)
		d.add(withFiles(1, "jane@x.example", myAddress, "a.txt", "b.txt"))
		d.deliver(t)
		before := d.count(madeBySaving[:3]...)
		job := d.add(withFiles(2, "jane@x.example", myAddress, "c.txt", "d.txt"))
		d.deliver(t)
		if before == d.count(madeBySaving[:3]...) {
			t.Fatal("nothing was saved")
		}
		// One file went to another record too, and the person attached one by hand.
		account := d.org.AddAccount("Acme", "")
		byHand := d.org.Insert("ContentVersion", map[string]any{"PathOnClient": "hand.txt", "Title": "by hand", "VersionData": []byte("x"),
			"FirstPublishLocationId": job.RecordID, "NetworkId": c.org.NetworkID()})
		var shared string
		for _, doc := range d.org.Records("ContentDocument") {
			if doc["Title"] == "d.txt" {
				shared = doc["Id"].(string)
			}
		}
		d.org.Insert("ContentDocumentLink", map[string]any{"ContentDocumentId": shared, "LinkedEntityId": account})

		got := d.org.Calls()
		if err := d.Unsave(t.Context(), job.RecordID); err != nil {
			t.Fatal(err)
		}
		if got = d.org.Calls() - got; got != c.calls {
			t.Errorf("took %d calls, want %d", got, c.calls)
		}
		var titles []string
		for _, doc := range d.org.Records("ContentDocument") {
			titles = append(titles, doc["Title"].(string))
		}
		slices.Sort(titles)
		if want := []string{"a.txt", "b.txt", "by hand", "d.txt"}; !slices.Equal(titles, want) {
			t.Errorf("files %q are left", titles)
		}
		if now := d.count(madeBySaving[:3]...); now != before {
			t.Errorf("left %s, want %s", now, before)
		}
		if d.org.File(byHand) == nil {
			t.Error("the person's own file is gone")
		}
		if err := d.Unsave(t.Context(), job.RecordID); err != nil {
			t.Errorf("again: %v", err)
		}
	}
}

// TestC06UnsaveRefuses: a colleague's record, one that the user may not delete, and what is no
// saved mail stay whole.
func TestC06UnsaveRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		org    *salesforcetest.Org
		as     bool // another user
		code   fault.Code
		detail string
	}{
		{"a colleague's", &salesforcetest.Org{}, true, fault.OthersRecord, ""},
		{"no right to delete e-mails", &salesforcetest.Org{NoDelete: []string{"EmailMessage"}}, false, fault.PermissionMissing, "Email Message: Delete"},
		{"no right to delete tasks", &salesforcetest.Org{NoEnhancedEmail: true, NoDelete: []string{"Task"}}, false, fault.PermissionMissing, "Tasks: Delete"},
		{"no right to delete files", &salesforcetest.Org{NoDelete: []string{"ContentDocument"}}, false, fault.PermissionMissing, "Files: Delete"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, c.org)
			job := d.add(withFiles(1, "jane@x.example", myAddress, "a.txt"))
			d.deliver(t)
			before := d.count(madeBySaving...)
			who := d
			if c.as {
				who = d.colleague(t, c.org.AddUser(salesforcetest.User{Username: "uwe@partners.example"}))
			}
			err := who.Unsave(t.Context(), job.RecordID)
			if f := fault.Of(err); f == nil || f.Code != c.code || f.Detail != c.detail {
				t.Errorf("got %v, detail %q", f, f.Detail)
			}
			if now := d.count(madeBySaving...); now != before {
				t.Errorf("left %s of %s", now, before)
			}
		})
	}
	d := newDesk(t, &salesforcetest.Org{})
	contact := d.org.AddContact("Jane", "jane@x.example", "")
	for _, id := range []string{contact, "", "x", "02s' OR Id != '"} {
		if err := d.Unsave(t.Context(), id); err == nil || len(d.org.Records("Contact")) != 1 {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// TestC06UnsaveRefusedByTheServer: what describe does not tell is refused as a whole: no file goes
// while its record stays, and a lost answer is repeated without harm.
func TestC06UnsaveRefusedByTheServer(t *testing.T) {
	t.Parallel()
	d := newDesk(t, &salesforcetest.Org{MailKey: true})
	job := d.add(withFiles(1, "jane@x.example", myAddress, "a.txt", "b.txt"))
	d.deliver(t)
	before := d.count(madeBySaving...)
	remove := func(method, _ string) bool { return method == http.MethodDelete }
	refused := `[{"success":false,"errors":[{"statusCode":"ALL_OR_NONE_OPERATION_ROLLED_BACK","message":"","fields":[]}]},{"success":false,"errors":[{"statusCode":"ALL_OR_NONE_OPERATION_ROLLED_BACK","message":"","fields":[]}]},` +
		`{"success":false,"errors":[{"statusCode":"INSUFFICIENT_ACCESS_OR_READONLY","message":"insufficient access rights on object id","fields":[]}]}]`
	w := withHandler(t, func(rw http.ResponseWriter, r *http.Request) {
		if remove(r.Method, "") {
			if r.URL.Query().Get("allOrNone") != "true" {
				t.Error("a part may be removed without the rest")
			}
			reply(rw, 200, refused)
			return
		}
		d.org.ServeHTTP(rw, r)
	})
	w.token = d.token
	w.cfg.UserID = d.cfg.UserID
	calls, err := w.Unsave(t.Context(), job.RecordID)
	if f := fault.Of(err); f == nil || f.Code != fault.PermissionMissing || f.Detail != "Email Message: Delete" || calls != 3 {
		t.Errorf("got %v after %d calls", err, calls)
	}
	if now := d.count(madeBySaving...); now != before {
		t.Errorf("left %s of %s", now, before)
	}
	d.org.LoseReply(remove, 1)
	if err := d.Unsave(t.Context(), job.RecordID); fault.Of(err) == nil || !fault.Of(err).Unknown {
		t.Errorf("lost answer: %v", err)
	}
	if err := d.Unsave(t.Context(), job.RecordID); err != nil {
		t.Errorf("repeated: %v", err)
	}
	if n := len(d.org.Records("EmailMessage")) + len(d.org.Records("ContentDocument")); n != 0 {
		t.Errorf("%d records are left", n)
	}
}

// TestC06UnsaveOfAMailWithManyFiles goes in several calls, the record last.
func TestC06UnsaveOfAMailWithManyFiles(t *testing.T) {
	t.Parallel()
	d := newDesk(t, &salesforcetest.Org{MailKey: true}, func(cfg *deliver.Config) {
		cfg.Content = func() capture.Content { return capture.Content{Level: capture.LevelFiles, Files: capture.FilesAlways} }
	})
	var names []string
	for i := range 250 {
		names = append(names, fmt.Sprintf("f%d.txt", i))
	}
	job := d.add(withFiles(1, "jane@x.example", myAddress, names...))
	d.deliver(t)
	if job.last.Files != 250 {
		t.Fatalf("%+v", job.last)
	}
	if err := d.Unsave(t.Context(), job.RecordID); err != nil {
		t.Fatal(err)
	}
	if got := d.count("EmailMessage", "ContentDocument", "Task"); got != "0 EmailMessage, 0 ContentDocument, 0 Task" {
		t.Errorf("left %s", got)
	}
}
