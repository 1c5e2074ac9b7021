package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"hawser/store/tenantdb"
)

func (a *app) serveCmd() *cobra.Command {
	var o serveOptions
	var proxies []string
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve the provisioning protocol", Args: words(),
		Example: "  hawserd serve\n  hawserd serve --listen :443 --authority hawser.example.com --tls-cert cert.pem --tls-key key.pem",
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, text := range proxies {
				p, err := netip.ParsePrefix(text)
				if err != nil {
					return usage("--trusted-proxy: " + err.Error())
				}
				o.proxies = append(o.proxies, p)
			}
			if err := o.check(); err != nil {
				return err
			}
			return a.serve(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8440", "`address` to serve on")
	f.StringVar(&o.metrics, "metrics", "127.0.0.1:9440", "`address` for /metrics; empty for none")
	f.StringVar(&o.authority, "authority", "", "`host` by which clients know this server, with its port unless 443 (default the address)")
	f.DurationVar(&o.checkIn, "check-in", 45*time.Second, "how often a computer reports, from 5s to 5m; a suspension reaches it within a fifth more")
	f.StringVar(&o.certFile, "tls-cert", "", "certificate chain, PEM; read again when it changes")
	f.StringVar(&o.keyFile, "tls-key", "", "private key, PEM")
	f.StringSliceVar(&proxies, "trusted-proxy", nil, "`network` of proxies whose X-Forwarded-For is believed")
	return cmd
}

// check refuses to send secrets in the clear by accident: a device key travels once.
func (o *serveOptions) check() error {
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil {
		return usage("--listen: " + err.Error())
	}
	ip := net.ParseIP(host)
	local := host == "localhost" || ip != nil && ip.IsLoopback()
	switch {
	case o.checkIn < 5*time.Second || o.checkIn > 5*time.Minute:
		return usage("--check-in wants a time from 5s to 5m")
	case (o.certFile == "") != (o.keyFile == ""):
		return usage("--tls-cert and --tls-key go together")
	case !local && o.certFile == "" && len(o.proxies) == 0:
		return usage("listening beyond this machine takes --tls-cert and --tls-key, or --trusted-proxy when a proxy does TLS")
	case o.authority == "" && (!local || len(o.proxies) > 0):
		return usage("--authority is needed: the host name that clients use is part of what they sign")
	case o.authority == "":
		o.authority = o.listen
	}
	return nil
}

func (a *app) serve(ctx context.Context, o serveOptions) error {
	log := a.logger()
	var off *office
	err := patiently(ctx, func() (err error) {
		off, err = a.open(ctx)
		return err
	})
	if err != nil {
		return err
	}
	err = a.serveOffice(ctx, off, log, o)
	return errors.Join(err, off.db.Close())
}

func (a *app) serveOffice(ctx context.Context, off *office, log *slog.Logger, o serveOptions) error {
	off.base = o.base()
	s, err := newService(off.db, off.vault, log, o)
	if err != nil {
		return err
	}
	l, err := listen(ctx, o)
	if err != nil {
		return err
	}
	var desk *deskSocket
	if a.database == "" {
		if desk, err = openDesk(ctx, a.state, a.host(off)); err != nil {
			l.close()
			return err
		}
	}
	attrs := []slog.Attr{slog.String("listen", l.public.Addr().String()), slog.Bool("tls", o.certFile != ""), slog.Bool("postgres", a.database != "")}
	if l.metrics != nil {
		attrs = append(attrs, slog.String("metrics", l.metrics.Addr().String()))
	}
	log.LogAttrs(ctx, slog.LevelInfo, "serving", attrs...)
	err = s.run(ctx, l, desk)
	log.LogAttrs(ctx, slog.LevelInfo, "ended")
	return err
}

// host runs other processes' commands on this one's database.
func (a *app) host(off *office) func(context.Context, errand, io.Writer, io.Writer) int {
	return func(ctx context.Context, e errand, stdout, stderr io.Writer) int {
		env := a.env
		env.Args, env.Stdin, env.Stdout, env.Stderr, env.State = e.Args, nil, stdout, stderr, a.state
		return (&app{env: env, hosted: off, files: e.Files}).main(ctx)
	}
}

func (a *app) migrateCmd() *cobra.Command {
	var owner, role string
	cmd := &cobra.Command{
		Use: "migrate", Short: "Bring a PostgreSQL database to this version's schema (SQLite migrates itself)", Args: words(),
		Example: "  hawserd migrate --owner postgres://owner@db/hawserd --role hawserd",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if owner == "" || role == "" {
				return usage("--owner and --role are needed")
			}
			if err := tenantdb.Migrate(cmd.Context(), owner, role); err != nil {
				return err
			}
			fmt.Fprintln(a.env.Stdout, "The database has the schema of this version.")
			return nil
		},
	}
	cmd.Flags().StringVar(&owner, "owner", "", "`address` for the role that owns the tables")
	cmd.Flags().StringVar(&role, "role", "", "`name` of the role that hawserd serve connects as")
	return cmd
}

func (a *app) moveCmd() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use: "move", Short: "Carry everything from the SQLite file to an empty PostgreSQL database", Args: words(),
		Long: "Stop the server first. Afterwards the file is closed for good; serve with --database and the same key file.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to == "" || a.database != "" {
				return usage("--to is needed, and --database is not: the file of the state folder is what moves")
			}
			if _, err := os.Stat(a.where()); err != nil {
				return fmt.Errorf("move: %w", err)
			}
			moved, err := tenantdb.Move(cmd.Context(), a.where(), to)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.env.Stdout, "Moved %d tenants, %d users, %d devices and %d nonces.\n", moved["tenant"], moved["person"], moved["device"], moved["nonce"])
			return nil
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "`address` of the PostgreSQL database, already migrated")
	return cmd
}
