package server

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
)

// tenantFlags say what a tenant trusts.
type tenantFlags struct{ sites, adminClients, mail, domains, keys []string }

func (t *tenantFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&t.sites, "site", nil, "`ISSUER,ORG,CLIENT...` whose Salesforce sign-ins count; may be repeated")
	f.StringArrayVar(&t.adminClients, "admin-client", nil, "`ISSUER,CLIENT`: the app with which admins sign in at that site; without CLIENT, none; may be repeated")
	f.StringArrayVar(&t.mail, "mail", nil, "`ISSUER,CLIENT...` whose mail sign-ins count; may be repeated")
	f.StringSliceVar(&t.domains, "domain", nil, "mail `domain` that you have checked to be the tenant's; may be repeated")
	f.StringArrayVar(&t.keys, "policy-key", nil, "Ed25519 public `key` in base64url that may sign the tenant's policy; may be repeated")
}

// apply changes what the flags name and leaves the rest.
func (t *tenantFlags) apply(f *pflag.FlagSet, to *provision.Tenant) error {
	if err := t.applySites(f, to); err != nil {
		return err
	}
	if f.Changed("mail") {
		to.Mail = nil
	}
	for _, text := range t.mail {
		p := strings.Split(text, ",")
		if len(p) < 2 {
			return usage("--mail wants ISSUER,CLIENT")
		}
		to.Mail = append(to.Mail, provision.MailIssuer{Issuer: p[0], ClientIDs: p[1:]})
	}
	if f.Changed("domain") {
		to.Domains = nil
	}
	for _, d := range t.domains {
		to.Domains = append(to.Domains, strings.ToLower(d))
	}
	if f.Changed("policy-key") {
		to.PolicyKeys = nil
	}
	for _, text := range t.keys {
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return usage("--policy-key wants 32 bytes in base64url")
		}
		to.PolicyKeys = append(to.PolicyKeys, raw)
	}
	return nil
}

// applySites changes the sites. One that is named again keeps its app for the admin page.
func (t *tenantFlags) applySites(f *pflag.FlagSet, to *provision.Tenant) error {
	before := to.Sites
	if f.Changed("site") {
		to.Sites = nil
	}
	for _, text := range t.sites {
		p := strings.Split(text, ",")
		account, ok := provision.Account{OrgID: p[min(1, len(p)-1)], UserID: "005000000000001"}.Canonical()
		if len(p) < 3 || !ok {
			return usage("--site wants ISSUER,ORG,CLIENT with an org id that begins with 00D")
		}
		site := provision.Site{Issuer: p[0], OrgID: account.OrgID, ClientIDs: p[2:]}
		for _, old := range before {
			if old.Issuer == site.Issuer && old.OrgID == site.OrgID {
				site.AdminClientID = old.AdminClientID
			}
		}
		to.Sites = append(to.Sites, site)
	}
	for _, text := range t.adminClients {
		issuer, client, ok := strings.Cut(text, ",")
		known := false
		for i := range to.Sites {
			if to.Sites[i].Issuer == issuer {
				to.Sites[i].AdminClientID, known = client, true
			}
		}
		if !ok || !known {
			return usage("--admin-client wants ISSUER,CLIENT with the issuer of one of the company's sites")
		}
	}
	return nil
}

func (a *app) tenantCmd() *cobra.Command {
	return group("tenant", "Companies and what they trust",
		a.tenantAddCmd(), a.tenantSetCmd(), a.tenantListCmd(), a.tenantGateCmd("suspend", true), a.tenantGateCmd("resume", false))
}

func (a *app) tenantAddCmd() *cobra.Command {
	var flags tenantFlags
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Add a company", Args: words("NAME"),
		Example: "  hawserd tenant add acme --site https://acme.my.site.com/partners,00D5g000001AbCd,CLIENT_ID --domain acme.example",
		RunE: func(cmd *cobra.Command, args []string) error {
			t := provision.Tenant{ID: provision.NewTenantID(), Name: args[0], CreatedAt: time.Now()}
			if err := flags.apply(cmd.Flags(), &t); err != nil {
				return err
			}
			return a.inOffice(cmd.Context(), func(o *office) error {
				if err := o.db.CreateTenant(cmd.Context(), t, operator("tenant.create", t.ID)); err != nil {
					return err
				}
				return a.print(map[string]string{"id": t.ID}, [][]string{{t.ID}})
			})
		},
	}
	flags.add(cmd.Flags())
	return cmd
}

func (a *app) tenantSetCmd() *cobra.Command {
	var flags tenantFlags
	var name string
	cmd := &cobra.Command{
		Use: "set TENANT", Short: "Change what a company trusts; a flag replaces its whole list", Args: words("TENANT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inOffice(cmd.Context(), func(o *office) error {
				t, id, err := o.tenant(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if name != "" {
					t.Name = name
				}
				if err := flags.apply(cmd.Flags(), &t); err != nil {
					return err
				}
				return o.db.SetTenant(cmd.Context(), id, t, operator("tenant.set", t.ID))
			})
		},
	}
	flags.add(cmd.Flags())
	cmd.Flags().StringVar(&name, "name", "", "new `name`")
	return cmd
}

func (a *app) tenantGateCmd(use string, suspended bool) *cobra.Command {
	short := "Let a company's keys count again"
	if suspended {
		short = "Refuse all keys of a company"
	}
	return &cobra.Command{
		Use: use + " TENANT", Short: short, Args: words("TENANT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inOffice(cmd.Context(), func(o *office) error {
				t, id, err := o.tenant(cmd.Context(), args[0])
				if err != nil || t.Suspended == suspended {
					return err
				}
				t.Suspended = suspended
				return o.db.SetTenant(cmd.Context(), id, t, operator("tenant."+use, t.ID))
			})
		},
	}
}

func (a *app) tenantListCmd() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List companies", Args: words(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.inOffice(cmd.Context(), func(o *office) error {
				all, err := o.db.Tenants(cmd.Context())
				if err != nil {
					return err
				}
				rows := [][]string{{"NAME", "ID", "STATE", "SITES", "DOMAINS"}}
				for _, t := range all {
					state := "active"
					if t.Suspended {
						state = "suspended"
					}
					var sites []string
					for _, s := range t.Sites {
						sites = append(sites, s.Issuer)
					}
					rows = append(rows, []string{t.Name, t.ID, state, strings.Join(sites, " "), strings.Join(t.Domains, " ")})
				}
				return a.print(all, rows)
			})
		},
	}
}

func (a *app) keyCmd() *cobra.Command {
	return group("key", "Keys of companies' servers and installers", a.keyAddCmd(), a.keyListCmd(), a.keyRotateCmd(), a.keyRevokeCmd())
}

// issue makes a key and prints it, which happens once.
func (a *app) issue(cmd *cobra.Command, o *office, k provision.Key) error {
	id := reqsig.Operator(k.Tenant)
	key, credential := o.vault.NewKey(id, k.Role, k.Group, time.Now())
	if err := o.db.AddKey(cmd.Context(), id, key, operator("key.add", key.ID)); err != nil {
		return err
	}
	text := credential.Text().Reveal()
	return a.print(map[string]string{"id": key.ID, "key": text}, [][]string{{text}})
}

func (a *app) keyAddCmd() *cobra.Command {
	var k provision.Key
	cmd := &cobra.Command{
		Use: "add TENANT", Short: "Make a key and print it, once", Args: words("TENANT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if k.Role != provision.RoleTenant && k.Role != provision.RoleDeployment {
				return usage("--role is tenant or deployment")
			}
			return a.inOffice(cmd.Context(), func(o *office) error {
				t, _, err := o.tenant(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				k.Tenant = t.ID
				return a.issue(cmd, o, k)
			})
		},
	}
	cmd.Flags().StringVar((*string)(&k.Role), "role", string(provision.RoleTenant), "tenant: for the company's server; deployment: for its installer")
	cmd.Flags().StringVar(&k.Group, "group", "", "reaches the users of this `group` alone")
	return cmd
}

func (a *app) keyListCmd() *cobra.Command {
	return &cobra.Command{
		Use: "list TENANT", Short: "List a company's keys, without their secrets", Args: words("TENANT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inOffice(cmd.Context(), func(o *office) error {
				_, id, err := o.tenant(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				keys, err := o.db.TenantKeys(cmd.Context(), id)
				if err != nil {
					return err
				}
				rows := [][]string{{"ID", "ROLE", "GROUP", "MADE", "ENDS"}}
				for _, k := range keys {
					rows = append(rows, []string{k.ID, string(k.Role), k.Group, when(k.CreatedAt), when(k.NotAfter)})
				}
				return a.print(keys, rows)
			})
		},
	}
}

// one finds a key of a tenant.
func (a *app) oneKey(cmd *cobra.Command, o *office, args []string) (provision.Key, reqsig.TenantID, error) {
	_, id, err := o.tenant(cmd.Context(), args[0])
	if err != nil {
		return provision.Key{}, id, err
	}
	keys, err := o.db.TenantKeys(cmd.Context(), id)
	if err != nil {
		return provision.Key{}, id, err
	}
	for _, k := range keys {
		if k.ID == args[1] {
			return k, id, nil
		}
	}
	return provision.Key{}, id, fmt.Errorf("there is no key %q", args[1])
}

func (a *app) keyRotateCmd() *cobra.Command {
	var overlap time.Duration
	cmd := &cobra.Command{
		Use: "rotate TENANT KEY", Short: "Make a successor of a key; the old one goes on for a while", Args: words("TENANT", "KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if overlap < 0 {
				return usage("--overlap is not negative")
			}
			return a.inOffice(cmd.Context(), func(o *office) error {
				old, id, err := a.oneKey(cmd, o, args)
				if err != nil {
					return err
				}
				// The successor comes first: when two keys live already, nothing may have ended.
				if err := a.issue(cmd, o, old); err != nil {
					return err
				}
				ends := time.Now().Add(overlap)
				if !old.NotAfter.IsZero() && old.NotAfter.Before(ends) {
					return nil // an end that was set already stays: a revoked key does not come back
				}
				return o.db.EndKey(cmd.Context(), id, old.ID, ends, operator("key.end", old.ID))
			})
		},
	}
	cmd.Flags().DurationVar(&overlap, "overlap", 7*24*time.Hour, "how long the old key goes on")
	return cmd
}

func (a *app) keyRevokeCmd() *cobra.Command {
	return &cobra.Command{
		Use: "revoke TENANT KEY", Short: "End a key now", Args: words("TENANT", "KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inOffice(cmd.Context(), func(o *office) error {
				k, id, err := a.oneKey(cmd, o, args)
				if err != nil {
					return err
				}
				return o.db.EndKey(cmd.Context(), id, k.ID, time.Now(), operator("key.end", k.ID))
			})
		},
	}
}
