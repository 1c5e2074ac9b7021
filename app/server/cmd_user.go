package server

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"hawser/auth/provision"
)

func (a *app) userCmd() *cobra.Command {
	return group("user", "People whom companies enabled", a.userImportCmd(), a.userListCmd(), a.userCodeCmd(),
		a.userStateCmd("suspend", "Have a user's computers stop and keep what they have", provision.Suspended),
		a.userStateCmd("resume", "Let a suspended user go on", provision.Active),
		a.userStateCmd("deprovision", "Have a user's computers sign out and delete everything", provision.Deprovisioned))
}

func (a *app) userImportCmd() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use: "import TENANT FILE", Short: "Create and update users from a CSV file; - reads standard input", Args: words("TENANT", "FILE"),
		Long: "The first line names the columns: id,org,user,mailbox and optionally group,aliases.\nAliases are separated by spaces. Every line that is refused is named; the others are taken.",
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.file(args[1])
			if err != nil {
				return fmt.Errorf("read users: %w", err)
			}
			lines, err := readUsers(text)
			if err != nil {
				return err
			}
			return a.inOffice(cmd.Context(), func(o *office) error { return a.importUsers(cmd.Context(), o, args[0], importing{lines, dry}) })
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would happen and change nothing")
	return cmd
}

func (a *app) userListCmd() *cobra.Command {
	var q provision.UserQuery
	cmd := &cobra.Command{
		Use: "list TENANT", Short: "List users, their state and their computers", Args: words("TENANT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inOffice(cmd.Context(), func(o *office) error {
				users, err := o.users(cmd.Context(), args[0], q)
				if err != nil {
					return err
				}
				rows := [][]string{{"ID", "GROUP", "STATE", "BOUND", "MAILBOX", "COMPUTER", "VERSION", "LAST SEEN", "WAITING", "NEEDS YOU", "FAULT"}}
				for _, u := range users {
					head := []string{u.ID, u.Group, string(u.State), strconv.FormatBool(u.Bound), u.Mailbox}
					if len(u.Devices) == 0 {
						rows = append(rows, append(head, "-", "-", "-", "-", "-", "-"))
					}
					for _, d := range u.Devices {
						r := d.Report
						rows = append(rows, append(head[:len(head):len(head)], d.ID, r.Version, when(d.LastSeen),
							strconv.FormatInt(r.Counts.Waiting, 10), strconv.FormatInt(r.Counts.NeedsYou, 10), r.Fault))
					}
				}
				return a.print(users, rows)
			})
		},
	}
	cmd.Flags().StringVar(&q.Group, "group", "", "only this `group`")
	return cmd
}

// users reads all pages.
func (o *office) users(ctx context.Context, tenant string, q provision.UserQuery) (all []provision.User, err error) {
	_, id, err := o.tenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	q.Limit = 500
	for {
		page, err := o.db.ListUsers(ctx, id, q)
		if err != nil || len(page) == 0 {
			return all, err
		}
		all = append(all, page...)
		q.After = page[len(page)-1].ID
	}
}

func (a *app) userCodeCmd() *cobra.Command {
	var link bool
	cmd := &cobra.Command{
		Use: "code TENANT USER", Short: "Make a one-time enrolment code and print it, once", Args: words("TENANT", "USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inOffice(cmd.Context(), func(o *office) error {
				_, id, err := o.tenant(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				out, err := o.vault.IssueCode(cmd.Context(), o.db, id, operator("code.issue", args[1]))
				if err != nil {
					return err
				}
				text := out.Code
				if link {
					if text, err = o.link(out.Code); err != nil {
						return err
					}
				}
				return a.print(out, [][]string{{text}})
			})
		},
	}
	cmd.Flags().BoolVar(&link, "link", false, "print a link that holds the code and this server's address, for a message to the user")
	return cmd
}

// link writes an enrolment link; only a running server knows its own address.
func (o *office) link(code string) (string, error) {
	if o.base == "" {
		return "", errors.New("a link names the server's address, which is known while it runs: start it first")
	}
	c, err := provision.ParseCredential(code)
	if err != nil {
		return "", err
	}
	return provision.Link{Server: o.base, Code: c}.Text().Reveal(), nil
}

func (a *app) userStateCmd(use, short string, to provision.UserState) *cobra.Command {
	return &cobra.Command{
		Use: use + " TENANT USER", Short: short, Args: words("TENANT", "USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inOffice(cmd.Context(), func(o *office) error {
				_, id, err := o.tenant(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				_, err = o.db.SetUserState(cmd.Context(), id, args[1], to, operator("user."+use, args[1]))
				return err
			})
		},
	}
}
