package provision_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"hawser/auth/provision"
	"hawser/auth/secret"
)

func TestB06NothingButIdsIsKept(t *testing.T) { everywhere(t, b06NothingButIdsIsKept) }

func b06NothingButIdsIsKept(t *testing.T, w *world) {
	ctx := t.Context()
	_, err := w.x.api.PutUser(ctx, "ada", ada())
	w.ok(err)
	code := w.codeOf(w.x, "ada")
	c := w.computer()
	c.mail["name"], c.sf["custom"] = "CANARY-NAME", "CANARY-CLAIM"
	in := c.signed(w)
	_, err = w.client(code).Register(ctx, in)
	w.ok(err)
	var all []any
	for _, id := range []string{code.ID, w.x.key.ID, w.x.deploy.ID} {
		k, err := w.store.Key(ctx, id)
		w.ok(err)
		all = append(all, k)
	}
	users, err := w.store.ListUsers(ctx, w.x.id, provision.UserQuery{Limit: 9})
	w.ok(err)
	events, err := w.store.Events(ctx, w.x.id, 0, 99)
	w.ok(err)
	dump, err := json.Marshal(append(all, users, events))
	w.ok(err)
	kept := string(dump) + w.log.String() + fmt.Sprintf("%+v %s", append(all, users, events), append(all, users, events))
	for name, canary := range map[string]string{
		"id_token": in.Salesforce, "its signature": in.Salesforce[strings.LastIndexByte(in.Salesforce, '.'):], "mail id_token": in.Mail,
		"device secret": c.secret.Reveal(), "tenant secret": w.x.key.Secret.Reveal(), "code": code.Secret.Reveal(), "claim": "CANARY", "mail subject": "mail-1",
	} {
		if strings.Contains(kept, canary) {
			t.Errorf("the %s is kept", name)
		}
	}
	if strings.Contains(fmt.Sprintf("%v %+v %#v", code, w.x.key, c.secret), code.Secret.Reveal()) {
		t.Error("a credential prints its secret")
	}
}

// TestKeyMovedToAnotherPlaceIsDead copies a sealed secret to another row, as somebody could who
// writes to the database without the master key.
func TestKeyMovedToAnotherPlaceIsDead(t *testing.T) { everywhere(t, keyMovedToAnotherPlaceIsDead) }

func keyMovedToAnotherPlaceIsDead(t *testing.T, w *world) {
	k, err := w.store.Key(t.Context(), w.x.deploy.ID)
	w.ok(err)
	k.ID, k.Role = "t_AAAAAAAAAAAAAAAAAAAAAAAAAA", provision.RoleTenant // a deployment key promoted in the database
	w.ok(w.store.AddKey(t.Context(), w.x.id, k, w.event()))
	_, err = w.client(provision.Credential{ID: k.ID, Secret: w.x.deploy.Secret}).Users(t.Context(), provision.UserQuery{})
	if err == nil {
		t.Error("a copied row signs as another role")
	}
	if _, err := provision.NewVault([]byte("short")); err == nil {
		t.Error("a short master key was taken")
	}
}

func TestCredentialText(t *testing.T) { everywhere(t, credentialText) }

func credentialText(t *testing.T, w *world) {
	_, err := w.x.api.PutUser(t.Context(), "ada", ada())
	w.ok(err)
	code := w.codeOf(w.x, "ada")
	text := code.Text().Reveal()
	for _, typed := range []string{text, strings.ToLower(text), " " + strings.ReplaceAll(text, "-", " ") + "\n", strings.ReplaceAll(text, "-", ""), strings.ReplaceAll(strings.ReplaceAll(text, "O", "0"), "I", "1")} {
		got, err := provision.ParseCredential(typed)
		if err != nil || got.ID != code.ID || !got.Secret.Equal(code.Secret) {
			t.Errorf("the code is not read back from another way of writing it: %v", err)
		}
	}
	got, err := provision.ParseCredential(w.x.key.Text().Reveal())
	if err != nil || got.ID != w.x.key.ID || !got.Secret.Equal(w.x.key.Secret) {
		t.Errorf("the key is not read back: %v", err)
	}
	for _, bad := range []string{"", "x", text + "A", text[1:], ".", "t_.", w.x.key.ID + ".", w.x.key.ID + ".AAAA", "x_" + w.x.key.Text().Reveal()[2:], w.x.key.Text().Reveal() + "=", "é" + text[1:]} {
		if _, err := provision.ParseCredential(bad); err == nil {
			t.Errorf("%q was taken", bad)
		} else if bad != "" && len(bad) > 3 && strings.Contains(err.Error(), bad) {
			t.Errorf("the error repeats %q", bad)
		}
	}
}

func TestLink(t *testing.T) {
	t.Parallel()
	code, err := provision.ParseCredential(strings.Repeat("ABCDEF", 6))
	if err != nil {
		t.Fatal(err)
	}
	l := provision.Link{Server: "https://hawserd.example.com:8443", Code: code}
	got, err := provision.ParseLink(l.Text().Reveal())
	if err != nil || got.Server != l.Server || got.Code.ID != code.ID || !got.Code.Secret.Equal(code.Secret) {
		t.Errorf("got %+v, %v", got, err)
	}
	codeText := code.Text().Reveal()
	for name, bad := range map[string]string{
		"plain http":     "hawser://enrol?server=http://a.example&code=" + codeText,
		"userinfo":       "hawser://enrol?server=https://u@a.example&code=" + codeText,
		"path":           "hawser://enrol?server=https://a.example/x&code=" + codeText,
		"query":          "hawser://enrol?server=https://a.example/%3Fx&code=" + codeText,
		"file":           "hawser://enrol?server=file:///etc&code=" + codeText,
		"other scheme":   "https://enrol?server=https://a.example&code=" + codeText,
		"other verb":     "hawser://wipe?server=https://a.example&code=" + codeText,
		"server twice":   "hawser://enrol?server=https://a.example&server=https://b.example&code=" + codeText,
		"more":           "hawser://enrol?server=https://a.example&x=1&code=" + codeText,
		"no code":        "hawser://enrol?server=https://a.example",
		"key, no code":   "hawser://enrol?server=https://a.example&code=t_" + strings.Repeat("A", 26) + "." + strings.Repeat("A", 43),
		"no link at all": codeText,
	} {
		if _, err := provision.ParseLink(bad); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func FuzzPastedText(f *testing.F) {
	f.Add("ABCDEF-ABCDEF-ABCDEF-ABCDEF-ABCDEF-ABCDEF")
	f.Add("t_AAAAAAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("hawser://enrol?server=https://a.example&code=ABCDEF-ABCDEF-ABCDEF-ABCDEF-ABCDEF-ABCDEF")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := provision.ParseCredential(text); err == nil {
			again, err := provision.ParseCredential(c.Text().Reveal())
			if err != nil || again.ID != c.ID || !again.Secret.Equal(c.Secret) {
				t.Errorf("%q does not survive being written", text)
			}
		}
		if l, err := provision.ParseLink(text); err == nil {
			if again, err := provision.ParseLink(l.Text().Reveal()); err != nil || again.Server != l.Server || !strings.HasPrefix(l.Server, "http") {
				t.Errorf("%q does not survive being written", text)
			}
		}
	})
}

func TestDeviceCredentialOfAnotherAnswer(t *testing.T) {
	t.Parallel()
	_, s := provision.NewRegistration()
	if _, err := provision.DeviceCredential(provision.RegisterOut{Device: "../x"}, s); err == nil {
		t.Error("an odd device id was taken")
	}
	if _, err := provision.DeviceCredential(provision.RegisterOut{Device: "d_" + strings.Repeat("A", 26)}, secret.New("x")); err == nil {
		t.Error("a short secret was taken")
	}
}

func TestF49CheckInsAreSpread(t *testing.T) {
	t.Parallel()
	const interval = 45 * time.Second
	low, high := interval, interval
	for range 2000 {
		d := provision.NextCheckIn(interval)
		low, high = min(low, d), max(high, d)
	}
	if low < interval*8/10 || high > interval*12/10 || low > interval*85/100 || high < interval*115/100 {
		t.Errorf("check-ins lie between %v and %v", low, high)
	}
	if provision.NextCheckIn(0) != 0 {
		t.Error("no interval became one")
	}
}

func TestServerConfig(t *testing.T) {
	t.Parallel()
	if _, err := provision.NewServer(provision.ServerConfig{}); err == nil {
		t.Error("a server without a store was made")
	}
	for _, server := range []string{"", "a.example", "http://a.example", "http://localhost:1", "https://", "ftp://a.example"} {
		if _, err := provision.NewClient(provision.ClientConfig{Server: server, Key: provision.Credential{ID: "k", Secret: secret.New("x")}}); err == nil {
			t.Errorf("server %q was taken", server)
		}
	}
	if _, err := provision.NewClient(provision.ClientConfig{Server: "https://a.example"}); err == nil {
		t.Error("a client without a key was made")
	}
}
