package salesforce

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/match"
	"hawser/sync/shape"
)

// query is one SOQL statement and the reader of its rows.
type query struct {
	object string // for what a refusal teaches
	soql   string
	row    func(dec *json.Decoder) error
	// some: not all rows are needed, the freshest come first.
	some bool
	// head, where it is set: the rows of the first answer are enough; it learns that there are more.
	head *bool
	// hanging: it asks for what hangs on contacts, without which a look-up goes on.
	hanging bool
}

// finder turns one deliver.Query into statements, and their rows into the answer.
type finder struct {
	c      *Client
	sc     *schema
	q      deliver.Query
	answer deliver.Answer
	out    []query
	open   open
}

// Find implements deliver.Target. One call, as long as q keeps within Limits, its texts are of
// usual length and no query has more than 2,000 rows.
func (c *Client) Find(ctx context.Context, q deliver.Query) (deliver.Answer, error) {
	sc, err := c.describe(ctx)
	if err != nil {
		return deliver.Answer{}, err
	}
	f := &finder{c: c, sc: sc, q: q, answer: deliver.Answer{
		People:  map[string][]match.Candidate{},
		Saved:   map[capture.Key]deliver.Existing{},
		Related: map[string]bool{},
		Files:   map[string][]deliver.FileSeen{},
	}}
	f.people()
	f.savedMails()
	f.savedTasks()
	f.relations()
	f.files()
	f.deals() // last: a second call is made for them only where there is a use
	for part := range slices.Chunk(f.out, maxCollection) {
		if part[0].object == deal && !f.accounts() {
			break
		}
		if err := c.run(ctx, sc, part); err != nil {
			return deliver.Answer{}, err
		}
	}
	f.hang()
	return f.answer, nil
}

func (f *finder) add(q query, statements []string) {
	for _, s := range statements {
		q.soql = s
		f.out = append(f.out, q)
	}
}

// addresses returns the addresses that can stand in an e-mail field.
func (f *finder) addresses() (addrs []string, wanted map[string]bool) {
	wanted = map[string]bool{}
	for _, a := range f.q.Addresses {
		// No e-mail field is longer than 128 characters.
		if a = strings.ToLower(clean(a)); strings.Contains(a, "@") && shape.Units(a) <= 128 && !wanted[a] {
			wanted[a] = true
			addrs = append(addrs, a)
		}
	}
	return addrs, wanted
}

// ids returns the record ids among the addresses, by the type their prefix stands for.
func (f *finder) ids() map[match.Type][]string {
	var ids map[match.Type][]string
	for _, a := range f.q.Addresses {
		if t := match.TypeOf(a); t != "" && validID(a) {
			if ids == nil {
				ids = map[match.Type][]string{}
			}
			ids[t] = append(ids[t], a)
		}
	}
	return ids
}

// people asks who the addresses belong to.
func (f *finder) people() {
	addrs, wanted := f.addresses()
	ids := f.ids()
	if len(addrs)+len(ids) == 0 {
		return
	}
	for _, k := range []struct {
		kind match.Type
		live string // rows that count
		flag string
	}{
		{match.Contact, "", ""},
		{match.Lead, " AND IsConverted = false", "IsConverted"},
		{match.User, " AND IsActive = true", "IsActive"},
	} {
		o := f.sc.objects[string(k.kind)]
		emails := o.emails()
		if len(emails) == 0 {
			continue
		}
		columns := append(f.columns(o), emails...)
		below := f.below(o)
		columns = append(columns, below...)
		tail := " ORDER BY LastModifiedDate DESC"
		if k.flag != "" && o.has(k.flag) {
			tail = k.live + tail
		}
		head := "SELECT " + strings.Join(columns, ", ") + " FROM " + string(k.kind)
		row := func(dec *json.Decoder) error { return f.person(dec, k.kind, emails, wanted) }
		q := query{object: string(k.kind), row: row, some: true, hanging: len(below) > 0}
		f.add(q, soqlIn(head, emails, quotes(addrs), tail))
		f.add(q, soqlIn(head, []string{"Id"}, quoteIDs(ids[k.kind]), tail))
	}
}

// columns are what is asked of a person besides the addresses.
func (f *finder) columns(o *object) []string {
	columns := []string{"Id"}
	if o.has("Name") {
		columns = append(columns, "Name")
	}
	switch {
	case o.name == lead && o.has("Company"):
		columns = append(columns, "Company")
	case o.name == contact && o.has("AccountId"):
		columns = append(columns, "AccountId")
		if f.sc.objects[account].has("Name") {
			columns = append(columns, "Account.Name")
		}
	}
	return columns
}

func (f *finder) person(dec *json.Decoder, kind match.Type, emails []string, wanted map[string]bool) error {
	var r personRow
	if err := dec.Decode(&r); err != nil {
		return err
	}
	p := match.Candidate{Type: kind, ID: id18(r.text("Id")), Name: r.text("Name"), About: r.text("Company"), AccountID: id18(r.text("AccountId"))}
	if p.ID == "" {
		return errShape
	}
	if kind == match.Contact {
		p.About = f.hangingOn(p.ID, r)
	}
	if slices.Contains(f.q.Addresses, p.ID) {
		f.answer.People[p.ID] = append(f.answer.People[p.ID], p)
	}
	seen := map[string]bool{}
	for _, n := range emails {
		a := strings.ToLower(r.text(n))
		if wanted[a] && !seen[a] {
			seen[a] = true
			p.Field = string(kind) + "." + n
			f.answer.People[a] = append(f.answer.People[a], p)
		}
	}
	return nil
}

// savedMails asks which of the sought mails exist as EmailMessage.
func (f *finder) savedMails() {
	o := f.sc.objects[mailType]
	switch {
	case o == nil || !o.query:
	case o.keyed():
		f.byKey(mailType, deliver.Email)
		f.byIdentifier(o, nil)
	default:
		f.byIdentifier(o, f.q.Saved)
	}
}

// byKey asks by the unique key.
func (f *finder) byKey(objectName string, kind deliver.Kind) {
	var keys []string
	for _, s := range f.q.Saved {
		keys = append(keys, string(s.Key))
	}
	row := func(dec *json.Decoder) error {
		var r struct {
			ID  string           `json:"Id"`
			Key tolerant[string] `json:"Mail_Key__c"`
		}
		if err := dec.Decode(&r); err != nil {
			return err
		}
		return f.found(capture.Key(strings.ToLower(r.Key.V)), r.ID, kind)
	}
	head := "SELECT Id, " + keyField + " FROM " + objectName
	f.add(query{object: objectName, row: row}, soqlIn(head, []string{keyField}, quotes(keys), ""))
}

// found notes a record that exists. An e-mail counts before a task.
func (f *finder) found(key capture.Key, id string, kind deliver.Kind) error {
	if id = id18(id); id == "" {
		return errShape
	}
	if have, ok := f.answer.Saved[key]; !ok || have.Foreign || have.Kind == deliver.Task && kind == deliver.Email {
		f.answer.Saved[key] = deliver.Existing{ID: id, Kind: kind}
	}
	return nil
}

// savedTasks asks which of the sought mails exist as Task. Without a key field a task's text
// holds the key; texts cannot be filtered, so the days' own tasks are read.
func (f *finder) savedTasks() {
	o := f.sc.objects[taskType]
	switch {
	case len(f.q.Saved) == 0 || o == nil || !o.query:
	case o.keyed():
		f.byKey(taskType, deliver.Task)
	case o.has("Description") && f.c.cfg.UserID != "":
		f.byDay(o)
	}
}

func (f *finder) byDay(o *object) {
	wanted := map[capture.Key]bool{}
	days := map[string]bool{}
	undated := false
	for _, s := range f.q.Saved {
		wanted[s.Key] = true
		if !storable(s.Date) {
			undated = true
			continue
		}
		// The user may have travelled since: a day's neighbours count too.
		for _, shift := range []time.Duration{-24 * time.Hour, 0, 24 * time.Hour} {
			days[s.Date.Add(shift).UTC().Format(time.DateOnly)] = true
		}
	}
	tail := " AND OwnerId = " + quote(f.c.cfg.UserID)
	if o.has("TaskSubtype") {
		tail += " AND TaskSubtype = 'Email'"
	}
	row := func(dec *json.Decoder) error {
		var r struct {
			ID  string  `json:"Id"`
			Key taskKey `json:"Description"`
		}
		if err := dec.Decode(&r); err != nil {
			return err
		}
		if key := capture.Key(r.Key); wanted[key] {
			return f.found(key, r.ID, deliver.Task)
		}
		return nil
	}
	q := query{object: taskType, row: row}
	const head = "SELECT Id, Description FROM Task"
	f.add(q, soqlIn(head, []string{"ActivityDate"}, slices.Sorted(maps.Keys(days)), tail))
	if undated {
		f.add(q, []string{head + " WHERE ActivityDate = null" + tail})
	}
}

// relations asks which e-mails have their sender's relation.
func (f *finder) relations() {
	if o := f.sc.objects[relation]; o == nil || !o.query {
		return
	}
	row := func(dec *json.Decoder) error {
		var r struct {
			Mail string `json:"EmailMessageId"`
		}
		if err := dec.Decode(&r); err != nil {
			return err
		}
		f.answer.Related[id18(r.Mail)] = true
		return nil
	}
	f.add(query{object: relation, row: row}, soqlIn("SELECT EmailMessageId FROM EmailMessageRelation",
		[]string{"EmailMessageId"}, quoteIDs(f.q.Relations), " AND RelationType = 'FromAddress'"))
}

// files asks which files hang on records already.
func (f *finder) files() {
	row := func(dec *json.Decoder) error {
		var r struct {
			Record   string `json:"LinkedEntityId"`
			Document struct {
				Title tolerant[string]
				Size  tolerant[float64] `json:"ContentSize"`
			} `json:"ContentDocument"`
		}
		if err := dec.Decode(&r); err != nil {
			return err
		}
		id := id18(r.Record)
		f.answer.Files[id] = append(f.answer.Files[id], deliver.FileSeen{Title: r.Document.Title.V, Size: int64(r.Document.Size.V)})
		return nil
	}
	f.add(query{object: "ContentDocumentLink", row: row}, soqlIn("SELECT LinkedEntityId, ContentDocument.Title, ContentDocument.ContentSize FROM ContentDocumentLink",
		[]string{"LinkedEntityId"}, quoteIDs(f.q.Files), ""))
}
