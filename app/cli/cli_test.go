package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"hawser/app/cli"
	"hawser/app/control"
	"hawser/app/control/controltest"
	"hawser/sync/fault"
	"hawser/sync/leaktest"
)

// now is the time in all scripts.
var now = time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)

// TestMain fails the package when a goroutine outlives its tests.
func TestMain(m *testing.M) { os.Exit(leaktest.Run(m.Run)) }

// script is what the commands of one script share.
type script struct {
	dir    string // the control socket's
	fake   *controltest.Agent
	stop   func()
	typed  string
	code   int
	outage error // what "hawser run" returns
}

type scriptKey struct{}

func of(ts *testscript.TestScript) *script { return ts.Value(scriptKey{}).(*script) }

// TestScripts runs testdata/*.txtar. Beside testscript's own commands they have:
//
//	agent FILE      start a stand-in agent that shows what FILE (JSON) holds
//	hawser ARG...   run the command line; "! hawser" when it must not exit with 0
//	code N          the last hawser exited with N
//	told CALL       the agent was told CALL; "! told CALL" that it was not
//	type TEXT...    what the next hawser reads from its standard input, line by line
//	runfails CODE   "hawser run" ends with that fault from now on
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			// A socket's path must be short, so it is not in the script's own directory.
			base, err := os.MkdirTemp("", "hw")
			if err != nil {
				return err
			}
			s := &script{dir: filepath.Join(base, "run"), stop: func() {}}
			env.Values[scriptKey{}] = s
			env.Defer(func() { s.stop(); os.RemoveAll(base) })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"agent": startAgent, "hawser": runCLI,
			"code": func(ts *testscript.TestScript, _ bool, args []string) {
				if got := strconv.Itoa(of(ts).code); got != args[0] {
					ts.Fatalf("exit code %s, want %s", got, args[0])
				}
			},
			"told": func(ts *testscript.TestScript, neg bool, args []string) {
				calls := of(ts).fake.Calls()
				found := false
				for _, c := range calls {
					found = found || c == args[0]
				}
				if found == neg {
					ts.Fatalf("the agent was told %q", calls)
				}
			},
			"type": func(ts *testscript.TestScript, _ bool, args []string) { of(ts).typed = strings.Join(args, "\n") + "\n" },
			"runfails": func(ts *testscript.TestScript, _ bool, args []string) {
				of(ts).outage = fault.New(fault.Code(args[0]), "run", nil)
			},
		},
	})
}

func startAgent(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	var shown struct {
		Status control.Status `json:"status"`
		controltest.Agent
	}
	if err := json.Unmarshal([]byte(ts.ReadFile(args[0])), &shown); err != nil {
		ts.Fatalf("%s: %v", args[0], err)
	}
	s.stop()
	s.fake = &shown.Agent
	s.fake.Set(shown.Status)
	l, err := control.Listen(s.dir)
	if err != nil {
		ts.Fatalf("listen: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	s.fake.Stopped = cancel
	go func() { done <- l.Serve(ctx, s.fake, slog.New(slog.DiscardHandler)) }()
	s.stop = func() { cancel(); <-done; s.stop = func() {} }
}

func runCLI(ts *testscript.TestScript, neg bool, args []string) {
	s := of(ts)
	s.code = cli.Main(context.Background(), cli.Env{
		Args: args, Stdin: strings.NewReader(s.typed), Stdout: ts.Stdout(), Stderr: ts.Stderr(),
		ControlDir: s.dir, Lang: ts.Getenv("LANG"), Version: "1.2.3",
		Run: func(_ context.Context, o cli.RunOptions) error {
			if s.outage == nil {
				ts.Stdout().Write([]byte("ran headless=" + strconv.FormatBool(o.Headless) + " config=" + o.Config + "\n"))
			}
			return s.outage
		},
		Now: func() time.Time { return now },
	})
	s.typed = ""
	if neg != (s.code != 0) {
		ts.Fatalf("exit code %d", s.code)
	}
}

// TestExitCodeOfEveryFault holds the promise of "hawser help exit-codes" for each code there is.
func TestExitCodeOfEveryFault(t *testing.T) {
	t.Parallel()
	own := map[fault.Code]int{fault.NotRunning: 3, fault.Usage: 2, fault.NotFound: 2, fault.SignInCancelled: 130}
	class := map[fault.Class]int{fault.Bug: 1, fault.User: 4, fault.Admin: 5, fault.Retry: 6}
	for _, code := range append(fault.Codes(), "from-the-future") {
		want, ok := own[code]
		if !ok {
			want = class[code.Class()]
		}
		for _, asJSON := range []string{"--json=false", "--json"} {
			var out, errOut bytes.Buffer
			got := cli.Main(t.Context(), cli.Env{
				Args: []string{"run", asJSON}, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errOut, ControlDir: t.TempDir(),
				Run: func(context.Context, cli.RunOptions) error { return fault.New(code, "x", errors.New("secret cause")) },
			})
			if got != want {
				t.Errorf("%s exits with %d, want %d", code, got, want)
			}
			if s := errOut.String(); !strings.Contains(s, string(code)) || strings.Contains(s, "secret cause") || out.Len() > 0 {
				t.Errorf("%s %s prints %q, %q", code, asJSON, out.String(), s)
			}
		}
	}
}

func TestCtrlC(t *testing.T) {
	t.Parallel()
	base, err := os.MkdirTemp("", "hw")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	fake := &controltest.Agent{Hang: true, Steps: []control.SignInStep{{Step: "waiting"}}}
	serving, stop := context.WithCancel(t.Context())
	l, err := control.Listen(base)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- l.Serve(serving, fake, slog.New(slog.DiscardHandler)) }()

	ctx, interrupt := context.WithCancel(t.Context())
	var out, errOut bytes.Buffer
	exit := make(chan int, 1)
	go func() {
		exit <- cli.Main(ctx, cli.Env{Args: []string{"signin", "mail"}, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errOut, ControlDir: base})
	}()
	if err := fake.Await(t.Context(), "signin mail"); err != nil {
		t.Fatal(err)
	}
	interrupt()
	if code := <-exit; code != 130 {
		t.Errorf("exit code %d, want 130; %s", code, errOut.String())
	}
	if err := fake.Await(t.Context(), "signin cancelled"); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestRunEndsWellOnCtrlC(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	var errOut bytes.Buffer
	code := cli.Main(ctx, cli.Env{Args: []string{"run"}, Stdin: strings.NewReader(""), Stdout: &errOut, Stderr: &errOut,
		Run: func(ctx context.Context, _ cli.RunOptions) error { interrupt(); <-ctx.Done(); return ctx.Err() }})
	if code != 0 || errOut.Len() > 0 {
		t.Errorf("exit code %d, %q", code, errOut.String())
	}
}
