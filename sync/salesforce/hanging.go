package salesforce

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hawser/sync/match"
)

const (
	// hanging stands, among what was refused although described, for the questions about what
	// hangs on contacts: their relationships, unlike fields, are not described.
	hanging = "open records of contacts"
	// maxOpen is how many open opportunities and how many cases of one contact are of use: nobody
	// chooses from a longer list.
	maxOpen = 20
	// maxDeals bounds the opportunities of one look-up.
	maxDeals = 1000
)

// open is what hangs on the contacts of a look-up.
type open struct {
	byContact map[string][]match.Record // cases, and opportunities by contact role
	byAccount map[string][]match.Record // opportunities
	more      map[string]bool           // contacts and accounts with further ones
	cut       bool                      // not all opportunities were read
}

func (sc *schema) deals() bool {
	o := sc.objects[deal]
	return !sc.plain && o.has("Name") && o.has("IsClosed") && o.has("AccountId") && sc.objects[contact].has("AccountId")
}

func (sc *schema) roles() bool {
	o, role := sc.objects[deal], sc.objects[dealRole]
	return !sc.plain && o.has("Name") && o.has("IsClosed") && role.has("OpportunityId") && role.has("ContactId")
}

func (sc *schema) issues() bool {
	o := sc.objects[issue]
	return !sc.plain && o.has("IsClosed") && o.has("ContactId") && (o.has("Subject") || o.has("CaseNumber"))
}

// below are the subqueries of a contact for its cases and for the opportunities it has a role in.
func (f *finder) below(o *object) (columns []string) {
	if o.name != contact {
		return nil
	}
	tail := fmt.Sprintf(" ORDER BY LastModifiedDate DESC LIMIT %d)", maxOpen+1)
	if f.sc.issues() {
		columns = append(columns, "(SELECT "+strings.Join(present(f.sc.objects[issue], "Id", "Subject", "CaseNumber"), ", ")+
			" FROM Cases WHERE IsClosed = false"+tail)
	}
	if f.sc.roles() {
		names := []string{"OpportunityId"}
		for _, n := range present(f.sc.objects[deal], "Name", "StageName") {
			names = append(names, "Opportunity."+n)
		}
		columns = append(columns, "(SELECT "+strings.Join(names, ", ")+
			" FROM OpportunityContactRoles WHERE Opportunity.IsClosed = false"+tail)
	}
	return columns
}

func present(o *object, names ...string) []string {
	return slices.DeleteFunc(names, func(n string) bool { return n != "Id" && !o.has(n) })
}

// personRow is a contact, lead or user: its fields as they come.
type personRow map[string]json.RawMessage

func (r personRow) text(name string) string {
	var s tolerant[string]
	_ = s.UnmarshalJSON(r[name])
	return clean(s.V)
}

// into reads a field that is an object; what is null or has another shape leaves v as it is.
func (r personRow) into(name string, v any) { _ = json.Unmarshal(r[name], v) }

// dealRow is an opportunity, caseRow a case and roleRow a contact's part in an opportunity.
type (
	dealRow struct {
		ID      string           `json:"Id"`
		Account tolerant[string] `json:"AccountId"`
		Name    tolerant[string]
		Stage   tolerant[string] `json:"StageName"`
	}
	caseRow struct {
		ID      string `json:"Id"`
		Subject tolerant[string]
		Number  tolerant[string] `json:"CaseNumber"`
	}
	roleRow struct {
		Deal        string `json:"OpportunityId"`
		Opportunity dealRow
	}
)

func (r dealRow) record(id string) match.Record {
	return match.Record{Type: match.Opportunity, ID: id18(id), Name: clean(r.Name.V), About: clean(r.Stage.V)}
}

// hangingOn keeps what hangs on a contact and returns the name of its account.
func (f *finder) hangingOn(id string, r personRow) (accountName string) {
	var (
		acc   struct{ Name tolerant[string] }
		cases struct{ Records []caseRow }
		roles struct{ Records []roleRow }
	)
	r.into("Account", &acc)
	r.into("Cases", &cases)
	r.into("OpportunityContactRoles", &roles)
	var list []match.Record
	for _, k := range cases.Records {
		list = append(list, match.Record{Type: match.Case, ID: id18(k.ID), Name: clean(k.Subject.V), About: clean(k.Number.V)})
	}
	for _, k := range roles.Records {
		list = append(list, k.Opportunity.record(k.Deal))
	}
	if f.open.byContact == nil {
		f.open.byContact, f.open.more = map[string][]match.Record{}, map[string]bool{}
	}
	f.open.byContact[id] = slices.DeleteFunc(list, func(m match.Record) bool { return m.ID == "" })
	f.open.more[id] = len(cases.Records) > maxOpen || len(roles.Records) > maxOpen
	return clean(acc.Name.V)
}

// deals asks for the open opportunities of the contacts' accounts.
func (f *finder) deals() {
	addrs, _ := f.addresses()
	emails, ids := f.sc.objects[contact].emails(), f.ids()[match.Contact]
	if len(addrs)+len(ids) == 0 || len(emails) == 0 || !f.sc.deals() {
		return
	}
	f.open.byAccount = map[string][]match.Record{}
	rows := 0
	row := func(dec *json.Decoder) error {
		var r dealRow
		if err := dec.Decode(&r); err != nil {
			return err
		}
		rows++
		f.open.cut = f.open.cut || rows == maxDeals
		if m, at := r.record(r.ID), id18(r.Account.V); m.ID != "" && at != "" && len(f.open.byAccount[at]) <= maxOpen {
			f.open.byAccount[at] = append(f.open.byAccount[at], m)
		}
		return nil
	}
	head := "SELECT " + strings.Join(present(f.sc.objects[deal], "Id", "Name", "StageName", "AccountId"), ", ") +
		" FROM " + deal + " WHERE IsClosed = false AND AccountId IN (SELECT AccountId FROM " + contact
	tail := fmt.Sprintf(") ORDER BY LastModifiedDate DESC LIMIT %d", maxDeals)
	q := query{object: deal, row: row, head: &f.open.cut, hanging: true}
	f.add(q, soqlIn(head, emails, quotes(addrs), tail))
	f.add(q, soqlIn(head, []string{"Id"}, quoteIDs(ids), tail))
}

// accounts reports whether a contact with an account was found.
func (f *finder) accounts() bool {
	for list := range maps.Values(f.answer.People) {
		if slices.ContainsFunc(list, func(p match.Candidate) bool { return p.AccountID != "" }) {
			return true
		}
	}
	return false
}

// hang gives every contact what hangs on it.
func (f *finder) hang() {
	for _, list := range f.answer.People {
		for i := range list {
			p := &list[i]
			if p.Type != match.Contact {
				continue
			}
			p.More = f.open.more[p.ID] || p.AccountID != "" && f.open.cut
			seen := map[string]bool{}
			for _, m := range slices.Concat(f.open.byContact[p.ID], f.open.byAccount[p.AccountID]) {
				switch {
				case seen[m.ID]:
				case len(p.Open) == 2*maxOpen:
					p.More = true
				default:
					seen[m.ID] = true
					p.Open = append(p.Open, m)
				}
			}
			p.More = p.More || len(f.open.byAccount[p.AccountID]) > maxOpen
		}
	}
}
