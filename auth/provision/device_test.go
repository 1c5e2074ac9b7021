package provision_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
	"hawser/auth/secret"
	"hawser/sync/fault"
)

func TestB09WipeOrder(t *testing.T) { everywhere(t, b09WipeOrder) }

func b09WipeOrder(t *testing.T, w *world) {
	ctx := t.Context()
	_, cred, device := w.enrolled(w.x)
	_, err := w.x.api.Deprovision(ctx, "ada")
	w.ok(err)
	out, err := device.CheckIn(ctx, report)
	w.ok(err)
	if out.State != provision.StandingRemoved || out.Wipe == nil || out.Wipe.By != w.x.key.ID || !out.Wipe.At.Equal(w.clock()) {
		t.Fatalf("got %+v", out)
	}
	if !out.Wipe.Valid(cred) {
		t.Error("the device does not know its wipe order")
	}
	for name, change := range map[string]func(*provision.WipeOrder){
		"time": func(o *provision.WipeOrder) { o.At = o.At.Add(time.Second) },
		"who":  func(o *provision.WipeOrder) { o.By = "somebody" },
		"mac":  func(o *provision.WipeOrder) { o.MAC = "" },
	} {
		forged := *out.Wipe
		change(&forged)
		if forged.Valid(cred) {
			t.Errorf("an order with another %s is obeyed", name)
		}
	}
	if out.Wipe.Valid(provision.Credential{ID: "d_other", Secret: cred.Secret}) || out.Wipe.Valid(provision.Credential{ID: cred.ID, Secret: secret.New("another")}) {
		t.Error("another device obeys the order")
	}
	w.ok(device.Wiped(ctx, report))
	_, err = device.CheckIn(ctx, report)
	w.code(err, http.StatusUnauthorized, reqsig.CodeRefused)
}

func TestB39RemovedDeviceMayNothingElse(t *testing.T) { everywhere(t, b39RemovedDeviceMayNothingElse) }

func b39RemovedDeviceMayNothingElse(t *testing.T, w *world) {
	ctx := t.Context()
	_, _, device := w.enrolled(w.x)
	_, err := w.x.api.Deprovision(ctx, "ada")
	w.ok(err)
	_, err = device.Policy(ctx)
	w.code(err, http.StatusUnauthorized, reqsig.CodeRefused)
	w.code(device.Leave(ctx), http.StatusUnauthorized, reqsig.CodeRefused)
	unknown, err := provision.NewClient(provision.ClientConfig{Server: w.http.URL, Now: w.clock, Key: provision.Credential{ID: "d_AAAAAAAAAAAAAAAAAAAAAAAAAA", Secret: secret.New(strings.Repeat("k", 32))}})
	w.ok(err)
	_, err = unknown.Policy(ctx)
	w.code(err, http.StatusUnauthorized, reqsig.CodeRefused)
}

func TestB33RotationOfTenantKeys(t *testing.T) { everywhere(t, b33RotationOfTenantKeys) }

func b33RotationOfTenantKeys(t *testing.T, w *world) {
	ctx := t.Context()
	second := w.client(w.key(w.x.id, provision.RoleTenant, ""))
	for _, api := range []*provision.Client{w.x.api, second} {
		_, err := api.Users(ctx, provision.UserQuery{})
		w.ok(err)
	}
	w.ok(w.store.EndKey(ctx, w.x.id, w.x.key.ID, w.clock().Add(time.Hour), w.event()))
	_, err := w.x.api.Users(ctx, provision.UserQuery{})
	w.ok(err)
	w.pass(time.Hour)
	_, err = w.x.api.Users(ctx, provision.UserQuery{})
	w.code(err, http.StatusUnauthorized, reqsig.CodeRefused)
	_, err = second.Users(ctx, provision.UserQuery{})
	w.ok(err)
	w.change(w.x, func(t *provision.Tenant) { t.Suspended = true })
	_, err = second.Users(ctx, provision.UserQuery{})
	w.code(err, http.StatusUnauthorized, reqsig.CodeRefused)
}

func TestLeaveUnbinds(t *testing.T) { everywhere(t, leaveUnbinds) }

func leaveUnbinds(t *testing.T, w *world) {
	ctx := t.Context()
	_, _, device := w.enrolled(w.x)
	w.ok(device.Leave(ctx))
	w.code(device.Leave(ctx), http.StatusUnauthorized, reqsig.CodeRefused)
	u, err := w.x.api.User(ctx, "ada")
	w.ok(err)
	if u.Bound {
		t.Error("the user is bound without a device")
	}
	_, _, _ = w.enrolled(w.y)
}

// signer is a tenant's policy key, kept by the tenant.
func (w *world) signer(t tenant) ed25519.PrivateKey {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	w.ok(err)
	w.change(t, func(row *provision.Tenant) { row.PolicyKeys = append(row.PolicyKeys, public) })
	return private
}

func (w *world) policy(t tenant, group string, version int64) provision.PolicyDocument {
	return provision.PolicyDocument{
		Tenant: t.id.String(), Group: group, Version: version, Issued: w.clock(), Expires: w.clock().Add(24 * time.Hour),
		Settings: map[string]json.RawMessage{"site": json.RawMessage(`"https://acme.my.site.com"`)}, Locked: []string{"site"},
	}
}

func (w *world) sign(doc provision.PolicyDocument, key ed25519.PrivateKey) provision.PolicyEnvelope {
	w.Helper()
	e, err := provision.SignPolicy(doc, key)
	w.ok(err)
	return e
}

func TestB10PolicyOfTheGroup(t *testing.T) { everywhere(t, b10PolicyOfTheGroup) }

func b10PolicyOfTheGroup(t *testing.T, w *world) {
	ctx := t.Context()
	key := w.signer(w.x)
	out, _, device := w.enrolled(w.x)
	_, err := device.Policy(ctx)
	w.code(err, http.StatusNotFound, provision.CodeNotFound)
	for _, doc := range []provision.PolicyDocument{w.policy(w.x, "", 5), w.policy(w.x, "q", 2)} {
		w.ok(w.x.api.PutPolicy(ctx, w.sign(doc, key)))
	}
	pin := provision.PolicyPin{Tenant: out.Tenant, Keys: out.PolicyKeys}
	fetch := func() provision.PolicyDocument {
		e, err := device.Policy(ctx)
		w.ok(err)
		var doc provision.PolicyDocument
		doc, pin, err = pin.Accept(e, w.clock())
		w.ok(err)
		return doc
	}
	if doc := fetch(); doc.Version != 5 || doc.Group != "" || string(doc.Settings["site"]) != `"https://acme.my.site.com"` || len(doc.Locked) != 1 {
		t.Errorf("got %+v", doc)
	}
	in := ada()
	in.Group = "q"
	_, err = w.x.api.PutUser(ctx, "ada", in)
	w.ok(err)
	told, err := device.CheckIn(ctx, report)
	w.ok(err)
	if told.Group != "q" || told.PolicyVersion != 2 {
		t.Errorf("got %+v", told)
	}
	if doc := fetch(); doc.Version != 2 || doc.Group != "q" {
		t.Errorf("got %+v", doc)
	}
}

func TestA42PolicyRefusedByTheServer(t *testing.T) { everywhere(t, a42PolicyRefusedByTheServer) }

func a42PolicyRefusedByTheServer(t *testing.T, w *world) {
	ctx := t.Context()
	key := w.signer(w.x)
	foreign := w.signer(w.y)
	good := w.sign(w.policy(w.x, "", 5), key)
	w.ok(w.x.api.PutPolicy(ctx, good))
	w.ok(w.x.api.PutPolicy(ctx, good))
	w.code(w.x.api.PutPolicy(ctx, w.sign(w.policy(w.x, "", 4), key)), http.StatusConflict, provision.CodeOlder)
	changed := w.policy(w.x, "", 5)
	changed.Locked = nil
	w.code(w.x.api.PutPolicy(ctx, w.sign(changed, key)), http.StatusConflict, provision.CodeOlder)
	unsigned := good
	unsigned.Signature = ""
	expired := w.policy(w.x, "", 9)
	expired.Issued, expired.Expires = w.clock().Add(-2*time.Hour), w.clock().Add(-time.Hour)
	for name, e := range map[string]provision.PolicyEnvelope{
		"unsigned": unsigned, "other key": w.sign(w.policy(w.x, "", 6), foreign),
		"other tenant": w.sign(w.policy(w.y, "", 6), key), "expired": w.sign(expired, key), "empty": {},
	} {
		if err := w.x.api.PutPolicy(ctx, e); err == nil {
			t.Errorf("%s was taken", name)
		} else {
			w.code(err, http.StatusUnprocessableEntity, provision.CodePolicySignature)
		}
	}
	p := w.client(w.key(w.x.id, provision.RoleTenant, "p"))
	w.code(p.PutPolicy(ctx, w.sign(w.policy(w.x, "", 10), key)), http.StatusNotFound, provision.CodeNotFound)
	w.ok(p.PutPolicy(ctx, w.sign(w.policy(w.x, "p", 1), key)))
}

func TestA42PolicyRefusedByTheAgent(t *testing.T) { everywhere(t, a42PolicyRefusedByTheAgent) }

func a42PolicyRefusedByTheAgent(t *testing.T, w *world) {
	key := w.signer(w.x)
	other := w.signer(w.y)
	pin := provision.PolicyPin{Tenant: w.x.id.String(), Keys: []string{base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey))}}
	good := w.sign(w.policy(w.x, "", 5), key)
	_, pin, err := pin.Accept(good, w.clock())
	w.ok(err)
	_, _, err = pin.Accept(good, w.clock())
	w.ok(err)
	// What a server that was taken over could do: widen the allowed site in the text, or sign it
	// with a key of its own under the right key's name.
	doc := w.policy(w.x, "", 6)
	doc.Settings["site"] = json.RawMessage(`"https://evil.my.site.com"`)
	widened := w.sign(doc, key)
	widened.Signature = good.Signature
	renamed := w.sign(doc, other)
	renamed.KeyID = good.KeyID
	plain := sha256.Sum256([]byte("x"))
	short := good
	short.Signature = base64.RawURLEncoding.EncodeToString(plain[:])
	unbound, err := base64.RawURLEncoding.DecodeString(good.Payload)
	w.ok(err)
	bare := good // signed, but not as a policy
	bare.Signature = base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, unbound))
	same := w.policy(w.x, "", 5)
	same.Locked = nil
	for name, c := range map[string]struct {
		e    provision.PolicyEnvelope
		at   time.Time
		want error
	}{
		"widened":                {widened, w.clock(), provision.ErrPolicyUnsigned},
		"other key":              {w.sign(doc, other), w.clock(), provision.ErrPolicyUnsigned},
		"key renamed":            {renamed, w.clock(), provision.ErrPolicyUnsigned},
		"short signature":        {short, w.clock(), provision.ErrPolicyUnsigned},
		"signature of no policy": {bare, w.clock(), provision.ErrPolicyUnsigned},
		"empty":                  {provision.PolicyEnvelope{}, w.clock(), provision.ErrPolicyUnsigned},
		"lower version":          {w.sign(w.policy(w.x, "", 4), key), w.clock(), provision.ErrPolicyOlder},
		"same version, another":  {w.sign(same, key), w.clock(), provision.ErrPolicyOlder},
		"other tenant":           {w.sign(w.policy(w.y, "", 9), key), w.clock(), provision.ErrPolicyForeign},
		"expired":                {w.sign(w.policy(w.x, "", 9), key), w.clock().Add(25 * time.Hour), provision.ErrPolicyExpired},
	} {
		_, after, err := pin.Accept(c.e, c.at)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if after.Seen[""] != 5 {
			t.Errorf("%s moved the pin", name)
		}
	}
}

func TestPolicyThatCannotBeSigned(t *testing.T) { everywhere(t, policyThatCannotBeSigned) }

func policyThatCannotBeSigned(t *testing.T, w *world) {
	key := w.signer(w.x)
	for name, change := range map[string]func(*provision.PolicyDocument){
		"no tenant":   func(d *provision.PolicyDocument) { d.Tenant = "" },
		"version 0":   func(d *provision.PolicyDocument) { d.Version = 0 },
		"no end":      func(d *provision.PolicyDocument) { d.Expires = time.Time{} },
		"no settings": func(d *provision.PolicyDocument) { d.Settings = nil },
	} {
		doc := w.policy(w.x, "", 1)
		change(&doc)
		if _, err := provision.SignPolicy(doc, key); err == nil {
			t.Errorf("%s was signed", name)
		}
	}
	if _, err := provision.SignPolicy(w.policy(w.x, "", 1), nil); err == nil {
		t.Error("signed without a key")
	}
}

func TestF50ClockOfTheAgent(t *testing.T) { everywhere(t, f50ClockOfTheAgent) }

func f50ClockOfTheAgent(t *testing.T, w *world) {
	_, cred, _ := w.enrolled(w.x)
	for _, off := range []time.Duration{10 * time.Minute, -10 * time.Minute, 365 * 24 * time.Hour} {
		c, err := provision.NewClient(provision.ClientConfig{Server: w.http.URL, Key: cred, Now: func() time.Time { return w.clock().Add(off) }})
		w.ok(err)
		_, err = c.CheckIn(t.Context(), report)
		w.ok(err)
		if d := c.ClockOffset() + off; d > time.Second || d < -time.Second {
			t.Errorf("with a clock %v off, the client learnt %v", off, c.ClockOffset())
		}
	}
}

func TestF46BackendDown(t *testing.T) { everywhere(t, f46BackendDown) }

func f46BackendDown(t *testing.T, w *world) {
	_, _, device := w.enrolled(w.x)
	w.http.Close()
	_, err := device.CheckIn(t.Context(), report)
	f := fault.Of(err)
	if f.Code != fault.Offline || !f.Unknown || f.Code.Class() != fault.Retry {
		t.Errorf("got %v", err)
	}
}

func TestAnswersThatAreNotHawserds(t *testing.T) { everywhere(t, answersThatAreNotHawserds) }

func answersThatAreNotHawserds(t *testing.T, w *world) {
	_, cred, _ := w.enrolled(w.x)
	for name, c := range map[string]struct {
		status int
		kind   string
		body   string
		want   fault.Code
	}{
		"captive portal": {200, "text/html", "<html>", fault.NotTheServer},
		"html as json":   {200, "text/html", "{}", fault.NotTheServer},
		"redirect":       {302, "text/html", "", fault.NotTheServer},
		"bare 403":       {403, "text/html", "no", fault.NotTheServer},
		"other status":   {403, "application/problem+json", `{"status":404,"code":"not-found"}`, fault.NotTheServer},
		"bad gateway":    {502, "text/html", "no", fault.ServerError},
		"hurry":          {429, "text/html", "", fault.TooManyRequests},
		"endless 503":    {503, "text/html", strings.Repeat("x", 1<<20), fault.ServerError},
		"too much":       {200, "application/json", `{"state":"` + strings.Repeat("x", 5<<20) + `"}`, fault.NotTheServer},
		"401 of a proxy": {401, "text/html", "no", fault.NotTheServer},
	} {
		w.http.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", c.kind)
			rw.Header().Set("Location", "https://evil.example/")
			rw.Header().Set("Retry-After", "7")
			rw.WriteHeader(c.status)
			_, _ = rw.Write([]byte(c.body))
		})
		_, err := w.client(cred).CheckIn(t.Context(), report)
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != c.want || c.status == 429 && f.After != 7*time.Second {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}
