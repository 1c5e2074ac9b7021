package agent_test

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"hawser/app/control"
	"hawser/app/server/servertest"
	"hawser/auth/secret"
	"hawser/sync/fault"
)

// TestOpenedLinkJoinsNothing: a link that something on this computer opens is shown with its server,
// and nobody is asked anything before the person has answered.
func TestOpenedLinkJoinsNothing(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.provision(companyName, "")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var asked atomic.Int64
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			_ = conn.Close()
		}
	}()
	foreign := "https://" + l.Addr().String()
	real := c.do("user", "code", companyName, companyUser, "--link")
	code := strings.NewReplacer(url.QueryEscape(c.server.URL), url.QueryEscape(foreign)).Replace(strings.TrimSpace(real))

	c.user.launchWithIcon()
	conn, err := dbus.Connect(c.user.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	waitFor(t, 20*time.Second, "the link to be taken", func() bool {
		return conn.Object("io.hawser.Hawser", "/io/hawser/Hawser").Call("org.freedesktop.Application.Open", dbus.FlagNoAutoStart, []string{code}, map[string]dbus.Variant{}).Err == nil
	})
	waitFor(t, 20*time.Second, "the offer", func() bool { s, err := c.user.statusErr(); return err == nil && s.Offer == foreign })
	if out := c.user.hawser("status"); !strings.Contains(out.stdout, l.Addr().String()) {
		t.Errorf("the status does not say whose link it is: %s", out.stdout)
	}
	agent, err := c.user.client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := agent.AnswerOffer(t.Context(), c.server.URL, true); !fault.Is(err, fault.NotFound) {
		t.Errorf("a server that was not offered is joined: %v", err)
	}
	if s := c.user.status(); s.Company != (control.Company{}) || asked.Load() != 0 {
		t.Errorf("joined unasked: %+v, %d connections", s.Company, asked.Load())
	}
	if _, err := agent.AnswerOffer(t.Context(), foreign, false); err != nil || c.user.status().Offer != "" || asked.Load() != 0 {
		t.Errorf("refused: %v, %+v, %d connections", err, c.user.status(), asked.Load())
	}

	if err := agent.Offer(t.Context(), secret.New(real)); err != nil || c.user.status().Offer != c.server.URL {
		t.Fatalf("%v, %+v", err, c.user.status())
	}
	got, err := agent.AnswerOffer(t.Context(), c.server.URL, true)
	if err != nil || got.Stage != control.StageSigningIn || c.user.status().Offer != "" {
		t.Fatalf("%+v, %v, %+v", got, err, c.user.status())
	}
	c.signIn()
	c.state(control.UpToDate, 20*time.Second)
	if err := agent.Offer(t.Context(), secret.New(real)); !fault.Is(err, fault.AlreadyEnrolled) {
		t.Errorf("offered to a computer that has a company: %v", err)
	}
}

// TestStartAtLoginAsTheCompanySays: a locked switch is set when the policy comes and put right when
// the agent starts; one that is not locked is the person's own.
func TestStartAtLoginAsTheCompanySays(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	decide := func(version int, on, locked bool) {
		settings := c.settings()
		settings["desktop.startAtLogin"] = on
		p := servertest.Policy{Version: version, Settings: settings}
		if locked {
			p.Locked = []string{"desktop.startAtLogin"}
		}
		c.policy(p)
	}
	entry := filepath.Join(c.user.home, ".config/autostart/io.hawser.Hawser.desktop")
	there := func() bool { _, err := os.Stat(entry); return err == nil }
	await := func(what string, want bool) {
		t.Helper()
		waitFor(t, 30*time.Second, what, func() bool { return there() == want })
	}
	decide(2, true, true)
	c.join()
	await("the start at login", true)
	if err := os.Remove(entry); err != nil {
		t.Fatal(err)
	}
	c.user.kill()
	c.user.start()
	await("the start at login again", true)
	decide(3, false, true)
	await("no start at login", false)
	decide(4, true, false)
	waitFor(t, 30*time.Second, "the next policy", func() bool { return c.user.status().Company.Policy == 4 })
	if there() {
		t.Error("what is not locked is set")
	}
}
