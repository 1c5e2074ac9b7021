package provision_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"hawser/auth/provision"
	"hawser/auth/reqsig"
	"hawser/sync/fault"
)

func TestB07EnrolmentCode(t *testing.T) { everywhere(t, b07EnrolmentCode) }

func b07EnrolmentCode(t *testing.T, w *world) {
	ctx := t.Context()
	_, err := w.x.api.PutUser(ctx, "ada", ada())
	w.ok(err)
	code := w.codeOf(w.x, "ada")
	first := w.computer()
	out, err := w.client(code).Register(ctx, first.signed(w))
	w.ok(err)
	if out.User != "ada" || out.TenantName != "acme" || out.Tenant != w.x.id.String() || out.Mailbox != "ada@example.com" || len(out.Aliases) != 1 {
		t.Errorf("got %+v", out)
	}
	device, err := provision.DeviceCredential(out, first.secret)
	w.ok(err)
	_, err = w.client(device).CheckIn(ctx, report)
	w.ok(err)

	second := w.computer()
	_, err = w.client(code).Register(ctx, second.signed(w))
	w.code(err, http.StatusGone, provision.CodeSpent)

	late := w.codeOf(w.x, "ada")
	w.pass(provision.CodeLife)
	second.signIn(w)
	_, err = w.client(late).Register(ctx, second.signed(w))
	w.code(err, http.StatusGone, provision.CodeSpent)
	w.pass(48 * time.Hour)
	_, err = w.client(late).Register(ctx, second.signed(w))
	w.code(err, http.StatusUnauthorized, reqsig.CodeRefused)
}

func TestB35CodeUsedInParallel(t *testing.T) { everywhere(t, b35CodeUsedInParallel) }

func b35CodeUsedInParallel(t *testing.T, w *world) {
	_, err := w.x.api.PutUser(t.Context(), "ada", ada())
	w.ok(err)
	code := w.client(w.codeOf(w.x, "ada"))
	var ins []provision.RegisterIn
	for range 100 {
		ins = append(ins, w.computer().signed(w))
	}
	var mu sync.Mutex
	devices := 0
	var wg sync.WaitGroup
	for _, in := range ins {
		wg.Go(func() {
			_, err := code.Register(t.Context(), in)
			for range 10 { // a hundred at once on a busy machine; an agent tries again, too
				if !fault.Is(err, fault.ServerError) {
					break
				}
				_, err = code.Register(t.Context(), in)
			}
			mu.Lock()
			defer mu.Unlock()
			var p *provision.Problem
			if err == nil {
				devices++
			} else if !errors.As(err, &p) || p.Code != provision.CodeSpent {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if devices != 1 {
		t.Errorf("one code made %d devices", devices)
	}
	for n := range 200 {
		guess, err := provision.ParseCredential(fmt.Sprintf("%036d", 0))
		w.ok(err)
		guess.ID = fmt.Sprintf("c_GUESS%05d", n)
		_, err = w.client(guess).Register(t.Context(), ins[0])
		w.code(err, http.StatusUnauthorized, reqsig.CodeRefused)
	}
}

func TestF47RegistrationRepeated(t *testing.T) { everywhere(t, f47RegistrationRepeated) }

func f47RegistrationRepeated(t *testing.T, w *world) {
	ctx := t.Context()
	_, err := w.x.api.PutUser(ctx, "ada", ada())
	w.ok(err)
	code := w.codeOf(w.x, "ada")
	c := w.computer()
	out, err := w.client(code).Register(ctx, c.signed(w))
	w.ok(err)
	w.pass(time.Hour) // the answer was lost; the user signs in again with the same registration
	c.signIn(w)
	again, err := w.client(code).Register(ctx, c.signed(w))
	w.ok(err)
	if again.Device != out.Device {
		t.Errorf("the retry made device %s beside %s", again.Device, out.Device)
	}
	_, stranger := provision.NewRegistration()
	c.in.Secret = stranger.Reveal()
	c.signIn(w)
	_, err = w.client(code).Register(ctx, c.signed(w))
	w.code(err, http.StatusConflict, provision.CodeConflict)
}

func TestB38ProofOfIdentity(t *testing.T) { everywhere(t, b38ProofOfIdentity) }

func b38ProofOfIdentity(t *testing.T, w *world) {
	_, err := w.x.api.PutUser(t.Context(), "ada", ada())
	w.ok(err)
	bob := ada()
	bob.Account.UserID, bob.Mailbox, bob.Aliases = "005000000000002", "bob@example.com", nil
	_, err = w.x.api.PutUser(t.Context(), "bob", bob)
	w.ok(err)
	for name, c := range map[string]struct {
		change func(c *computer)
		want   string
	}{
		"other issuer":           {func(c *computer) { c.sf["iss"] = "https://evil.example" }, provision.CodeIdentity},
		"no issuer":              {func(c *computer) { delete(c.sf, "iss") }, provision.CodeIdentity},
		"other audience":         {func(c *computer) { c.sf["aud"] = "other" }, provision.CodeIdentity},
		"no audience":            {func(c *computer) { delete(c.sf, "aud") }, provision.CodeIdentity},
		"audience among others":  {func(c *computer) { c.sf["aud"] = []string{client, "other"} }, provision.CodeIdentity},
		"no nonce":               {func(c *computer) { delete(c.sf, "nonce") }, provision.CodeIdentity},
		"nonce of another key":   {func(c *computer) { c.sf["nonce"] = w.computer().sf["nonce"] }, provision.CodeIdentity},
		"nonce of the other one": {func(c *computer) { c.sf["nonce"], c.mail["nonce"] = c.mail["nonce"], c.sf["nonce"] }, provision.CodeIdentity},
		"issued too long ago":    {func(c *computer) { c.sf["iat"] = w.clock().Add(-16 * time.Minute).Unix() }, provision.CodeIdentityStale},
		"issued in the future":   {func(c *computer) { c.sf["iat"] = w.clock().Add(6 * time.Minute).Unix() }, provision.CodeIdentity},
		"expired":                {func(c *computer) { c.sf["exp"] = w.clock().Add(-6 * time.Minute).Unix() }, provision.CodeIdentityStale},
		"no end":                 {func(c *computer) { delete(c.sf, "exp") }, provision.CodeIdentityStale},
		"no time":                {func(c *computer) { delete(c.sf, "iat") }, provision.CodeIdentityStale},
		"another org":            {func(c *computer) { c.sf["sub"] = "https://login.salesforce.com/id/00D000000000002EAA/" + userA }, provision.CodeIdentity},
		"subject without ids":    {func(c *computer) { c.sf["sub"] = "ada@example.com" }, provision.CodeIdentity},
		"user nobody knows": {func(c *computer) { c.sf["sub"] = "https://login.salesforce.com/id/" + orgA + "/005000000000009AAA" },
			provision.CodeNotProvisioned},
		"mail: other aud":     {func(c *computer) { c.mail["aud"] = "other" }, provision.CodeIdentity},
		"mail: no subject":    {func(c *computer) { delete(c.mail, "sub") }, provision.CodeIdentity},
		"mail: no nonce":      {func(c *computer) { delete(c.mail, "nonce") }, provision.CodeIdentity},
		"mail: another one":   {func(c *computer) { c.mail["email"] = "bob@example.com" }, provision.CodeWrongMailbox},
		"mail: homoglyph":     {func(c *computer) { c.mail["email"] = "аda@example.com"; c.in.Mailbox = "bob@example.com" }, provision.CodeWrongMailbox},
		"mail: plus":          {func(c *computer) { c.mail["email"] = "ada+x@example.com" }, provision.CodeWrongMailbox},
		"address of another":  {func(c *computer) { c.in.Mailbox = "bob@example.com" }, provision.CodeWrongMailbox},
		"user of another one": {func(c *computer) { c.sf["sub"] = "https://login.salesforce.com/id/" + orgA + "/005000000000002" }, provision.CodeWrongMailbox},
	} {
		comp := w.computer()
		c.change(comp)
		_, err := w.client(w.x.deploy).Register(t.Context(), comp.signed(w))
		var p *provision.Problem
		if !errors.As(err, &p) || p.Status != http.StatusForbidden || p.Code != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	for name, forge := range map[string]func(string) string{
		"no signature": func(s string) string { return s[:strings.LastIndexByte(s, '.')+1] },
		"cut":          func(s string) string { return s[:len(s)-10] },
		"alg none": func(s string) string {
			return "eyJhbGciOiJub25lIn0" + s[strings.IndexByte(s, '.'):strings.LastIndexByte(s, '.')+1]
		},
		"not a token": func(string) string { return "x" },
		"hmac with the public key": func(string) string {
			s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: signingKey().N.Bytes()}, nil)
			w.ok(err)
			out, err := jwt.Signed(s).Claims(w.computer().sf).Serialize()
			w.ok(err)
			return out
		},
	} {
		comp := w.computer()
		in := comp.signed(w)
		in.Salesforce = forge(in.Salesforce)
		if _, err := w.client(w.x.deploy).Register(t.Context(), in); err == nil {
			t.Errorf("%s passed", name)
		} else {
			w.code(err, http.StatusForbidden, provision.CodeIdentity)
		}
	}
	u, err := w.x.api.User(t.Context(), "ada")
	w.ok(err)
	if u.Bound {
		t.Error("a refused registration bound the user")
	}
}

func TestB38MailboxNeedsSomebodysWord(t *testing.T) { everywhere(t, b38MailboxNeedsSomebodysWord) }

func b38MailboxNeedsSomebodysWord(t *testing.T, w *world) {
	in := ada()
	in.Mailbox, in.Aliases = "boss@corp.com", []string{"ada@example.com"} // a mailbox that is not the tenant's
	_, err := w.x.api.PutUser(t.Context(), "ada", in)
	w.ok(err)
	register := func(change func(c *computer, in *provision.RegisterIn)) error {
		c := w.computer()
		change(c, &c.in)
		in := c.signed(w)
		if c.mail["sub"] == nil {
			in.Mail = ""
		}
		_, err := w.client(w.x.deploy).Register(t.Context(), in)
		return err
	}
	for _, change := range []func(c *computer, in *provision.RegisterIn){
		func(c *computer, in *provision.RegisterIn) { in.Mailbox = "boss@corp.com"; delete(c.mail, "sub") },
		func(c *computer, in *provision.RegisterIn) { in.Mailbox = "ada@example.com" }, // proves the alias alone
		func(c *computer, in *provision.RegisterIn) {
			in.Mailbox, c.mail["email"], c.mail["email_verified"] = "boss@corp.com", "boss@corp.com", false
		},
		func(c *computer, in *provision.RegisterIn) { // Microsoft: a work account's address is its administrator's word
			in.Mailbox, c.mail["email"], c.mail["tid"], c.mail["oid"] = "boss@corp.com", "boss@corp.com", "11111111-2222-3333-4444-555555555555", "o"
		},
		func(c *computer, in *provision.RegisterIn) { // a provider that the tenant does not trust says nothing
			in.Mailbox, c.mail["email"], c.mail["iss"] = "boss@corp.com", "boss@corp.com", "https://evil.example"
		},
	} {
		w.code(register(change), http.StatusForbidden, provision.CodeUnproven)
	}
	w.ok(register(func(c *computer, in *provision.RegisterIn) {
		in.Mailbox, c.mail["email"] = "boss@corp.com", "boss@corp.com"
	}))
	w.change(w.x, func(t *provision.Tenant) { t.Domains = append(t.Domains, "corp.com") })
	w.ok(register(func(c *computer, in *provision.RegisterIn) { in.Mailbox = "boss@corp.com"; delete(c.mail, "sub") }))
}

func TestMicrosoftIssuerOfAnyTenant(t *testing.T) { everywhere(t, microsoftIssuerOfAnyTenant) }

func microsoftIssuerOfAnyTenant(t *testing.T, w *world) {
	_, err := w.x.api.PutUser(t.Context(), "ada", ada())
	w.ok(err)
	w.change(w.x, func(t *provision.Tenant) {
		t.Mail[0].Issuer, t.Domains = "https://login.microsoftonline.com/{tenantid}/v2.0", nil
	})
	c := w.computer()
	c.mail["tid"], c.mail["oid"] = "../../evil", "o" // the tenant in the token chooses an address: it has to be a GUID
	c.mail["iss"] = "https://login.microsoftonline.com/../../evil/v2.0"
	_, err = w.client(w.x.deploy).Register(t.Context(), c.signed(w))
	w.code(err, http.StatusForbidden, provision.CodeUnproven) // it is nobody's whom the tenant trusts
}

func TestA05OneMailboxOneAccount(t *testing.T) { everywhere(t, a05OneMailboxOneAccount) }

func a05OneMailboxOneAccount(t *testing.T, w *world) {
	ctx := t.Context()
	w.enrolled(w.x)
	_, err := w.y.api.PutUser(ctx, "ada", ada())
	w.ok(err) // nothing is said yet
	c := w.computer()
	_, err = w.client(w.y.deploy).Register(ctx, c.signed(w))
	p := w.code(err, http.StatusConflict, provision.CodeConflict)
	if strings.Contains(fmt.Sprintf("%+v", p), "acme") {
		t.Errorf("the conflict names the other tenant: %+v", p)
	}

	in := ada() // the same mailbox at the provider, under another account and another address
	in.Account.UserID, in.Mailbox = "005000000000002", "b@example.com"
	in.Aliases = nil
	_, err = w.x.api.PutUser(ctx, "bob", in)
	w.ok(err)
	c = w.computer()
	c.sf["sub"] = "https://login.salesforce.com/id/" + orgA + "/005000000000002"
	c.mail["email"], c.in.Mailbox = "b@example.com", "b@example.com"
	_, err = w.client(w.x.deploy).Register(ctx, c.signed(w))
	w.code(err, http.StatusConflict, provision.CodeConflict)

	// The account with another mailbox of the same user: unbind first.
	c = w.computer()
	c.mail["sub"] = "mail-2"
	_, err = w.client(w.x.deploy).Register(ctx, c.signed(w))
	w.code(err, http.StatusConflict, provision.CodeConflict)

	_, err = w.x.api.Deprovision(ctx, "ada")
	w.ok(err)
	c = w.computer()
	_, err = w.client(w.y.deploy).Register(ctx, c.signed(w))
	w.ok(err)
}

func TestA06WrongAccountAtACode(t *testing.T) { everywhere(t, a06WrongAccountAtACode) }

func a06WrongAccountAtACode(t *testing.T, w *world) {
	_, err := w.x.api.PutUser(t.Context(), "ada", ada())
	w.ok(err)
	c := w.computer()
	c.sf["sub"] = "https://login.salesforce.com/id/" + orgA + "/005000000000002AAA"
	code := w.codeOf(w.x, "ada")
	_, err = w.client(code).Register(t.Context(), c.signed(w))
	w.code(err, http.StatusForbidden, provision.CodeWrongAccount)
	c = w.computer()
	_, err = w.client(code).Register(t.Context(), c.signed(w)) // a failed try spends nothing
	w.ok(err)
}

func TestA07WaitsForItsCompany(t *testing.T) { everywhere(t, a07WaitsForItsCompany) }

func a07WaitsForItsCompany(t *testing.T, w *world) {
	ctx := t.Context()
	c := w.computer()
	deploy := w.client(w.x.deploy)
	_, err := deploy.Register(ctx, c.signed(w))
	p := w.code(err, http.StatusForbidden, provision.CodeNotProvisioned)
	waiting := c.in
	waiting.Salesforce, waiting.Mail, waiting.Ticket = "", "", p.Ticket
	w.pass(10 * 24 * time.Hour)
	_, err = deploy.Register(ctx, waiting)
	w.code(err, http.StatusForbidden, provision.CodeNotProvisioned)

	_, err = w.x.api.PutUser(ctx, "ada", ada())
	w.ok(err)
	stolen := waiting
	_, other := provision.NewRegistration()
	stolen.Secret = other.Reveal()
	_, err = deploy.Register(ctx, stolen)
	w.code(err, http.StatusForbidden, provision.CodeIdentity)
	_, err = w.client(w.y.deploy).Register(ctx, waiting)
	w.code(err, http.StatusForbidden, provision.CodeIdentity)
	_, err = w.x.api.Suspend(ctx, "ada")
	w.ok(err)
	_, err = deploy.Register(ctx, waiting)
	p = w.code(err, http.StatusForbidden, provision.CodeSuspended)
	if p.Ticket == "" {
		t.Error("a suspended user gets no ticket")
	}
	_, err = w.x.api.Resume(ctx, "ada")
	w.ok(err)
	_, err = deploy.Register(ctx, waiting)
	w.ok(err)
	w.pass(31 * 24 * time.Hour)
	_, err = deploy.Register(ctx, waiting)
	w.code(err, http.StatusForbidden, provision.CodeIdentityStale)
}

func TestIssuerKeys(t *testing.T) { everywhere(t, issuerKeys) }

func issuerKeys(t *testing.T, w *world) {
	ctx := t.Context()
	_, err := w.x.api.PutUser(ctx, "ada", ada())
	w.ok(err)
	w.issuer.set(func() { w.issuer.down = true })
	c := w.computer()
	in := c.signed(w)
	_, err = w.client(w.x.deploy).Register(ctx, in)
	if !fault.Is(err, fault.ServerError) {
		t.Fatalf("got %v while the issuer is down", err)
	}
	if !strings.Contains(w.log.String(), "status 502") {
		t.Errorf("the log does not say why: %s", w.log)
	}
	w.issuer.set(func() { w.issuer.down = false })
	_, err = w.client(w.x.deploy).Register(ctx, in)
	w.ok(err)
	hits := 0
	w.issuer.set(func() { hits = w.issuer.hits })
	for range 20 { // forged tokens make the server read the keys no oftener than twice a minute
		bad := w.computer().signed(w)
		bad.Salesforce = bad.Salesforce[:len(bad.Salesforce)-8] + "AAAAAAAA"
		_, err = w.client(w.x.deploy).Register(ctx, bad)
		w.code(err, http.StatusForbidden, provision.CodeIdentity)
	}
	w.issuer.set(func() {
		if w.issuer.hits != hits {
			t.Errorf("20 forged tokens made %d readings", w.issuer.hits-hits)
		}
	})
}

func TestRegistrationBodyIsChecked(t *testing.T) { everywhere(t, registrationBodyIsChecked) }

func registrationBodyIsChecked(t *testing.T, w *world) {
	for name, change := range map[string]func(*provision.RegisterIn){
		"short registration": func(in *provision.RegisterIn) { in.Registration = "x" },
		"odd registration":   func(in *provision.RegisterIn) { in.Registration = strings.Repeat("/", 26) },
		"short secret":       func(in *provision.RegisterIn) { in.Secret = "AAAA" },
		"no mailbox":         func(in *provision.RegisterIn) { in.Mailbox = "" },
		"ticket and token":   func(in *provision.RegisterIn) { in.Ticket = "x" },
		"neither":            func(in *provision.RegisterIn) { in.Salesforce = "" },
		"subject in report":  func(in *provision.RegisterIn) { in.Report.Fault = "Re: your offer" },
		"negative count":     func(in *provision.RegisterIn) { in.Report.Counts.Held = -1 },
		"no version":         func(in *provision.RegisterIn) { in.Report.Version = "" },
	} {
		in := w.computer().signed(w)
		change(&in)
		_, err := w.client(w.x.deploy).Register(t.Context(), in)
		if err == nil {
			t.Errorf("%s was taken", name)
			continue
		}
		w.code(err, http.StatusBadRequest, provision.CodeInvalid)
	}
}
