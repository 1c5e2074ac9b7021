package salesforce

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"time"

	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/shape"
)

const (
	remembered = 24 * time.Hour

	keyField  = "Mail_Key__c"
	contact   = "Contact"
	lead      = "Lead"
	user      = "User"
	relation  = "EmailMessageRelation"
	fileType  = "ContentVersion"
	document  = "ContentDocument"
	account   = "Account"
	deal      = "Opportunity"
	dealRole  = "OpportunityContactRole"
	issue     = "Case"
	mailType  = string(deliver.Email)
	taskType  = string(deliver.Task)
	completed = "Completed"
)

// described are the objects whose describe is asked for, in one composite call.
var described = []string{mailType, relation, taskType, fileType, document, contact, lead, user, account, deal, dealRole, issue}

// needed are the fields that are kept of objects which have many and of which few are of use.
var needed = map[string][]string{
	account:  {"Name"},
	document: {"Title"},
	deal:     {"Name", "StageName", "IsClosed", "AccountId"},
	dealRole: {"OpportunityId", "ContactId"},
	issue:    {"Subject", "CaseNumber", "IsClosed", "ContactId"},
}

// schema is what the user sees of the org, as of one moment. It is never changed once built.
type schema struct {
	at      time.Time
	version string
	objects map[string]*object // absent: not available to the user
	closed  string             // a closed TaskStatus
	plain   bool               // what hangs on contacts was refused: it is not asked for
}

// object is the describe of one object, as far as it matters here.
type object struct {
	name      string
	create    bool
	query     bool
	remove    bool
	fields    map[string]field // fields that field-level security hides are absent
	fieldsNow []string         // names in describe order
}

type field struct {
	Name       string   `json:"name"`
	Type       string   `json:"type"`
	Length     int      `json:"length"`
	Createable bool     `json:"createable"`
	Filterable bool     `json:"filterable"`
	Unique     bool     `json:"unique"`
	Values     []choice `json:"picklistValues"`
}

type choice struct {
	Active bool   `json:"active"`
	Value  string `json:"value"`
}

// has reports whether the user may read the field. It is safe on a nil object.
func (o *object) has(name string) bool {
	if o == nil || !o.query {
		return false
	}
	_, ok := o.fields[name]
	return ok
}

// can reports whether the user may set the field of a new record.
func (o *object) can(name string) bool {
	return o != nil && o.create && o.fields[name].Createable
}

// keyed reports whether records of the object can be marked with the mail's key and found by it.
func (o *object) keyed() bool {
	return o.can(keyField) && o.has(keyField) && o.fields[keyField].Filterable
}

// emails returns the fields an address is sought in, the standard one first.
func (o *object) emails() []string {
	if o == nil || !o.query {
		return nil
	}
	var names []string
	for _, n := range o.fieldsNow {
		f := o.fields[n]
		if f.Type != "email" || !f.Filterable || !fieldName.MatchString(n) {
			continue
		}
		if n == "Email" {
			names = slices.Insert(names, 0, n)
		} else {
			names = append(names, n)
		}
	}
	return names
}

// describeReader reads one describe into o.
func describeReader(o *object) reader {
	return func(dec *json.Decoder, p *part) error {
		*o = object{name: o.name, fields: map[string]field{}}
		var e apiError
		return objectOrErrors(dec, p, func(key string) error {
			switch key {
			case "createable":
				return dec.Decode(&o.create)
			case "queryable":
				return dec.Decode(&o.query)
			case "deletable":
				return dec.Decode(&o.remove)
			case "fields":
				return walkArray(dec, func() error {
					var f field
					if err := dec.Decode(&f); err != nil {
						return err
					}
					if few, ok := needed[o.name]; ok && !slices.Contains(few, f.Name) {
						return nil
					}
					// Picklists can be long; only the states of a task are of use.
					if o.name != taskType || f.Name != "Status" {
						f.Values = nil
					}
					if _, twice := o.fields[f.Name]; !twice && fieldName.MatchString(f.Name) {
						o.fieldsNow = append(o.fieldsNow, f.Name)
						o.fields[f.Name] = f
					}
					return nil
				})
			}
			return e.member(dec, key, p)
		})
	}
}

// statusRow is a row of TaskStatus.
type statusRow struct {
	ApiName string
}

// decodeSchema reads the answer to the describe call.
func decodeSchema(body io.Reader, refs []string) (*schema, []part, error) {
	sc := &schema{objects: map[string]*object{}}
	var readers []reader
	for _, name := range described {
		o := &object{name: name}
		sc.objects[name] = o
		readers = append(readers, describeReader(o))
	}
	var closed []string
	readers = append(readers, rows(func(dec *json.Decoder) error {
		var r statusRow
		if err := dec.Decode(&r); err != nil {
			return err
		}
		closed = append(closed, r.ApiName)
		return nil
	}))
	parts, err := composite(body, refs, readers)
	if err != nil {
		return nil, nil, err
	}
	sc.closed = closedStatus(closed, sc.objects[taskType])
	return sc, parts, nil
}

// closedStatus picks the state of a finished task among the org's own ones.
func closedStatus(closed []string, task *object) string {
	var active []string
	for _, v := range task.fields["Status"].Values {
		if v.Active {
			active = append(active, v.Value)
		}
	}
	offered := func(s string) bool { return len(active) == 0 || slices.Contains(active, s) }
	if (len(closed) == 0 || slices.Contains(closed, completed)) && offered(completed) {
		return completed
	}
	for _, s := range closed {
		if s != "" && offered(s) {
			return s
		}
	}
	return completed
}

// without returns sc less what was refused although it was described.
func (sc *schema) without(dropped map[string]time.Time) *schema {
	_, sc.plain = dropped[hanging]
	for name, o := range sc.objects {
		if _, gone := dropped[name]; gone {
			delete(sc.objects, name)
			continue
		}
		for n := range maps.Keys(o.fields) {
			if _, gone := dropped[name+"."+n]; gone {
				delete(o.fields, n)
			}
		}
	}
	return sc
}

// capabilities says what the schema allows. refused: EmailMessage was refused in practice.
func (sc *schema) capabilities(refused bool) deliver.Capabilities {
	var (
		caps       deliver.Capabilities
		mail, task = sc.objects[mailType], sc.objects[taskType]
		body       = mail.can("TextBody") || mail.can("HtmlBody")
		findable   = mail.keyed() || mail.can("MessageIdentifier") && mail.has("MessageIdentifier")
	)
	caps.Email = mail.can("Status") && body && findable && !refused
	caps.Task = task.can("Subject") && task.can("Description") && task.has("Description")
	caps.Files = sc.objects[fileType].can("FirstPublishLocationId")
	caps.Related = sc.deals() || sc.roles() || sc.issues()
	if caps.Email {
		caps.UniqueKey = mail.keyed() && mail.fields[keyField].Unique
	} else if caps.Task {
		caps.UniqueKey = task.keyed() && task.fields[keyField].Unique
	}
	say := func(missing bool, words string) {
		if missing {
			caps.Missing = append(caps.Missing, words)
		}
	}
	say(mail == nil, "Enhanced Email")
	say(mail != nil && !mail.create, "Email Message: Create")
	say(mail != nil && mail.create && refused, "Email Message: Create (refused on insert)")
	say(mail != nil && mail.create && !mail.can("Status"), "Field-Level Security: Email Message.Status")
	say(mail != nil && mail.create && !body, "Field-Level Security: Email Message.Text Body")
	say(mail != nil && mail.create && !findable, "Field-Level Security: Email Message.Message Identifier")
	say(caps.Email && !sc.objects[relation].can("EmailMessageId"), "Email Message Relation: Create")
	say(task == nil, "Access Activities")
	say(task != nil && !task.create, "Edit Tasks")
	say(task != nil && task.create && !caps.Task, "Field-Level Security: Task.Comments")
	say(!caps.Files, "Content Version: Create")
	return caps
}

// messageIdentifier is what EmailMessage.MessageIdentifier holds: the Message-ID (RFC 5322), or
// an id made from the key where there is none that fits.
func messageIdentifier(key capture.Key, messageID string) string {
	id := clean(messageID)
	if id == "" || shape.Units(id) > 765 {
		return "<" + string(key) + "@hawser.invalid>"
	}
	return id
}
