//go:build linux

package server

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite" // fills the file

	"hawser/auth/provision"
	"hawser/auth/reqsig"
	"hawser/store/tenantdb"
	"hawser/store/tenantdb/pgtest"
)

// Environment of the child processes: the test binary, as a bare server, or with a profile.
const (
	asBare    = "HAWSERD_BENCH_BARE"
	asProfile = "HAWSERD_BENCH_PROFILE"
)

// init makes a child of a benchmark what it is meant to be before any test begins.
func init() {
	if file := os.Getenv(asProfile); file != "" {
		orders := make(chan os.Signal, 1)
		signal.Notify(orders, syscall.SIGUSR1, syscall.SIGUSR2)
		go profileOnOrder(orders, file)
	}
	if addr := os.Getenv(asBare); addr != "" {
		http.DefaultServeMux = http.NewServeMux()
		log.Fatal((&http.Server{
			Addr: addr, Handler: http.HandlerFunc(bareCheckIn), ReadHeaderTimeout: readHeaderTime, ReadTimeout: readTime, WriteTimeout: writeTime,
			IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		}).ListenAndServe())
	}
}

func profileOnOrder(orders <-chan os.Signal, file string) {
	f, err := os.Create(file)
	if err != nil {
		log.Fatal(err)
	}
	for o := range orders {
		if o == syscall.SIGUSR1 {
			err = pprof.StartCPUProfile(f)
		} else {
			pprof.StopCPUProfile()
			err = f.Close()
		}
		if err != nil {
			log.Print(err)
		}
	}
}

// bareCheckIn reads and answers what a check-in does.
func bareCheckIn(w http.ResponseWriter, r *http.Request) {
	var in provision.CheckInIn
	raw, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(raw, &in)
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	out, _ := json.Marshal(provision.CheckInOut{State: provision.StandingActive, Since: time.Now(), TenantName: "acme", Interval: 45})
	_, _ = w.Write(out)
}

// child is a server in a process of its own.
type child struct {
	addr        string
	cmd         *exec.Cmd
	dbPID       int // of the database's first process, 0 for none
	profileFile string
	said        bytes.Buffer
}

func startChild(b *testing.B, addr string, env []string, args ...string) *child {
	b.Helper()
	c := &child{addr: addr, cmd: exec.Command(os.Args[0], args...)}
	c.cmd.Env, c.cmd.Stderr = append(os.Environ(), env...), &c.said
	if *benchProfile != "" {
		c.profileFile = filepath.Join(b.TempDir(), "profile")
		c.cmd.Env = append(c.cmd.Env, asProfile+"="+c.profileFile)
	}
	if err := c.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			return c
		}
		if time.Now().After(deadline) {
			b.Fatalf("%v: %s", err, c.said.String())
		}
	}
}

func freeAddr(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func startBare(b *testing.B) *child {
	addr := freeAddr(b)
	return startChild(b, addr, []string{asBare + "=" + addr})
}

func (c *child) end(b *testing.B) {
	b.Helper()
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	err := c.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		b.Errorf("%v: %s", err, c.said.String())
	}
}

func (c *child) profile(b *testing.B) { c.order(b, syscall.SIGUSR1) }

func (c *child) profiled(b *testing.B, name string) {
	c.order(b, syscall.SIGUSR2)
	if c.profileFile == "" {
		return
	}
	time.Sleep(300 * time.Millisecond)
	raw, err := os.ReadFile(c.profileFile)
	if err = errors.Join(err, os.WriteFile(filepath.Join(*benchProfile, name), raw, 0o600)); err != nil {
		b.Fatal(err)
	}
}

func (c *child) order(b *testing.B, s syscall.Signal) {
	if c.profileFile == "" {
		return
	}
	if err := c.cmd.Process.Signal(s); err != nil {
		b.Fatal(err)
	}
}

// cpu is the processor time of the server.
func (c *child) cpu(b *testing.B) time.Duration { return processTime(b, c.cmd.Process.Pid) }

// dbTime is that of the database's processes.
func (c *child) dbTime(b *testing.B) (all time.Duration) {
	if c.dbPID == 0 {
		return 0
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		raw, _ := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(raw), ") ")
		f := strings.Fields(rest)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if len(f) > 1 && (pid == c.dbPID || f[1] == strconv.Itoa(c.dbPID)) {
			all += processTime(b, pid)
		}
	}
	return all
}

// processTime is what all threads of a process have used so far.
func processTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	const wholeProcess = 2 // CPUCLOCK_SCHED, clock_getcpuclockid(3)
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|wholeProcess), &used); err != nil {
		b.Fatalf("processor time of %d: %v", pid, err)
	}
	return time.Duration(used.Nano())
}

// fleet is a database of computers, some of which call.
type fleet struct {
	state, where string
	dbPID        int
	callers      []provision.Credential
	next         int
}

// benchCallers is how many computers of a large fleet call, each once in a measurement.
const benchCallers = benchFull + benchHalf

func newFleet(b *testing.B, kind string, devices int) *fleet {
	b.Helper()
	f := &fleet{state: b.TempDir()}
	f.where = filepath.Join(f.state, "hawserd.db")
	var owner string
	if kind == "postgres" {
		db := pgtest.Durable(b)
		f.where, owner = postgresURL(b, db), db.Owner
		f.dbPID = postmaster(b, owner)
	}
	db, err := tenantdb.Open(b.Context(), f.where)
	if err != nil {
		b.Fatal(err)
	}
	vault, err := openVault(b.Context(), filepath.Join(f.state, "master.key"), db)
	if err != nil {
		b.Fatal(err)
	}
	t := provision.Tenant{ID: provision.NewTenantID(), Name: "acme", CreatedAt: time.Now()}
	if err := errors.Join(db.CreateTenant(b.Context(), t, operator("tenant.create", t.ID)), db.Close()); err != nil {
		b.Fatal(err)
	}
	calls := map[int]bool{}
	for _, i := range shuffled(min(devices, benchCallers), devices) {
		calls[i] = true
	}
	keys, credentials := make([]provision.Key, devices), map[int]provision.Credential{}
	for i := range keys {
		var c provision.Credential
		keys[i], c = vault.NewKey(reqsig.Operator(t.ID), provision.RoleDevice, "", time.Now())
		if calls[i] {
			credentials[i] = c
		}
	}
	for _, c := range credentials { // in no order
		f.callers = append(f.callers, c)
	}
	if kind == "postgres" {
		fillPostgres(b, owner, t.ID, keys)
	} else {
		fillSQLite(b, f.where, t.ID, keys)
	}
	return f
}

// benchTables are what a registered computer is made of.
var benchTables = []struct {
	name, columns string
	row           func(tenant string, i int, k provision.Key) []any
}{
	{"person", "tenant,id,grp,org,usr,mailbox,aliases,state,state_at,state_by,bound,created,updated,live", func(t string, i int, _ provision.Key) []any {
		user := fmt.Sprintf("u%d", i)
		return []any{t, user, "", "00D5g000004fakeEAA", fmt.Sprintf("0055g%013d", i), user + "@acme.example", "[]", "active", int64(1), "operator", int64(1), int64(1), int64(1), int64(1)}
	}},
	{"api_key", "tenant,id,role,grp,usr,sealed,not_after,spent_by,created", func(t string, i int, k provision.Key) []any {
		return []any{t, k.ID, "device", "", fmt.Sprintf("u%d", i), k.Sealed, int64(0), "", int64(1)}
	}},
	{"device", "tenant,id,usr,registration,key_hash,state,state_at,state_by,created,last_seen,agent_version,agent_os,agent_state,agent_fault,agent_policy,seen,captured,filtered,held,waiting,needs_you",
		func(t string, i int, k provision.Key) []any {
			return []any{t, k.ID, fmt.Sprintf("u%d", i), fmt.Sprintf("a-registration-of-its-own-%d", i), make([]byte, 32), "active", int64(1), "code", int64(1), int64(0), "1", "linux", "", "",
				int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0)}
		}},
}

func fillPostgres(b *testing.B, owner, tenant string, keys []provision.Key) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), owner)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(b.Context())) }()
	for _, t := range benchTables {
		rows := pgx.CopyFromSlice(len(keys), func(i int) ([]any, error) { return t.row(tenant, i, keys[i]), nil })
		if _, err := conn.CopyFrom(b.Context(), pgx.Identifier{t.name}, strings.Split(t.columns, ","), rows); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := conn.Exec(b.Context(), "VACUUM ANALYZE"); err != nil {
		b.Fatal(err)
	}
}

func fillSQLite(b *testing.B, file, tenant string, keys []provision.Key) {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, t := range benchTables {
		places := strings.TrimSuffix(strings.Repeat("?,", strings.Count(t.columns, ",")+1), ",")
		insert, err := tx.Prepare("INSERT INTO " + t.name + " (" + t.columns + ") VALUES (" + places + ")")
		if err != nil {
			b.Fatal(err)
		}
		for i, k := range keys {
			if _, err := insert.Exec(t.row(tenant, i, k)...); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}

// postmaster is the first process of the server that url leads to.
func postmaster(b *testing.B, url string) int {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close(b.Context()) }()
	var dir string
	if err := conn.QueryRow(b.Context(), "SHOW data_directory").Scan(&dir); err != nil {
		b.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	if err != nil {
		b.Fatal(err)
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		b.Fatal(err)
	}
	return pid
}

// serve starts hawserd on the database.
func (f *fleet) serve(b *testing.B) *child {
	b.Helper()
	addr := freeAddr(b)
	env := []string{asMain + "=" + f.state}
	args := []string{"serve", "--listen", addr, "--metrics", ""}
	if f.dbPID != 0 {
		args = append(args, "--database", f.where)
	}
	c := startChild(b, addr, env, args...)
	c.dbPID = f.dbPID
	return c
}
