package agent_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hawser/app/control"
	"hawser/app/server/servertest"
	"hawser/auth/secret"
	"hawser/sync/fault"
	"hawser/sync/salesforce/salesforcetest"
	"hawser/sync/sourcetest"
)

// buildServer makes hawserd's binary once for all tests.
var buildServer = sync.OnceValues(func() (string, error) {
	agent, err := build()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(agent), "hawserd")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=test", "-o", path, "./app/cmd/hawserd")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build hawserd: %w\n%s", err, out)
	}
	return path, nil
})

const (
	companyName = "Acme GmbH"
	companyUser = "alice"
)

// company is a scene in which a real hawserd decides who may use Hawser, and what for.
type company struct {
	*scene
	server *servertest.Server
}

// newCompany starts everything but the agent, whose configuration says whom to trust and no more.
func newCompany(t testing.TB) *company {
	t.Helper()
	binary, err := buildServer()
	if err != nil {
		t.Fatal(err)
	}
	c := &company{scene: newScene(t, nil)}
	c.server, err = servertest.Start(servertest.Config{Binary: binary, Dir: shortDir(t), CheckIn: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.server.Close)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("hawserd: %s", c.server.Log())
		}
	})
	c.addTenant(companyName)
	c.policy(servertest.Policy{Version: 1, Settings: c.settings()})
	c.configure(map[string]any{"trust": c.userSettings["trust"]})
	return c
}

// do runs an operator's command, which has to succeed.
func (c *company) do(args ...string) string {
	c.t.Helper()
	out, err := c.server.Run(args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

func (c *company) addTenant(name string) {
	c.t.Helper()
	c.do("tenant", "add", name, "--site", c.site+","+c.org.OrgID()+","+salesforcetest.DefaultClientID,
		"--mail", c.issuerURL()+",hawser", "--domain", "example.org")
}

// provision enables the user of the scene in a tenant.
func (c *company) provision(tenant, group string) {
	c.t.Helper()
	row := strings.Join([]string{companyUser, group, c.org.OrgID(), c.org.DefaultUser().ID, mailUser}, ",")
	if err := c.server.File("users.csv", "id,group,org,user,mailbox\n"+row+"\n"); err != nil {
		c.t.Fatal(err)
	}
	c.do("user", "import", tenant, "users.csv")
}

func (c *company) policy(p servertest.Policy) {
	c.t.Helper()
	if err := c.server.SetPolicy(companyName, p); err != nil {
		c.t.Fatal(err)
	}
}

func (c *company) issuerURL() string {
	return c.userSettings["mail"].(map[string]any)["issuer"].(string)
}

// settings is what the scene's own configuration says, as a policy says it.
func (c *company) settings() map[string]any {
	flat := map[string]any{}
	for _, section := range []string{"salesforce", "mail"} {
		for key, value := range c.userSettings[section].(map[string]any) {
			flat[section+"."+key] = value
		}
	}
	return flat
}

func (c *company) configure(settings map[string]any) {
	c.t.Helper()
	raw, err := json.Marshal(settings)
	if err == nil {
		err = os.WriteFile(filepath.Join(c.user.home, ".config/hawser/config.json"), raw, 0o600)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// enrol joins by a fresh link.
func (c *company) enrol() error {
	c.t.Helper()
	link := c.do("user", "code", companyName, companyUser, "--link")
	agent, err := c.user.client(c.t.Context())
	if err != nil {
		return err
	}
	_, err = agent.Enrol(c.t.Context(), secret.New(link))
	return err
}

// join enables the user and registers the computer.
func (c *company) join() {
	c.t.Helper()
	c.provision(companyName, "")
	c.user.start()
	if err := c.enrol(); err != nil {
		c.t.Fatal(err)
	}
	c.signIn()
}

// state waits for a state, and returns the status.
func (c *company) state(want control.State, limit time.Duration) control.Status {
	c.t.Helper()
	var last control.Status
	waitFor(c.t, limit, "state "+string(want), func() bool {
		s, err := c.user.statusErr()
		last = s
		return err == nil && s.State == want
	})
	return last
}

// mark puts a new mail into the capture folder.
func (c *company) mark(n int) {
	c.t.Helper()
	c.dovecot.Append(c.t, mailUser, sourcetest.CaptureFolder, sourcetest.NewMail(n, time.Now()))
}

func (c *company) saved() int { return len(c.org.Records("EmailMessage")) }

// devices returns the computers of the user as the company sees them.
func (c *company) devices() (list []device) {
	c.t.Helper()
	var users []struct{ Devices []device }
	if err := json.Unmarshal([]byte(c.do("user", "list", companyName, "--json")), &users); err != nil {
		c.t.Fatal(err)
	}
	for _, u := range users {
		list = append(list, u.Devices...)
	}
	return list
}

type device struct {
	ID, State string
	Report    struct {
		Version, OS, State string
		PolicyVersion      int64
		Counts             struct{ Seen, Captured int }
	}
}

// TestFeatureA07Activation: signed in but not enabled, the agent waits, reads nothing and says so;
// once the company enables the user it turns green within a minute, without a restart.
func TestFeatureA07Activation(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.configure(map[string]any{"trust": c.userSettings["trust"], "company": map[string]any{
		"server": c.server.URL, "key": c.do("key", "add", companyName, "--role", "deployment")}})
	c.mark(0)
	c.user.start()
	c.state(control.NeedsSignIn, 10*time.Second)
	c.signIn()
	s := c.state(control.Waiting, 10*time.Second)
	if s.Why != fault.NotProvisioned || s.Company.Stage != control.StageWaiting || s.Counts.Seen != 0 || c.saved() != 0 {
		t.Fatalf("not enabled, and %+v with %d records", s, c.saved())
	}
	if out, _ := c.user.run("status"); !strings.Contains(out, "Your company has not enabled you yet") {
		t.Errorf("the status says: %s", out)
	}
	if out := c.user.hawser("why", "<any@mail.example>"); !strings.Contains(out.stdout, "Your company has not enabled you yet") || !strings.Contains(out.stdout, "administrator") {
		t.Errorf("why says: %s%s", out.stdout, out.stderr)
	}
	c.user.kill() // a proven identity outlives a crash
	p := startPanel(t, c.user.address())
	c.user.launchWithIcon()
	c.state(control.Waiting, 20*time.Second)
	p.shows(t, "paused", "Waiting")
	enabled := time.Now()
	c.provision(companyName, "")
	c.await(1, time.Minute)
	p.shows(t, "up-to-date", "Up to date")
	if took := time.Since(enabled); took > time.Minute {
		t.Errorf("enabled, and green %v later", took)
	}
	if s := c.user.status(); s.Company.Stage != control.StageActive || s.Company.Name != companyName {
		t.Errorf("the company is shown as %+v", s.Company)
	}
}

// TestFeatureB08Lifecycle: a code joins once; a suspension stops the work and keeps what waits; the
// group's policy counts (B10); the end deletes everything here and nothing in Salesforce (B09).
func TestFeatureB08Lifecycle(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.join()
	c.mark(0)
	c.await(1, time.Minute)
	if d := c.devices(); len(d) != 1 || d[0].State != "active" {
		t.Fatalf("devices %+v", d)
	}
	agent, err := c.user.client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := agent.Enrol(t.Context(), secret.New("anything")); !fault.Is(err, fault.AlreadyEnrolled) {
		t.Errorf("a second enrolment: %v", err)
	}

	c.do("user", "suspend", companyName, companyUser)
	c.state(control.Suspended, 20*time.Second)
	c.mark(1)
	c.user.kill() // a restart is no way around it
	c.user.start()
	c.state(control.Suspended, 10*time.Second)
	time.Sleep(2 * time.Second)
	if c.saved() != 1 {
		t.Errorf("%d records while suspended", c.saved())
	}
	c.do("user", "resume", companyName, companyUser)
	c.await(2, 30*time.Second)

	c.dovecot.Do(t, mailUser, "CREATE Deals")
	settings := c.settings()
	settings["capture.folder"] = "Deals"
	c.policy(servertest.Policy{Group: "Q", Version: 1, Settings: settings, Locked: []string{"capture.folder"}})
	c.provision(companyName, "Q")
	waitFor(t, 30*time.Second, "the policy of group Q", func() bool {
		s, err := c.user.statusErr()
		return err == nil && s.Company.Group == "Q" && s.State == control.UpToDate
	})
	if out, _ := c.user.run("status"); !strings.Contains(out, companyName+", managed by Q") {
		t.Errorf("the status says: %s", out)
	}
	c.dovecot.Append(t, mailUser, "Deals", sourcetest.NewMail(2, time.Now()))
	c.await(3, 30*time.Second)

	c.removed()
}

// removed ends the user, and looks at what is left of three captured mails and one that waits.
func (c *company) removed() {
	t := c.t
	t.Helper()
	tokens := append(c.org.Tokens(), c.issuer.Tokens()...)
	c.do("user", "deprovision", companyName, companyUser)
	var s control.Status
	waitFor(t, 30*time.Second, "an empty profile", func() bool {
		got, err := c.user.statusErr()
		s = got
		return err == nil && s.State == control.NotEnrolled && !s.Mail.SignedIn && s.Company.Server == ""
	})
	if s.Company.Stage != control.StageRemoved || s.Company.By == "" || time.Since(s.Company.Since) > time.Minute || s.Counts.Seen != 0 {
		t.Errorf("removed, and %+v", s)
	}
	out, _ := c.user.run("status")
	if !strings.Contains(out, "Ended by "+companyName) || !strings.Contains(out, "operator") || !strings.Contains(out, "What was saved in Salesforce stays there") {
		t.Errorf("the last screen says: %s", out)
	}
	if out, code := c.user.run("signin", "mail"); code == 0 || !strings.Contains(out, "(removed)") {
		t.Errorf("a sign-in afterwards: %d %s", code, out)
	}
	if c.saved() != 3 {
		t.Errorf("%d records, want the 3 of before", c.saved())
	}
	for _, refresh := range c.issuer.Tokens() {
		if c.issuer.RefreshValid(refresh) {
			t.Error("a refresh token of the mailbox still counts")
		}
	}
	waitFor(t, 15*time.Second, "the proof of the wipe", func() bool { return strings.Contains(c.do("audit", companyName), "device.wiped") })
	c.nowhere(tokens...)
}

// nowhere looks for words in the profile's files.
func (c *company) nowhere(words ...string) {
	c.t.Helper()
	err := filepath.WalkDir(c.user.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, w := range words {
			if bytes.Contains(raw, []byte(w)) {
				c.t.Errorf("%s holds a token", path)
			}
		}
		return err
	})
	if err != nil {
		c.t.Error(err)
	}
}

// TestFeatureA05OtherCompany: a mailbox that is registered in one company is refused in another,
// which does not hear whose it is.
func TestFeatureA05OtherCompany(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.join()
	c.state(control.UpToDate, 30*time.Second)
	const other = "Bolt AG"
	c.addTenant(other)
	c.provision(other, "")
	config := map[string]any{"company": map[string]any{"server": c.server.URL, "key": c.do("key", "add", other, "--role", "deployment")}}
	for section, keys := range c.userSettings {
		config[section] = keys
	}
	first := c.user
	c.user = newUser(t, config)
	c.user.start()
	c.signIn()
	s := c.state(control.NeedsYou, 30*time.Second)
	if s.Why != fault.AccountTaken || s.Counts.Seen != 0 {
		t.Errorf("the second computer shows %+v", s)
	}
	if out, _ := c.user.run("status"); strings.Contains(out, companyName) || !strings.Contains(out, "registered to somebody else") {
		t.Errorf("the status says: %s", out)
	}
	c.user.kill()
	c.user = first
}

// TestFaultF46BackendDown: without its company's server a registered computer works as before.
func TestFaultF46BackendDown(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.join()
	c.state(control.UpToDate, 30*time.Second)
	c.server.Down(syscall.SIGKILL)
	c.mark(0)
	c.await(1, 30*time.Second)
	waitFor(t, 30*time.Second, "the fault of the company's line", func() bool { return c.user.status().Company.Fault == fault.Offline })
	c.user.kill()
	c.user.start() // the policy is kept for such days
	c.mark(1)
	if s := c.await(2, 30*time.Second); s.Company.Policy != 1 {
		t.Errorf("the policy in force is %+v", s.Company)
	}
	if err := c.server.Up(); err != nil {
		t.Fatal(err)
	}
	agent, err := c.user.client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.CheckNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 30*time.Second, "a check-in", func() bool {
		s := c.user.status().Company
		return s.Fault == "" && !s.LastSuccess.IsZero()
	})
}

// TestFaultF47KilledWhileJoining kills agent and server at random moments of an enrolment: one
// device and one binding come of it.
func TestFaultF47KilledWhileJoining(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.provision(companyName, "")
	c.user.start()
	if err := c.enrol(); err != nil {
		t.Fatal(err)
	}
	if err := c.signInAs("salesforce", salesforcetest.DefaultUsername, salesforcetest.DefaultPassword); err != nil {
		t.Fatal(err)
	}
	c.server.Down(syscall.SIGKILL)
	if err := c.signInAs("mail", "", ""); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		if err := c.server.Up(); err != nil {
			t.Fatal(err)
		}
		if agent, err := c.user.client(t.Context()); err == nil {
			_ = agent.CheckNow(t.Context()) // the try may be cut
		}
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		c.server.Down(syscall.SIGKILL)
		c.user.kill()
		c.user.start()
	}
	if err := c.server.Up(); err != nil {
		t.Fatal(err)
	}
	c.mark(0)
	c.await(1, time.Minute)
	if d := c.devices(); len(d) != 1 || d[0].State != "active" {
		t.Errorf("devices %+v", d)
	}
}
