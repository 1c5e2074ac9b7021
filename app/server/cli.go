package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"hawser/app/logging"
	"hawser/auth/provision"
	"hawser/auth/reqsig"
	"hawser/store/tenantdb"
	"hawser/sync/fault"
)

// Env is what main hands in.
type Env struct {
	Args           []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	State          string // folder of the database and the key, unless --state says otherwise
	Database       string // address of a PostgreSQL database; "" is SQLite in the state folder
	Version        string
}

// The exit codes.
const (
	exitOK      = 0
	exitFailed  = 1 // nothing, or not everything, was done
	exitUsage   = 2
	exitPartial = 3 // some lines of an import were refused
)

// errUsage marks a command line that was not understood.
var errUsage = errors.New("usage")

// exitError ends a command that has said everything already.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// app is one command line.
type app struct {
	env                      Env
	state, database, keyFile string
	json                     bool
	hosted                   *office           // set inside a running server
	files                    map[string][]byte // what the words of the command line name
}

// office is an open database with the key to it.
type office struct {
	db      *tenantdb.DB
	vault   *provision.Vault
	keyFile string
	base    string // "https://hawser.example.com" of the running server; "" outside one
}

// Main runs one command and returns its exit code.
func Main(ctx context.Context, env Env) int {
	return (&app{env: env, files: map[string][]byte{}}).main(ctx)
}

func (a *app) main(ctx context.Context) int {
	root := a.root()
	root.SetArgs(a.env.Args)
	err := root.ExecuteContext(ctx)
	var exit exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		return int(exit)
	}
	fmt.Fprintln(a.env.Stderr, "hawserd:", explain(err))
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailed
}

// reasons are what faults of the database mean to an operator.
var reasons = map[fault.Code]string{
	fault.QueueLocked:  "another hawserd has this database open; stop it first",
	fault.QueueDamaged: "the database file is damaged; restore it from a backup",
	fault.QueueNewer:   "the database file was written by a newer hawserd",
	fault.DiskFull:     "the disk is full",
}

// explain says what an operator can do, and leaves out the marks that only code needs.
func explain(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		if text, ok := reasons[f.Code]; ok {
			return text
		}
	}
	return strings.TrimPrefix(err.Error(), errUsage.Error()+": ")
}

func usage(text string) error { return fmt.Errorf("%w: %s", errUsage, text) }

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "hawserd", Short: "The provisioning backend of Hawser", Version: a.env.Version,
		Long: "hawserd keeps a company's users, computers and policies. It sees no mail and no token.\nThe runbook is in the help page hawserd.md.",
		Args: cobra.ArbitraryArgs, RunE: onlyHelp,
		SilenceUsage: true, SilenceErrors: true, CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetIn(a.env.Stdin)
	root.SetOut(a.env.Stdout)
	root.SetErr(a.env.Stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err.Error()) })
	f := root.PersistentFlags()
	f.StringVar(&a.state, "state", a.env.State, "`folder` of the database and the key")
	f.StringVar(&a.database, "database", a.env.Database, "PostgreSQL `address`; also from HAWSERD_DATABASE, which other users cannot read off the process list")
	f.StringVar(&a.keyFile, "key-file", "", "`file` of the sealing key (default master.key in the state folder)")
	f.BoolVar(&a.json, "json", false, "print JSON")
	root.AddCommand(a.serveCmd(), a.tenantCmd(), a.keyCmd(), a.userCmd(), a.adminCmd(), a.policyCmd(), a.auditCmd(), a.doctorCmd(), a.moveCmd(), a.migrateCmd())
	return root
}

// words demands n arguments, or says what they are.
func words(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return usage(strings.TrimSpace(fmt.Sprintf("this command takes %d words: %s", len(names), strings.Join(names, " "))))
		}
		return nil
	}
}

// onlyHelp is what a command does that has commands of its own.
func onlyHelp(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(fmt.Sprintf("%s has no command %q", c.CommandPath(), args[0]))
	}
	return c.Help()
}

func group(use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: onlyHelp}
	c.AddCommand(children...)
	return c
}

func (a *app) key() string {
	switch {
	case a.hosted != nil:
		return a.hosted.keyFile
	case a.keyFile != "":
		return a.keyFile
	}
	return filepath.Join(a.state, "master.key")
}

func (a *app) where() string {
	if a.database != "" {
		return a.database
	}
	return filepath.Join(a.state, "hawserd.db")
}

// file reads a file that the command line names, "-" being the standard input.
func (a *app) file(name string) ([]byte, error) {
	if text, ok := a.files[name]; ok {
		return text, nil
	}
	if a.hosted != nil {
		return nil, fmt.Errorf("read %s: not handed over", name)
	}
	var text []byte
	var err error
	if name == "-" {
		text, err = io.ReadAll(io.LimitReader(a.env.Stdin, maxErrand/2))
	} else {
		text, err = os.ReadFile(name)
	}
	a.files[name] = text
	return text, err
}

// inOffice runs work on the database: in the running server when there is one, else here. When
// somebody else has the file for a moment, such as a server that is just starting, it waits.
func (a *app) inOffice(ctx context.Context, work func(*office) error) error {
	if a.hosted != nil {
		return work(a.hosted)
	}
	var o *office
	err := patiently(ctx, func() (err error) {
		if a.database == "" {
			if ok, err := a.handOver(ctx); ok || err != nil {
				return err
			}
		}
		o, err = a.open(ctx)
		return err
	})
	if err != nil || o == nil {
		return err
	}
	return errors.Join(work(o), o.db.Close())
}

// patience is how long a command waits for a database that somebody else has open.
const patience = 5 * time.Second

func patiently(ctx context.Context, try func() error) error {
	for began := time.Now(); ; {
		err := try()
		if !fault.Is(err, fault.QueueLocked) || time.Since(began) > patience {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// handOver has a running server do the command. ok is false when there is none.
func (a *app) handOver(ctx context.Context) (ok bool, err error) {
	o, ok, err := send(ctx, a.state, errand{a.env.Args, a.files})
	if err != nil || !ok {
		return ok, err
	}
	_, err1 := a.env.Stdout.Write(o.Stdout)
	_, err2 := a.env.Stderr.Write(o.Stderr)
	return true, errors.Join(err1, err2, ended(o.Code))
}

func ended(code int) error {
	if code == exitOK {
		return nil
	}
	return exitError(code)
}

func (a *app) open(ctx context.Context) (*office, error) {
	if err := os.MkdirAll(a.state, 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	db, err := tenantdb.Open(ctx, a.where())
	if err != nil {
		return nil, err
	}
	vault, err := openVault(ctx, a.key(), db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &office{db: db, vault: vault, keyFile: a.key()}, nil
}

// tenant finds a tenant by name or id.
func (o *office) tenant(ctx context.Context, name string) (provision.Tenant, reqsig.TenantID, error) {
	all, err := o.db.Tenants(ctx)
	if err != nil {
		return provision.Tenant{}, reqsig.TenantID{}, err
	}
	for _, t := range all {
		if t.Name == name || t.ID == name {
			return t, reqsig.Operator(t.ID), nil
		}
	}
	return provision.Tenant{}, reqsig.TenantID{}, fmt.Errorf("there is no tenant %q", name)
}

// operator is an event of somebody at the command line.
func operator(action, subject string) provision.Event {
	return provision.Event{At: time.Now(), Actor: "operator", Action: action, Subject: subject}
}

// print writes a value as JSON, or as rows under a heading.
func (a *app) print(v any, rows [][]string) error {
	if a.json {
		enc := json.NewEncoder(a.env.Stdout)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	w := tabwriter.NewWriter(a.env.Stdout, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		for i := range r {
			r[i] = plain(r[i])
		}
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	return w.Flush()
}

// plain keeps a stored text from moving the cursor or ending the line.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x200e && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, s)
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func (a *app) logger() *slog.Logger {
	log, _ := logging.New(logging.Options{Also: a.env.Stderr, Level: slog.LevelInfo})
	return log
}
