package server

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"hawser/app/server/admin"
	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

func (a *app) adminCmd() *cobra.Command {
	return group("admin", "Who may open a company's admin page", a.adminAddCmd(), a.adminListCmd(), a.adminRemoveCmd())
}

// account completes a Salesforce user id with the org, which only needs naming when the company's
// sites are of several.
func (o *office) account(ctx context.Context, tenant, org, user string) (provision.Tenant, provision.Account, error) {
	t, _, err := o.tenant(ctx, tenant)
	if err != nil {
		return t, provision.Account{}, err
	}
	if org == "" {
		var orgs []string
		for _, s := range t.Sites {
			if !slices.Contains(orgs, s.OrgID) {
				orgs = append(orgs, s.OrgID)
			}
		}
		if len(orgs) != 1 {
			return t, provision.Account{}, usage("--org is needed: the company's sites are not of exactly one org")
		}
		org = orgs[0]
	}
	account, ok := provision.Account{OrgID: org, UserID: user}.Canonical()
	if !ok {
		return t, account, usage("USER is a Salesforce user id, which begins with 005, and --org an org id, which begins with 00D")
	}
	return t, account, nil
}

func (a *app) adminAddCmd() *cobra.Command {
	var org, groupName string
	cmd := &cobra.Command{
		Use: "add TENANT USER", Short: "Let a Salesforce user open the company's admin page, or change their group", Args: words("TENANT", "USER"),
		Example: "  hawserd admin add acme 0055g00000FakeA\n  hawserd admin add acme 0055g00000FakeB --group sales",
		RunE: func(cmd *cobra.Command, args []string) error {
			if groupName != "" && !provision.IsGroup(groupName) {
				return usage("--group is not of the allowed form")
			}
			return a.inOffice(cmd.Context(), func(o *office) error {
				t, account, err := o.account(cmd.Context(), args[0], org, args[1])
				if err != nil {
					return err
				}
				one := provision.Admin{Account: account, Group: groupName}
				if err := o.db.PutAdmin(cmd.Context(), reqsig.Operator(t.ID), one, operator("admin.put", account.UserID)); err != nil {
					return err
				}
				if err := o.checkAdmins(cmd.Context(), t); err != nil {
					fmt.Fprintln(a.env.Stderr, "hawserd:", plain(err.Error()))
				}
				base := o.base
				if base == "" {
					base = "https://YOUR-SERVER"
				}
				link := base + admin.SignInPath(t.ID)
				return a.print(map[string]string{"signIn": link}, [][]string{{link}})
			})
		},
	}
	cmd.Flags().StringVar(&org, "org", "", "org `id`, when the company's sites are of several")
	cmd.Flags().StringVar(&groupName, "group", "", "sees this `group` alone")
	return cmd
}

func (a *app) adminListCmd() *cobra.Command {
	return &cobra.Command{
		Use: "list TENANT", Short: "List who may open the admin page", Args: words("TENANT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inOffice(cmd.Context(), func(o *office) error {
				_, id, err := o.tenant(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				all, err := o.db.Admins(cmd.Context(), id)
				if err != nil {
					return err
				}
				rows := [][]string{{"USER", "ORG", "GROUP"}}
				for _, one := range all {
					rows = append(rows, []string{one.Account.UserID, one.Account.OrgID, one.Group})
				}
				return a.print(all, rows)
			})
		},
	}
}

func (a *app) adminRemoveCmd() *cobra.Command {
	var org string
	cmd := &cobra.Command{
		Use: "remove TENANT USER", Short: "Close the admin page to a Salesforce user, at once", Args: words("TENANT", "USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inOffice(cmd.Context(), func(o *office) error {
				t, account, err := o.account(cmd.Context(), args[0], org, args[1])
				if err != nil {
					return err
				}
				return o.db.DeleteAdmin(cmd.Context(), reqsig.Operator(t.ID), account, operator("admin.delete", account.UserID))
			})
		},
	}
	cmd.Flags().StringVar(&org, "org", "", "org `id`, when the company's sites are of several")
	return cmd
}
