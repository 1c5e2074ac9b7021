package provision

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"hawser/auth/reqsig"
)

// reach returns the user of the path when the key reaches it. A user of another group does not
// exist for a group's key.
func (s *Server) reach(ctx context.Context, c *call) (User, error) {
	u, err := s.cfg.Store.User(ctx, c.tenant, c.id)
	if err == nil && c.key.Group != "" && u.Group != c.key.Group {
		err = ErrNotFound
	}
	return u, err
}

// User returns the user that in describes, in canonical form, or a [Problem] with [CodeInvalid].
func (in UserIn) User(id string) (User, error) {
	invalid := problem(http.StatusBadRequest, CodeInvalid)
	account, ok := in.Account.Canonical()
	if !ok || in.Group != "" && !groupName.MatchString(in.Group) || len(in.Aliases) > MaxAliases || !externalID.MatchString(id) {
		return User{}, invalid
	}
	u := User{ID: id, Group: in.Group, Account: account}
	if u.Mailbox, ok = canonicalAddress(in.Mailbox); !ok {
		return User{}, invalid
	}
	for _, raw := range in.Aliases {
		alias, ok := canonicalAddress(raw)
		if !ok || alias == u.Mailbox || slices.Contains(u.Aliases, alias) {
			return User{}, invalid
		}
		u.Aliases = append(u.Aliases, alias)
	}
	return u, nil
}

func (s *Server) putUser(ctx context.Context, c *call) (int, any, error) {
	var in UserIn
	if _, err := c.only(); err != nil {
		return 0, nil, err
	}
	if err := c.read(&in); err != nil {
		return 0, nil, err
	}
	u, err := in.User(c.id)
	if err != nil {
		return 0, nil, err
	}
	if c.key.Group != "" {
		// A group's key makes users of its group, and moves none in or out.
		old, err := s.cfg.Store.User(ctx, c.tenant, c.id)
		if u.Group != c.key.Group || err == nil && old.Group != c.key.Group {
			return 0, nil, ErrNotFound
		}
	}
	now, created, err := s.cfg.Store.PutUser(ctx, c.tenant, u, c.event("user.put", c.id))
	if err != nil {
		return 0, nil, err
	}
	if created {
		return http.StatusCreated, userOut(now), nil
	}
	return http.StatusOK, userOut(now), nil
}

func (s *Server) getUser(ctx context.Context, c *call) (int, any, error) {
	if _, err := c.only(); err != nil {
		return 0, nil, err
	}
	if err := c.empty(); err != nil {
		return 0, nil, err
	}
	u, err := s.reach(ctx, c)
	return http.StatusOK, userOut(u), err
}

// pageSize is how many users a page has unless asked otherwise; 500 is the most.
const pageSize = 100

func (s *Server) listUsers(ctx context.Context, c *call) (int, any, error) {
	args, err := c.only("group", "after", "limit")
	if err != nil {
		return 0, nil, err
	}
	q := UserQuery{Group: args["group"], After: args["after"], Limit: pageSize}
	if text, ok := args["limit"]; ok {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > 500 {
			return 0, nil, problem(http.StatusBadRequest, CodeInvalid)
		}
	}
	if q.Group != "" && !groupName.MatchString(q.Group) || q.After != "" && !externalID.MatchString(q.After) || c.empty() != nil {
		return 0, nil, problem(http.StatusBadRequest, CodeInvalid)
	}
	if c.key.Group != "" {
		if q.Group != "" && q.Group != c.key.Group {
			return http.StatusOK, UserList{Users: []UserOut{}}, nil
		}
		q.Group = c.key.Group
	}
	users, err := s.cfg.Store.ListUsers(ctx, c.tenant, q)
	if err != nil {
		return 0, nil, err
	}
	list := UserList{Users: make([]UserOut, 0, len(users))}
	for _, u := range users {
		list.Users = append(list.Users, userOut(u))
	}
	if len(users) == q.Limit {
		list.Next = users[len(users)-1].ID
	}
	return http.StatusOK, list, nil
}

// setState returns the handler that wants a user in a state.
func setState(to UserState, action string) func(*Server, context.Context, *call) (int, any, error) {
	return func(s *Server, ctx context.Context, c *call) (int, any, error) {
		if _, err := c.only(); err != nil {
			return 0, nil, err
		}
		if err := c.empty(); err != nil {
			return 0, nil, err
		}
		if _, err := s.reach(ctx, c); err != nil {
			return 0, nil, err
		}
		u, err := s.cfg.Store.SetUserState(ctx, c.tenant, c.id, to, c.event(action, c.id))
		return http.StatusOK, userOut(u), err
	}
}

func (s *Server) issueCode(ctx context.Context, c *call) (int, any, error) {
	if _, err := c.only(); err != nil {
		return 0, nil, err
	}
	if err := c.empty(); err != nil {
		return 0, nil, err
	}
	if _, err := s.reach(ctx, c); err != nil {
		return 0, nil, err
	}
	out, err := s.cfg.Vault.IssueCode(ctx, s.cfg.Store, c.tenant, c.event("code.issue", c.id))
	return http.StatusCreated, out, err
}

// IssueCode makes a one-time enrolment code for the user who is the event's subject. Errors are
// those of [Keys.AddCode].
func (v *Vault) IssueCode(ctx context.Context, store Keys, tenant reqsig.TenantID, e Event) (CodeOut, error) {
	for {
		k, c := v.newCode(tenant, e.Subject, e.At)
		err := store.AddCode(ctx, tenant, k, e)
		if errors.Is(err, ErrExists) {
			continue // a code's id is short
		}
		if err != nil {
			return CodeOut{}, err
		}
		return CodeOut{Code: c.Text().Reveal(), Expires: k.NotAfter.UTC()}, nil
	}
}

func (s *Server) counts(ctx context.Context, c *call) (int, any, error) {
	args, err := c.only("group")
	if err != nil {
		return 0, nil, err
	}
	group := args["group"]
	if group != "" && !groupName.MatchString(group) || c.empty() != nil {
		return 0, nil, problem(http.StatusBadRequest, CodeInvalid)
	}
	if c.key.Group != "" {
		if group != "" && group != c.key.Group {
			return http.StatusOK, CountsOut{Users: map[UserState]int64{}}, nil
		}
		group = c.key.Group
	}
	t, err := s.cfg.Store.Totals(ctx, c.tenant, group, c.now.Add(-24*time.Hour))
	return http.StatusOK, CountsOut{Users: t.Users, Bound: t.Bound, Devices: t.Devices, Reporting: t.Reporting, Counts: t.Counts}, err
}

func userOut(u User) UserOut {
	out := UserOut{
		ID: u.ID, Group: u.Group, Account: u.Account, Mailbox: u.Mailbox, Aliases: u.Aliases, State: u.State,
		StateAt: u.StateAt, StateBy: u.StateBy, Bound: u.Bound, Created: u.Created, Updated: u.Updated,
	}
	for _, d := range u.Devices {
		out.Devices = append(out.Devices, DeviceOut{ID: d.ID, State: d.State, Created: d.Created, LastSeen: d.LastSeen, Report: d.Report})
	}
	return out
}

// domain returns the part of an address after its last @.
func domain(addr string) string { return addr[strings.LastIndexByte(addr, '@')+1:] }
