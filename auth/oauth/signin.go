package oauth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"hawser/auth/secret"
	"hawser/sync/fault"
)

// signInLimit is how long the listener lives at most.
const signInLimit = 5 * time.Minute

// revokeLimit bounds giving back tokens that turned out unwanted.
const revokeLimit = 10 * time.Second

// Request is one attempt to sign in. Provider, Log and one of Open and Progress are required.
type Request struct {
	Provider Provider

	// Open shows a web page to the person, usually [OpenBrowser].
	Open func(ctx context.Context, url string) error
	// Progress hears of the steps "browser" (with the address, for people whose browser did not
	// open), "waiting", "exchanging", "checking" and "done".
	Progress func(step, url string)
	// Check looks at the grant before it counts, such as for being the bound account. When it
	// fails the tokens are revoked.
	Check func(ctx context.Context, g Grant) error
	// Page words the page that ends the flow in the browser; err is nil on success. Default English.
	Page func(err error) (title, text string)

	Nonce        string // for the id_token; default random
	OtherAccount bool   // the browser shall ask again who it is

	HTTP    *http.Client // its transport and timeout are used; default 30 s
	Log     *slog.Logger
	Now     func() time.Time // default time.Now
	Timeout time.Duration    // default and most: 5 minutes
}

// Identity is who signed in. Issuer with Subject, or OrgID with UserID, never change for an
// account; the rest is for people.
type Identity struct {
	Issuer        string
	Subject       string // Microsoft: tenant id "/" object id
	OrgID         string // Salesforce, 18 characters
	UserID        string // Salesforce, 18 characters
	Username      string
	Email         string
	EmailVerified bool
}

// Grant is what a complete sign-in brought.
type Grant struct {
	Access   secret.String
	Refresh  secret.String
	IDToken  secret.String // for proving the identity to the backend; lives for minutes
	Scopes   []string      // what was granted
	Identity Identity

	APIBase   string // Salesforce: where REST calls go, the site's address for its users
	Fallback  string // Salesforce: the org's own host when APIBase is a site; "" otherwise
	NetworkID string // Salesforce: of the site

	Expiry time.Time // of Access; zero when the provider does not say
}

func (r *Request) check() error {
	if r.Log == nil || r.Open == nil && r.Progress == nil {
		return fault.New(fault.Internal, "sign in", errors.New("Log and one of Open and Progress are required"))
	}
	if r.Progress == nil {
		r.Progress = func(string, string) {}
	}
	if r.Page == nil {
		r.Page = plainPage
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	if r.Timeout <= 0 || r.Timeout > signInLimit {
		r.Timeout = signInLimit
	}
	if r.Nonce == "" {
		r.Nonce = rand.Text()
	}
	return r.Provider.check()
}

func plainPage(err error) (title, text string) {
	if err != nil {
		return "You are not signed in", "Return to Hawser: it says what happened and what to do. You can close this tab."
	}
	return "You are signed in", "Return to Hawser. You can close this tab."
}

// attempt is what one sign-in keeps to itself.
type attempt struct {
	Request
	client   *http.Client
	verifier secret.String
	state    string
	redirect string
}

// newAttempt returns an attempt with secrets of its own: 256 random bits each for verifier and state.
func newAttempt(r Request) *attempt {
	state := make([]byte, 32)
	_, _ = rand.Read(state) // never fails since Go 1.24
	return &attempt{Request: r, client: harden(r.HTTP), verifier: secret.New(oauth2.GenerateVerifier()),
		state: base64.RawURLEncoding.EncodeToString(state)}
}

// SignIn sends the person to the provider's login page and returns what they granted. It blocks
// until they come back, ctx ends or five minutes have passed. Errors are *fault.Error.
func SignIn(ctx context.Context, r Request) (Grant, error) {
	if err := r.check(); err != nil {
		return Grant{}, err
	}
	a := newAttempt(r)
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	lb, err := listen(ctx, a)
	if err != nil {
		return Grant{}, err
	}
	defer lb.close()
	a.redirect = lb.redirect
	address, err := a.authorizeURL()
	if err != nil {
		return Grant{}, err
	}
	a.Progress("browser", address)
	defer a.open(ctx, address)()

	g, err := a.run(ctx, lb)
	if err != nil {
		err = ended(ctx, err)
	}
	lb.finish(r.Page(err))
	if err != nil {
		return Grant{}, err
	}
	r.Progress("done", "")
	return g, nil
}

// ended replaces the fault of a flow whose context is over by the reason for that.
func ended(ctx context.Context, err error) error {
	switch {
	case fault.Is(err, fault.WrongAccount): // the answer was complete
		return err
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fault.New(fault.SignInTimeout, "sign in", nil)
	case ctx.Err() != nil:
		return fault.New(fault.SignInCancelled, "sign in", nil)
	}
	return err
}

func (a *attempt) run(ctx context.Context, lb *loopback) (Grant, error) {
	a.Progress("waiting", "")
	back, err := lb.wait(ctx)
	if err != nil {
		return Grant{}, err
	}
	code, err := a.readCallback(back)
	if err != nil {
		return Grant{}, err
	}
	a.Progress("exchanging", "")
	return a.exchange(ctx, code)
}

// open shows the page beside the waiting, as some openers live as long as the browser. The
// function returned ends that.
func (a *attempt) open(ctx context.Context, address string) (end func()) {
	if a.Open == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		// A browser that does not open is no end: Progress has shown the address.
		if err := a.Open(ctx, address); err != nil && ctx.Err() == nil {
			a.Log.LogAttrs(ctx, slog.LevelWarn, "browser did not open", slog.Any("err", err))
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

// authorizeURL is the page to open. It holds no secret: the challenge is a hash, state and nonce
// are of use to this process alone.
func (a *attempt) authorizeURL() (string, error) {
	p := a.Provider
	u, err := secureURL(p.AuthorizeURL)
	if err != nil {
		return "", fault.New(fault.ConfigInvalid, "build authorize address", err)
	}
	q := u.Query()
	q.Set("response_type", "code")
	q.Set("client_id", p.ClientID)
	q.Set("redirect_uri", a.redirect)
	q.Set("state", a.state)
	q.Set("code_challenge", oauth2.S256ChallengeFromVerifier(a.verifier.Reveal()))
	q.Set("code_challenge_method", "S256")
	if len(p.Scopes) > 0 {
		q.Set("scope", strings.Join(p.Scopes, " "))
	}
	if a.wantsIDToken() {
		q.Set("nonce", a.Nonce)
	}
	if p.LoginHint != "" {
		q.Set("login_hint", p.LoginHint)
	}
	var prompt []string
	switch {
	case a.OtherAccount && p.Kind == Salesforce:
		prompt = append(prompt, "login")
	case a.OtherAccount:
		prompt = append(prompt, "select_account")
	}
	if p.Kind == Google { // else a second sign-in brings no refresh token
		q.Set("access_type", "offline")
		prompt = append(prompt, "consent")
	}
	if len(prompt) > 0 {
		q.Set("prompt", strings.Join(prompt, " "))
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

func (a *attempt) wantsIDToken() bool { return slices.Contains(a.Provider.Scopes, "openid") }

// readCallback takes the code out of a callback whose state is right.
func (a *attempt) readCallback(q url.Values) (secret.String, error) {
	const op = "read callback"
	iss := q["iss"]
	if len(iss) > 1 || len(iss) == 1 && !a.ownIssuer(iss[0]) || len(iss) == 0 && a.Provider.PromisesIss {
		// RFC 9207 section 2.4: another server may have sent the browser here.
		return secret.String{}, fault.New(fault.SignInRefused, op, errors.New("callback is not from the issuer"))
	}
	if code := q.Get("error"); code != "" {
		return secret.String{}, refusal(atAuthorize, op, code, q.Get("error_description"))
	}
	code := q["code"]
	if len(code) != 1 || code[0] == "" {
		return secret.String{}, fault.New(fault.SignInRefused, op, errors.New("no code"))
	}
	return secret.New(code[0]), nil
}

// exchange turns the code into a checked grant.
func (a *attempt) exchange(ctx context.Context, code secret.String) (Grant, error) {
	const op = "exchange code"
	p := a.Provider
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code.Reveal()}, "client_id": {p.ClientID},
		"redirect_uri": {a.redirect}, "code_verifier": {a.verifier.Reveal()},
	}
	if !p.ClientSecret.Empty() {
		form.Set("client_secret", p.ClientSecret.Reveal())
	}
	sent := a.Now()
	ans, err := post(ctx, a.client, op, p.TokenURL, form)
	if err != nil {
		return Grant{}, err
	}
	rep, err := readReply(atCode, op, ans)
	if err != nil {
		return Grant{}, err
	}
	g := Grant{Access: secret.New(rep.access), Refresh: secret.New(rep.refresh), IDToken: secret.New(rep.idToken), Scopes: rep.scopes}
	if rep.life > 0 {
		g.Expiry = sent.Add(rep.life)
	}
	if g.Scopes == nil { // RFC 6749 section 5.1: absent means as asked
		g.Scopes = slices.Clone(p.Scopes)
	}
	a.Progress("checking", "")
	if err := a.accept(ctx, &g, rep); err != nil {
		a.giveBack(ctx, g)
		return Grant{}, err
	}
	return g, nil
}

// accept checks that a grant is whole, is of trusted hosts and belongs to the right account.
func (a *attempt) accept(ctx context.Context, g *Grant, rep reply) error {
	const op = "check grant"
	p := a.Provider
	missing := p.missing(g.Scopes)
	if g.Refresh.Empty() && len(missing) == 0 {
		missing = []string{"offline_access"}
	}
	if len(missing) > 0 {
		return scopeMissing(op, missing)
	}
	if p.wider(g.Scopes) {
		a.Log.LogAttrs(ctx, slog.LevelWarn, "more was granted than asked for", slog.Int("scopes", len(g.Scopes)))
		g.Scopes = slices.DeleteFunc(g.Scopes, func(s string) bool { return !slices.Contains(p.Scopes, s) })
	}
	if p.Kind == Salesforce {
		if err := readHosts(p, rep, g); err != nil {
			return err
		}
	}
	if err := a.identify(ctx, g); err != nil {
		return err
	}
	if a.Check == nil {
		return nil
	}
	return a.Check(ctx, *g)
}

// giveBack revokes tokens that nobody will use. Failing is no more than a line in the log: they
// are dropped either way.
func (a *attempt) giveBack(ctx context.Context, g Grant) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeLimit)
	defer cancel()
	token := g.Refresh
	if token.Empty() {
		token = g.Access
	}
	if err := revoke(ctx, a.client, a.Provider, token); err != nil {
		a.Log.LogAttrs(ctx, slog.LevelWarn, "unwanted tokens not revoked", slog.Any("err", err))
	}
}
