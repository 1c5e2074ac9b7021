package admin

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"hawser/auth/provision"
)

// choice is a time at which a key may end.
type choice struct {
	Value string
	After time.Duration
	First bool // chosen unless the admin chooses otherwise
}

// later are the times that a form offers. Its first one is named by value.
func later(first string) []choice {
	all := []choice{{Value: "now"}, {Value: "day", After: 24 * time.Hour}, {Value: "week", After: 7 * 24 * time.Hour}, {Value: "month", After: 30 * 24 * time.Hour}}
	for i := range all {
		all[i].First = all[i].Value == first
	}
	return all
}

// keyRow is a key in the list.
type keyRow struct {
	provision.Key
	Live   bool
	Ending bool // lives, and has an end
}

// ownKeys are the keys that the admin sees, oldest first.
func (p *Page) ownKeys(ctx context.Context, v *visit) (rows []keyRow, err error) {
	all, err := p.cfg.Store.TenantKeys(ctx, v.tenant)
	for _, k := range all {
		if v.group == "" || k.Group == v.group {
			live := k.NotAfter.IsZero() || k.NotAfter.After(v.now)
			rows = append(rows, keyRow{Key: k, Live: live, Ending: live && !k.NotAfter.IsZero()})
		}
	}
	return rows, err
}

func (p *Page) keys(r *http.Request, v *visit) (view, error) {
	rows, err := p.ownKeys(r.Context(), v)
	return view{name: "keys", heading: say("keys.heading"), nav: "keys", data: rows}, err
}

// oneKey finds a key that the admin sees and that lives, and says whether it is the only one of its
// role and group. An ended key is not brought back: its successor is made from another one, or by
// the operator.
func (p *Page) oneKey(ctx context.Context, v *visit, id string) (key provision.Key, only bool, err error) {
	rows, err := p.ownKeys(ctx, v)
	if err != nil {
		return key, false, err
	}
	err = provision.ErrNotFound
	for _, row := range rows {
		if row.ID == id && row.Live {
			key, err = row.Key, nil
		}
	}
	live := 0
	for _, row := range rows {
		if row.Live && row.Role == key.Role && row.Group == key.Group {
			live++
		}
	}
	return key, live == 1, err
}

// The changes of a key: a successor beside it, or its end alone.
const (
	rotate = "rotate"
	end    = "end"
)

func (p *Page) askKey(r *http.Request, v *visit) (view, error) {
	name := r.PathValue("change")
	first := map[string]string{rotate: "week", end: "now"}[name]
	if first == "" {
		return view{}, provision.ErrNotFound
	}
	k, only, err := p.oneKey(r.Context(), v, r.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	q := question{
		What: k.ID, Name: name, Danger: name == end, Action: root + "keys/" + url.PathEscape(k.ID) + "/" + name, Back: root + "keys",
		Once: random(), Choices: later(first), Only: only,
	}
	return view{name: "ask-key", heading: say("ask." + name + ".heading"), nav: "keys", data: q}, nil
}

func (p *Page) changeKey(r *http.Request, v *visit) (view, error) {
	name := r.PathValue("change")
	if name != rotate && name != end {
		return view{}, provision.ErrNotFound
	}
	k, _, err := p.oneKey(r.Context(), v, r.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	var chosen *choice
	for _, c := range later("") {
		if c.Value == r.PostFormValue("when") {
			chosen = &c
		}
	}
	if chosen == nil {
		return problemView(http.StatusBadRequest, "old-form"), nil
	}
	ends := v.now.Add(chosen.After)
	if !k.NotAfter.IsZero() && k.NotAfter.Before(ends) {
		ends = k.NotAfter // nothing here makes a key live longer
	}
	if name == end {
		if err := p.cfg.Store.EndKey(r.Context(), v.tenant, k.ID, ends, v.event("key.end", k.ID)); err != nil {
			return view{}, err
		}
		return p.told(root+"keys", note{"done-end", k.ID}), nil
	}
	return p.succeed(r, v, k, ends)
}

// succeed makes a successor of a key. It comes first: when two keys live already, nothing may have
// ended.
func (p *Page) succeed(r *http.Request, v *visit, old provision.Key, ends time.Time) (view, error) {
	if err := p.once(r, v); err != nil {
		return view{}, err
	}
	key, credential := p.cfg.Vault.NewKey(v.tenant, old.Role, old.Group, v.now)
	if err := p.cfg.Store.AddKey(r.Context(), v.tenant, key, v.event("key.add", key.ID)); err != nil {
		return view{}, err
	}
	out := issued{What: old.ID, Text: credential.Text().Reveal(), Ends: ends, Back: root + "keys"}
	err := p.cfg.Store.EndKey(r.Context(), v.tenant, old.ID, ends, v.event("key.end", old.ID))
	return view{name: "key", heading: say("key.heading"), nav: "keys", data: out}, err
}
