// Package pgtest runs a real PostgreSQL server for tests, in a temporary directory and on the
// loopback interface only.
//
// One server is started per test binary, when the first test asks for a database; [Main] stops it.
// It also ends when the test binary is killed. It does not wait for the disk, unless [Durable] is
// asked for. Functions are safe for concurrent use.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Role is the login that owns nothing; servers connect as it.
const Role = "hawserd"

// Database is one empty database.
type Database struct {
	Owner  string // address for the role that may create tables
	Server string // address for Role

	name string
	on   *cluster
}

type cluster struct {
	dir  string
	port string
	cmd  *exec.Cmd
	stop func() error
}

// host is a server that is started when it is needed.
type host struct {
	durable bool
	once    sync.Once
	running *cluster
	fail    error
}

var (
	quick, durable = &host{}, &host{durable: true}
	names          atomic.Int64
)

// errMissing says that PostgreSQL is not installed.
var errMissing = errors.New("PostgreSQL is not installed (package postgresql)")

// Main runs the tests and stops the server that they used. It returns the exit code.
func Main(m *testing.M) int {
	code := m.Run()
	for _, h := range []*host{quick, durable} {
		if h.running == nil {
			continue
		}
		if err := h.running.close(); err != nil {
			fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
			code = max(code, 1)
		}
	}
	return code
}

// New returns a new database. Without PostgreSQL the test is skipped, with CI=true it fails.
func New(t testing.TB) Database {
	t.Helper()
	return quick.database(t)
}

// Durable is New on a server that waits for the disk at each commit, for measurements.
func Durable(t testing.TB) Database {
	t.Helper()
	return durable.database(t)
}

func (h *host) database(t testing.TB) Database {
	t.Helper()
	h.once.Do(func() { h.running, h.fail = start(h.durable) })
	if errors.Is(h.fail, errMissing) && os.Getenv("CI") != "true" {
		t.Skip(h.fail)
	}
	if h.fail != nil {
		t.Fatal(h.fail)
	}
	return h.running.create(t, "")
}

func (c *cluster) create(t testing.TB, template string) Database {
	t.Helper()
	name := fmt.Sprintf("t%d", names.Add(1))
	Exec(t, c.url("app", "postgres"), "CREATE DATABASE "+name+template)
	return Database{Owner: c.url("app", name), Server: c.url(Role, name), name: name, on: c}
}

// Copy returns a new database with the contents of d, to which nobody may be connected.
func (d Database) Copy(t testing.TB) Database {
	t.Helper()
	return d.on.create(t, " TEMPLATE "+d.name)
}

// Exec runs statements as whoever the address says.
func Exec(t testing.TB, url, statements string) {
	t.Helper()
	if err := run(url, statements); err != nil {
		t.Fatal(err)
	}
}

func run(url, statements string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statements)
	return err
}

func (c *cluster) url(user, db string) string {
	return "postgres://" + user + "@127.0.0.1:" + c.port + "/" + db + "?sslmode=disable"
}

// programs finds initdb and postgres, which Debian keeps out of the path.
func programs() (bin string, err error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.Join(errMissing, err)
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// asServer prepares a command for the user that the server runs as: it refuses to run as root.
func asServer(name string, args ...string) *exec.Cmd {
	if os.Geteuid() == 0 {
		return exec.Command("runuser", append([]string{"-u", "postgres", "--", name}, args...)...)
	}
	return exec.Command(name, args...)
}

func start(durable bool) (*cluster, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "hawser-pg")
	if err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		if out, err := exec.Command("chown", "postgres", dir).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("chown: %s: %w", out, err)
		}
	}
	c := &cluster{dir: dir}
	data := filepath.Join(dir, "data")
	initdb := asServer(filepath.Join(bin, "initdb"), "-D", data, "-A", "trust", "-E", "UTF8", "--no-locale", "-U", "app", "-N")
	initdb.Dir = dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %s: %w", out, err)
	}
	if err := c.serve(bin, data, durable); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return c, nil
}

// serve starts the server below a shell that ends it when our end of its standard input closes,
// as it does when this process dies.
func (c *cluster) serve(bin, data string, durable bool) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_, c.port, _ = strings.Cut(l.Addr().String(), ":")
	if err := l.Close(); err != nil {
		return err
	}
	c.cmd = asServer("/bin/sh", "-c", `exec 3<&0; "$0" "$@" </dev/null & cat <&3 >/dev/null; kill -QUIT $!; wait`,
		filepath.Join(bin, "postgres"), "-D", data, "-p", c.port, "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "max_connections=200")
	if !durable {
		c.cmd.Args = append(c.cmd.Args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	c.cmd.Dir = c.dir
	log, err := os.Create(filepath.Join(c.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	c.cmd.Stdout, c.cmd.Stderr = log, log
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return err
	}
	c.stop = stdin.Close
	if err := c.cmd.Start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := run(c.url("app", "postgres"), "CREATE ROLE "+Role+" LOGIN")
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(log.Name())
			return fmt.Errorf("PostgreSQL does not start: %w\n%s", errors.Join(err, c.close()), said)
		}
	}
}

func (c *cluster) close() error {
	err := c.stop()
	_ = c.cmd.Wait() // killed on purpose
	return errors.Join(err, os.RemoveAll(c.dir))
}
