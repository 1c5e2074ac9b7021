package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
	"hawser/store/tenantdb"
)

func (a *app) auditCmd() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "audit TENANT", Short: "Print a company's audit log, newest first; with --json one line per event", Args: words("TENANT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 {
				return usage("--limit is at least 1")
			}
			return a.inOffice(cmd.Context(), func(o *office) error {
				_, id, err := o.tenant(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				events, err := o.db.Events(cmd.Context(), id, 0, limit)
				if err != nil {
					return err
				}
				return a.printEvents(events)
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many events")
	return cmd
}

func (a *app) printEvents(events []provision.Event) error {
	rows := [][]string{{"WHEN", "WHO", "WHAT", "WHAT TO", "DETAIL"}}
	enc := json.NewEncoder(a.env.Stdout)
	for _, e := range events {
		if !a.json {
			rows = append(rows, []string{when(e.At), e.Actor, e.Action, e.Subject, e.Detail})
			continue
		}
		line := map[string]any{"id": e.ID, "at": e.At, "actor": e.Actor, "action": e.Action, "subject": e.Subject, "detail": e.Detail}
		if err := enc.Encode(line); err != nil {
			return err
		}
	}
	if a.json {
		return nil
	}
	return a.print(nil, rows)
}

// finding is one thing that doctor looked at.
type finding struct {
	What string `json:"what"`
	OK   bool   `json:"ok"`
	Why  string `json:"why,omitempty"`
}

func (a *app) doctorCmd() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check the state folder, the key, the database and its clock", Args: words(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := []finding{a.checkFolder(), found("key file is private", a.checkKeyFile())}
			err := a.inOffice(cmd.Context(), func(o *office) error {
				findings = append(findings, o.check(cmd.Context())...)
				return a.printFindings(findings)
			})
			var exit exitError
			if err != nil && !errors.As(err, &exit) {
				return a.printFindings(append(findings, found("database opens with this key", err)))
			}
			return err
		},
	}
}

func found(what string, err error) finding {
	if err != nil {
		return finding{What: what, Why: plain(err.Error())}
	}
	return finding{What: what, OK: true}
}

func (a *app) printFindings(all []finding) error {
	var rows [][]string
	failed := false
	for _, f := range all {
		word := "ok"
		if !f.OK {
			word, failed = "NOT OK", true
		}
		rows = append(rows, []string{word, f.What, f.Why})
	}
	if err := a.print(all, rows); err != nil {
		return err
	}
	if failed {
		return exitError(exitFailed)
	}
	return nil
}

// checkFolder: whoever may write the folder may put another database there.
func (a *app) checkFolder() finding {
	const what = "state folder is private"
	info, err := os.Stat(a.state)
	if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("%s has mode %o; run chmod 700 on it", a.state, info.Mode().Perm())
	}
	return found(what, err)
}

func (a *app) checkKeyFile() error {
	_, err := readMaster(a.key())
	return err
}

// checkAdmins finds admins for whom there is no app to sign in with.
func (o *office) checkAdmins(ctx context.Context, t provision.Tenant) error {
	admins, err := o.db.Admins(ctx, reqsig.Operator(t.ID))
	for _, a := range admins {
		if !slices.ContainsFunc(t.Sites, func(s provision.Site) bool { return s.AdminClientID != "" && s.OrgID == a.Account.OrgID }) {
			return fmt.Errorf("tenant %s has admins of org %s and no app with which they sign in; run hawserd tenant set --admin-client", t.Name, a.Account.OrgID)
		}
	}
	return err
}

// check looks at an open database.
func (o *office) check(ctx context.Context) []finding {
	all := []finding{found("database opens with this key", o.db.Ping(ctx))}
	tenants, err := o.db.Tenants(ctx)
	if err == nil && len(tenants) == 0 {
		err = errors.New("there is no tenant yet; run hawserd tenant add")
	}
	all = append(all, found("there are tenants", err))
	for _, t := range tenants {
		var err error
		switch {
		case len(t.Sites) == 0:
			err = fmt.Errorf("tenant %s trusts no site, so nobody can register; run hawserd tenant set --site", t.Name)
		case len(t.Mail) == 0 && len(t.Domains) == 0:
			err = fmt.Errorf("tenant %s trusts no mail provider and no domain, so no mailbox can be proven", t.Name)
		}
		all = append(all, found("tenant can register", err), found("admins can sign in", o.checkAdmins(ctx, t)))
	}
	began := time.Now()
	_, _, err = o.db.Mark(ctx, tenantdb.CheckMark)
	if took := time.Since(began); err == nil && took > time.Second {
		err = fmt.Errorf("reading one row took %v", took)
	}
	return append(all, found("database is quick", err))
}
