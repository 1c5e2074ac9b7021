package server

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"hawser/auth/provision"
)

// importLine is a line of a CSV file: a user, or why it is none.
type importLine struct {
	number int
	user   provision.User
	err    error
}

// importing is what is to be done with them.
type importing struct {
	lines []importLine
	dry   bool
}

var columns = []string{"id", "group", "org", "user", "mailbox", "aliases"}

// readUsers reads a CSV file. Only a heading that cannot be used is an error of the whole file.
func readUsers(text []byte) ([]importLine, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	r.TrimLeadingSpace = true
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("read users: the first line has to name the columns %s", strings.Join(columns, ","))
	}
	at := map[string]int{}
	for i, name := range head {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := at[name]; twice || !slices.Contains(columns, name) {
			return nil, fmt.Errorf("read users: column %q is unknown or repeated", plain(name))
		}
		at[name] = i
	}
	for _, name := range []string{"id", "org", "user", "mailbox"} {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("read users: column %q is missing", name)
		}
	}
	var lines []importLine
	first := map[string]int{}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		line := readUser(fields, at, err)
		var broken *csv.ParseError
		if errors.As(err, &broken) {
			line.number = broken.StartLine
		} else {
			line.number, _ = r.FieldPos(0)
		}
		line.repeated(first)
		lines = append(lines, line)
	}
}

// repeated refuses a line that has what only one user may have, and an earlier line has.
func (l *importLine) repeated(first map[string]int) {
	if l.err != nil {
		return
	}
	u := l.user
	for _, own := range []string{"id " + u.ID, "user " + u.Account.OrgID + " " + u.Account.UserID, "mailbox " + u.Mailbox} {
		if before, twice := first[own]; twice {
			what, _, _ := strings.Cut(own, " ")
			l.err = fmt.Errorf("%s stands in line %d already", what, before)
			return
		}
		first[own] = l.number
	}
}

func readUser(fields []string, at map[string]int, err error) importLine {
	if err != nil {
		return importLine{err: errors.New("not a line with as many fields as the first one")}
	}
	field := func(name string) string {
		if i, ok := at[name]; ok {
			return strings.TrimSpace(fields[i])
		}
		return ""
	}
	in := provision.UserIn{
		Group: field("group"), Account: provision.Account{OrgID: field("org"), UserID: field("user")}, Mailbox: field("mailbox"),
		Aliases: strings.Fields(field("aliases")),
	}
	user, err := in.User(field("id"))
	if err != nil {
		err = errors.New("id, org, user, mailbox, group or aliases are not of the allowed form")
	}
	return importLine{user: user, err: err}
}

// importUsers takes the lines one by one and tells what came of them.
func (a *app) importUsers(ctx context.Context, o *office, tenant string, in importing) error {
	_, id, err := o.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	counts := map[string]int{}
	for _, l := range in.lines {
		what := "refused"
		if l.err == nil {
			e := operator("user.put", l.user.ID)
			old, err := o.db.User(ctx, id, l.user.ID)
			switch {
			case errors.Is(err, provision.ErrNotFound):
				what, err = "created", nil
			case err == nil && old.State != provision.Deprovisioned && alike(old, l.user):
				what = "unchanged"
			case err == nil:
				what = "updated"
			}
			if err == nil && in.dry {
				err = o.foresee(ctx, tenant, l.user, old)
			} else if err == nil && what != "unchanged" {
				_, _, err = o.db.PutUser(ctx, id, l.user, e)
			}
			if l.err = err; err != nil {
				what = "refused"
			}
		}
		counts[what]++
		if l.err != nil {
			fmt.Fprintf(a.env.Stderr, "line %d: %s\n", l.number, plain(l.err.Error()))
		}
	}
	would := ""
	if in.dry {
		would = "would be "
	}
	fmt.Fprintf(a.env.Stdout, "%s%d created, %d updated, %d unchanged, %d refused\n", would, counts["created"], counts["updated"], counts["unchanged"], counts["refused"])
	if counts["refused"] > 0 {
		return exitError(exitPartial)
	}
	return nil
}

func alike(a, b provision.User) bool {
	return a.Group == b.Group && a.Account == b.Account && a.Mailbox == b.Mailbox && slices.Equal(a.Aliases, b.Aliases)
}

// foresee finds what would stop a line, as far as the account tells.
func (o *office) foresee(ctx context.Context, tenant string, u, old provision.User) error {
	_, id, err := o.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	if old.Bound && (old.Account != u.Account || old.Mailbox != u.Mailbox) {
		return provision.ErrBound
	}
	other, err := o.db.UserByAccount(ctx, id, u.Account)
	if err == nil && other.ID != u.ID {
		return provision.ErrConflict
	}
	if err != nil && !errors.Is(err, provision.ErrNotFound) {
		return err
	}
	return nil
}
