package admin

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hawser/auth/provision"
	"hawser/sync/fault"
)

// pageSize is how many rows a page has.
const pageSize = 50

// person is a user's row: what the computers report, taken together.
type person struct {
	provision.User
	Versions  string // of the agents, most recently used first
	LastSeen  time.Time
	Waiting   int64
	NeedsYou  int64
	Fault     string // code of the newest report that has one
	Class     string // who can mend it, in words
	Computers int
}

func personOf(u provision.User) person {
	p := person{User: u, Computers: len(u.Devices)}
	var versions []string
	var worst time.Time
	for _, d := range u.Devices {
		if d.LastSeen.After(p.LastSeen) {
			p.LastSeen = d.LastSeen
		}
		p.Waiting += d.Report.Counts.Waiting
		p.NeedsYou += d.Report.Counts.NeedsYou
		if d.Report.Fault != "" && (p.Fault == "" || d.LastSeen.After(worst)) {
			p.Fault, worst = d.Report.Fault, d.LastSeen
		}
		if !strings.Contains(" "+strings.Join(versions, " ")+" ", " "+d.Report.Version+" ") {
			versions = append(versions, d.Report.Version)
		}
	}
	p.Versions, p.Class = strings.Join(versions, ", "), classOf(p.Fault)
	return p
}

// classOf says who can mend a fault.
func classOf(code string) string {
	if code == "" {
		return ""
	}
	return say("class." + map[fault.Class]string{fault.Retry: "retry", fault.User: "user", fault.Admin: "admin", fault.Bug: "bug"}[fault.Code(code).Class()])
}

// userList is the page of all users.
type userList struct {
	People             []person
	Totals             provision.Totals
	Active, Suspended  int64
	Gone               int64
	Search, Group      string
	Filtered, Later    bool // a search or a group is chosen; not the first page
	First, Next, Clear string
}

func (p *Page) users(r *http.Request, v *visit) (view, error) {
	q := r.URL.Query()
	list := userList{Search: strings.TrimSpace(q.Get("q")), Group: q.Get("group"), Clear: root + "users"}
	after := q.Get("after")
	if after != "" && !provision.IsUserID(after) || list.Group != "" && !provision.IsGroup(list.Group) {
		return view{}, provision.ErrNotFound
	}
	list.Filtered, list.Later = list.Search != "" || list.Group != "", after != ""
	query := provision.UserQuery{Group: list.Group, Prefix: list.Search, After: after, Limit: pageSize + 1}
	own := v.group == "" || list.Group == "" || list.Group == v.group
	if v.group != "" {
		query.Group = v.group
	}
	if own && word(query.Prefix) {
		users, err := p.cfg.Store.ListUsers(r.Context(), v.tenant, query)
		if err != nil {
			return view{}, err
		}
		if len(users) > pageSize {
			users = users[:pageSize]
			list.Next = listPath(list, users[pageSize-1].ID)
		}
		for _, u := range users {
			list.People = append(list.People, personOf(u))
		}
	}
	var err error
	list.Totals, err = p.cfg.Store.Totals(r.Context(), v.tenant, v.group, v.now.Add(-24*time.Hour))
	if err != nil {
		return view{}, err
	}
	list.Active, list.Suspended = list.Totals.Users[provision.Active], list.Totals.Users[provision.Suspended]
	list.Gone = list.Totals.Users[provision.Deprovisioned]
	list.First = listPath(list, "")
	return view{name: "users", heading: say("users.heading"), nav: "users", data: list}, nil
}

// listPath is the address of a page of the same list.
func listPath(l userList, after string) string {
	q := url.Values{}
	for name, value := range map[string]string{"q": l.Search, "group": l.Group, "after": after} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return root + "users"
	}
	return root + "users?" + q.Encode()
}

// reach returns the user of the path with their computers. A user of another group does not exist for
// a group's admin.
func (p *Page) reach(ctx context.Context, v *visit, id string) (person, error) {
	if !provision.IsUserID(id) {
		return person{}, provision.ErrNotFound
	}
	found, err := p.cfg.Store.ListUsers(ctx, v.tenant, provision.UserQuery{ID: id, Group: v.group, Limit: 1})
	if err == nil && len(found) == 0 {
		err = provision.ErrNotFound
	}
	if err != nil {
		return person{}, err
	}
	return personOf(found[0]), nil
}

// computer is a device's row.
type computer struct {
	provision.Device
	Class string
}

// userPage is what the page of one user shows.
type userPage struct {
	person
	Rows    []computer
	Changes []change
}

func (p *Page) user(r *http.Request, v *visit) (view, error) {
	one, err := p.reach(r.Context(), v, r.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	out := userPage{person: one}
	for _, d := range one.Devices {
		out.Rows = append(out.Rows, computer{d, classOf(d.Report.Fault)})
	}
	for _, c := range changes {
		if c.fits(one.State) {
			out.Changes = append(out.Changes, c)
		}
	}
	return view{name: "user", heading: one.ID, nav: "users", data: out}, nil
}

// change is something that is done to a user.
type change struct {
	Name   string // in addresses and texts
	to     provision.UserState
	action string // in the audit log
	Danger bool
	from   []provision.UserState
}

// changes are offered in this order.
var changes = []change{
	{Name: "code", action: "code.issue", from: []provision.UserState{provision.Active, provision.Suspended}},
	{Name: "suspend", to: provision.Suspended, action: "user.suspend", from: []provision.UserState{provision.Active}},
	{Name: "resume", to: provision.Active, action: "user.resume", from: []provision.UserState{provision.Suspended}},
	{Name: "deprovision", to: provision.Deprovisioned, action: "user.deprovision", Danger: true, from: []provision.UserState{provision.Active, provision.Suspended}},
}

func (c change) fits(state provision.UserState) bool {
	for _, s := range c.from {
		if s == state {
			return true
		}
	}
	return false
}

func changeOf(name string) (change, error) {
	for _, c := range changes {
		if c.Name == name {
			return c, nil
		}
	}
	return change{}, provision.ErrNotFound
}

// question is a page that asks before something is done.
type question struct {
	What         string // the user's or the key's id
	Name         string // of what is to be done
	Danger       bool
	Action, Back string // where yes and no lead
	Once         string // tells a form that is sent twice
	Waiting      int64  // mails that are lost with a deprovisioned user's computers
	Choices      []choice
	Only         bool // the only live key of its kind
}

// askUser is the page before a change, and the whole of it for somebody who only looks.
func (p *Page) askUser(r *http.Request, v *visit) (view, error) {
	c, err := changeOf(r.PathValue("change"))
	if err != nil {
		return view{}, err
	}
	one, err := p.reach(r.Context(), v, r.PathValue("id"))
	if err == nil && one.State == provision.Deprovisioned {
		err = provision.ErrState
	}
	if err != nil {
		return view{}, err
	}
	back := root + "users/" + url.PathEscape(one.ID)
	q := question{What: one.ID, Name: c.Name, Danger: c.Danger, Action: back + "/" + c.Name, Back: back, Once: random(), Waiting: one.Waiting}
	return view{name: "ask-user", heading: say("ask."+c.Name+".heading", one.ID), nav: "users", data: q}, nil
}

// issued is something that is shown once.
type issued struct {
	What, Text string
	Link       string // the same code with the address of this server
	Ends       time.Time
	Back       string
}

func (p *Page) changeUser(r *http.Request, v *visit) (view, error) {
	c, err := changeOf(r.PathValue("change"))
	if err != nil {
		return view{}, err
	}
	one, err := p.reach(r.Context(), v, r.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	back := root + "users/" + url.PathEscape(one.ID)
	e := v.event(c.action, one.ID)
	if c.to != "" {
		if _, err := p.cfg.Store.SetUserState(r.Context(), v.tenant, one.ID, c.to, e); err != nil {
			return view{}, err
		}
		return p.told(back, note{"done-" + c.Name, one.ID}), nil
	}
	if err := p.once(r, v); err != nil {
		return view{}, err
	}
	code, err := p.cfg.Vault.IssueCode(r.Context(), p.cfg.Store, v.tenant, e)
	if err != nil {
		return view{}, err
	}
	credential, err := provision.ParseCredential(code.Code)
	if err != nil {
		return view{}, err
	}
	link := provision.Link{Server: p.cfg.Base, Code: credential}.Text().Reveal()
	out := issued{What: one.ID, Text: code.Code, Link: link, Ends: code.Expires, Back: back}
	return view{name: "code", heading: say("code.heading", one.ID), nav: "users", data: out}, nil
}
