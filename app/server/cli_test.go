package server

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"hawser/auth/provision"
)

type lastCode struct{ code int }

// TestScripts runs testdata/*.txtar. Beside testscript's own commands they have:
//
//	hawserd ARG...          run a command; "! hawserd" when it must not exit with 0
//	code N                  the last hawserd exited with N
//	addtenant NAME KEY      add a tenant that trusts the key made by policy keygen KEY
//	sign KEY VERSION FILE   sign a policy of that tenant
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:   "testdata",
		Setup: func(env *testscript.Env) error { env.Values[lastCode{}] = &lastCode{}; return nil },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"hawserd": func(ts *testscript.TestScript, neg bool, args []string) {
				code := hawserd(ts, args...)
				ts.Value(lastCode{}).(*lastCode).code = code
				if neg != (code != 0) {
					ts.Fatalf("exit code %d", code)
				}
			},
			"code": func(ts *testscript.TestScript, _ bool, args []string) {
				if got := strconv.Itoa(ts.Value(lastCode{}).(*lastCode).code); got != args[0] {
					ts.Fatalf("exit code %s, want %s", got, args[0])
				}
			},
			"addtenant": addTenant,
			"sign":      signPolicy,
		},
	})
}

func hawserd(ts *testscript.TestScript, args ...string) int {
	for i, a := range args { // the program runs in this process, whose folder is another
		for _, suffix := range []string{".csv", ".json", ".pem"} {
			if strings.HasSuffix(a, suffix) {
				args[i] = ts.MkAbs(a)
			}
		}
	}
	return Main(context.Background(), Env{Args: args, Stdin: strings.NewReader(""), Stdout: ts.Stdout(), Stderr: ts.Stderr(), State: ts.MkAbs("state"), Version: "test"})
}

func addTenant(ts *testscript.TestScript, _ bool, args []string) {
	private, err := readSigningKey(ts.MkAbs(args[1]))
	ts.Check(err)
	public := base64.RawURLEncoding.EncodeToString(private.Public().(ed25519.PublicKey))
	if code := hawserd(ts, "tenant", "add", args[0], "--policy-key", public); code != 0 {
		ts.Fatalf("tenant add: %d", code)
	}
}

func policyOf(tenant string, version int64) provision.PolicyDocument {
	return provision.PolicyDocument{
		Tenant: tenant, Version: version, Issued: time.Now(), Expires: time.Now().Add(time.Hour), Settings: map[string]json.RawMessage{},
	}
}

func signPolicy(ts *testscript.TestScript, _ bool, args []string) {
	private, err := readSigningKey(ts.MkAbs(args[0]))
	ts.Check(err)
	version, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	a := &app{state: ts.MkAbs("state")}
	o, err := a.open(context.Background())
	ts.Check(err)
	all, err := o.db.Tenants(context.Background())
	ts.Check(err)
	ts.Check(o.db.Close())
	envelope, err := provision.SignPolicy(policyOf(all[0].ID, version), private)
	ts.Check(err)
	text, err := json.Marshal(envelope)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), text, 0o600))
}
