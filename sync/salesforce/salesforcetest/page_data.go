package salesforcetest

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// pageRows is how many records one page of a list shows.
const pageRows = 100

type pageTab struct {
	Key, Name, URL string
	Count          int
	Here           bool
}

type pageRow struct {
	ID, URL, Who, Subject, Note, When, ISO string
	Files                                  int
	Here                                   bool
}

type pageFact struct{ Name, Value string }

type pagePerson struct{ Role, Address, Record string }

type pageFile struct{ Name, URL, Size string }

type pageDetail struct {
	Heading        string
	Facts          []pageFact
	People         []pagePerson
	Files          []pageFile
	Text, TextName string
	HTML           string // address of the frame
}

// pageData is everything a page shows; it holds copies only.
type pageData struct {
	Title, View         string
	Tabs                []pageTab
	Calls, Limit        int
	Rows                []pageRow
	Pages, Newer, Older string
	Detail              *pageDetail
}

// views are the lists of the page and the objects they show.
var views = []struct{ key, name, object string }{
	{"mails", "E-mails", "EmailMessage"}, {"tasks", "Tasks", "Task"}, {"files", "Files", "ContentVersion"},
	{"contacts", "Contacts", "Contact"}, {"leads", "Leads", "Lead"}, {"calls", "Requests", ""},
}

func (o *Org) counts() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[string]int{"calls": o.dayLocked()}
	for _, v := range views {
		if v.object != "" {
			out[v.key] = len(o.shownLocked(v.object))
		}
	}
	out["log"] = len(o.use.log)
	return out
}

// shownLocked returns the records of a list. The tasks that e-mails bring along are left out:
// they repeat the e-mail.
func (o *Org) shownLocked(object string) []*record {
	t := o.data.table(object)
	if t == nil {
		return nil
	}
	implied := map[string]bool{}
	if mails := o.data.table("EmailMessage"); object == "Task" && mails != nil {
		for _, m := range mails.rows {
			implied[m.str("ActivityId")] = true
		}
	}
	out := make([]*record, 0, len(t.rows))
	for _, r := range t.rows {
		if !r.deleted && !implied[r.id] {
			out = append(out, r)
		}
	}
	return out
}

// pageData gathers what a page shows; nil when there is no such view or record.
func (o *Org) pageData(view, id string, r *http.Request) *pageData {
	counts := o.counts()
	o.mu.Lock()
	defer o.mu.Unlock()
	d := &pageData{View: view, Title: "Pretend org", Calls: counts["calls"], Limit: o.limit()}
	object, found := "", false
	for _, v := range views {
		key := v.key
		if v.object == "" {
			key = "log"
		}
		d.Tabs = append(d.Tabs, pageTab{Key: key, Name: v.name, URL: "/_org/" + v.key, Count: counts[key], Here: v.key == view})
		if v.key == view {
			object, found = v.object, true
		}
	}
	if !found {
		return nil
	}
	page, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || page < 0 {
		page = 0
	}
	if object == "" {
		o.requestsLocked(d, id, page)
		return d
	}
	rows := slices.Clone(o.shownLocked(object))
	slices.Reverse(rows) // newest first
	if id == "" && len(rows) > 0 {
		id = rows[0].id
	}
	for _, r := range d.cut(rows, page) {
		d.Rows = append(d.Rows, o.rowLocked(view, r, id, page))
	}
	if chosen := o.data.live(id); chosen != nil && chosen.obj.name == object {
		d.Detail = o.detailLocked(chosen)
		d.Title = d.Detail.Heading
	} else if id != "" {
		return nil
	}
	return d
}

// cut takes one page out of the rows and says which one it is.
func (d *pageData) cut(rows []*record, page int) []*record {
	from, to := d.bounds(len(rows), page)
	return rows[from:to]
}

func (d *pageData) bounds(n, page int) (from, to int) {
	page = min(page, max(0, n-1)/pageRows)
	from, to = page*pageRows, min(n, (page+1)*pageRows)
	if n > pageRows {
		d.Pages = fmt.Sprintf("%d–%d of %d", from+1, to, n)
		if page > 0 {
			d.Newer = fmt.Sprintf("/_org/%s?page=%d", d.View, page-1)
		}
		if to < n {
			d.Older = fmt.Sprintf("/_org/%s?page=%d", d.View, page+1)
		}
	}
	return from, to
}

func (o *Org) rowLocked(view string, r *record, chosen string, page int) pageRow {
	row := pageRow{ID: r.id, URL: "/_org/" + view + "/" + r.id, Here: key15(r.id) == key15(chosen), Subject: orElse(r.str("Subject"), "(no subject)")}
	if page > 0 {
		row.URL += "?page=" + strconv.Itoa(page)
	}
	when, _ := r.fields["CreatedDate"].(time.Time)
	switch r.obj.name {
	case "EmailMessage":
		when, _ = r.fields["MessageDate"].(time.Time)
		row.Who = orElse(r.str("FromName"), orElse(r.str("FromAddress"), "(no sender)"))
		row.Note = "to " + o.receiversLocked(r, "ToAddress", "ToAddress")
		row.Files = len(o.filesLocked(r.id))
	case "Task":
		row.Who, row.Note = r.str("Status"), o.nameLocked(r.str("WhoId"))
		row.Files = len(o.filesLocked(r.id))
	case "ContentVersion":
		row.Who, row.Subject, row.Note = r.str("FileType"), fileName(r), size(len(r.blob))
	default:
		row.Who, row.Subject, row.Note = orElse(r.str("Company"), o.nameLocked(r.str("AccountId"))), r.str("Name"), r.str("Email")
	}
	row.When, row.ISO = when.Format("2 Jan 2006, 15:04"), when.Format(time.RFC3339)
	return row
}

func orElse(s, other string) string {
	if strings.TrimSpace(s) == "" {
		return other
	}
	return s
}

func fileName(r *record) string {
	return path.Base(strings.ReplaceAll(r.str("PathOnClient"), `\`, "/"))
}

func size(n int) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1_000_000)
}

// nameLocked names a record for people; empty for none.
func (o *Org) nameLocked(id string) string {
	r := o.data.live(id)
	if r == nil {
		return ""
	}
	return r.obj.label + " " + orElse(r.str("Name"), orElse(r.str("Subject"), r.id))
}

// receiversLocked lists the addresses of one field and of the relations of one kind.
func (o *Org) receiversLocked(mail *record, field, kind string) string {
	list := []string{}
	t := o.data.table("EmailMessageRelation")
	for _, rel := range t.lookup(t.obj.field("EmailMessageId"), mail.id) {
		if rel.str("RelationType") == kind {
			list = append(list, rel.str("RelationAddress"))
		}
	}
	if s := mail.str(field); s != "" {
		list = append(list, s)
	}
	return strings.Join(list, "; ")
}

func (o *Org) filesLocked(id string) []pageFile {
	links := o.data.table("ContentDocumentLink")
	var out []pageFile
	for _, l := range links.lookup(links.obj.field("LinkedEntityId"), id) {
		doc := o.data.live(l.str("ContentDocumentId"))
		if doc == nil {
			continue
		}
		if v := o.data.live(doc.str("LatestPublishedVersionId")); v != nil {
			out = append(out, pageFile{Name: fileName(v), URL: "/_org/file/" + v.id, Size: size(len(v.blob))})
		}
	}
	return out
}
