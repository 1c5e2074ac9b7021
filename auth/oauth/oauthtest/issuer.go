// Package oauthtest is a pretend OAuth and OpenID Connect issuer with the manners of Salesforce,
// Google, Microsoft or nobody in particular, and a pretend browser to walk through its pages.
//
// It speaks the wire: discovery, login form, consent page, token endpoint with PKCE and refresh,
// userinfo, keys, revocation, introspection. It checks what a real issuer checks and misbehaves
// on request. It is for tests and the sandbox only. Every method is safe for concurrent use;
// the exported fields are set before the first request.
package oauthtest

import (
	"crypto/rsa"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Flavour is whose manners the issuer has.
type Flavour int

const (
	Generic    Flavour = iota // loopback redirects on any port, refresh tokens kept
	Google                    // refresh token only with access_type=offline at a first consent or prompt=consent; client secret demanded; 127.0.0.1 on any port
	Microsoft                 // localhost on any port; one refresh token for several resources; AADSTS errors
	Salesforce                // exact callbacks; own endpoint paths; no expires_in; id and instance_url; strict rotation
)

// Rotation is what a refresh does to the refresh token.
type Rotation int

const (
	RotateByFlavour Rotation = iota
	RotateNever              // the same token for ever (Google)
	RotateLoose              // a new one each time, the old one stays valid (Microsoft)
	RotateStrict             // a new one each time; an old one coming back kills the family (Salesforce)
)

// User may sign in. Subject defaults to a stable id made from Email.
type User struct {
	Email    string
	Password string
	Subject  string
	// Addresses are what Graph calls proxyAddresses, for the Microsoft flavour: "SMTP:" before the
	// first one, "smtp:" before others, and more that are no mail addresses at all.
	Addresses []string
}

// Client is a registered application. Without Redirects any loopback address is taken, by the
// rules of the flavour.
type Client struct {
	ID        string
	Secret    string // "" for a public client
	Redirects []string
	Scopes    []string // what it may ask for; nil: anything
}

// Issuer is an [http.Handler]. The zero value accepts every client id and has one user,
// alice@example.org with the password "password".
type Issuer struct {
	// URL is the address of the issuer as seen from outside, with a path if it lives under one;
	// by default it is made from each request's Host.
	URL      string
	Flavour  Flavour
	Users    []User
	Clients  []Client
	Rotation Rotation

	TokenLife  time.Duration // of access tokens; default 1 h
	CodeLife   time.Duration // of authorization codes; default 15 min
	PromiseIss bool          // metadata promises iss in the callback (RFC 9207), and it comes
	NoPKCE     bool          // metadata does not speak of PKCE, and no verifier is asked for

	// Consented are permissions that the directory of the Microsoft flavour gave the app beside
	// those that its users allow.
	Consented []string

	// OrgID, InstanceURL and CommunityURL are what the Salesforce flavour puts into its token
	// answers; by default an 18-character id, the issuer's origin and no community.
	OrgID        string
	InstanceURL  string
	CommunityURL string

	mu       sync.Mutex
	users    []User
	key      *rsa.PrivateKey
	pending  map[string]*pending
	codes    map[string]*grant
	access   map[string]*token
	refresh  map[string]*token
	approved map[string]bool
	mischief Mischief
	counts   map[string]int
}

// Mischief is what the issuer does wrong. The zero value is good behaviour.
type Mischief struct {
	ConsentError       string // the authorization answers this error instead of a code
	ConsentDescription string
	ErrorPage          bool // ConsentError is shown as a page of the issuer; the callback never hears of it

	TokenError       string // the token endpoint answers 400 with this error
	TokenDescription string
	TokenStatus      int           // the token endpoint answers this status with an HTML page
	TokenDelay       time.Duration // wait before working on a token request
	TokenHook        func()        // called before working on a token request
	LoseReply        bool          // do the work of a token request, then cut the connection
	RawReply         string        // send exactly this as the token answer, with status 200

	ExpireCodes bool              // every code is too old
	DropScopes  []string          // not granted although asked for
	Change      map[string]any    // replaces members of the token answer; nil removes one
	Callback    map[string]string // replaces parameters of the callback; "" removes one
	BadNonce    bool              // the id_token carries another nonce

	// Times is after how many token or consent requests the issuer behaves again; 0: never.
	Times int
}

type pending struct {
	client, redirect, state, challenge, nonce string
	offline, consent                          bool
	scopes                                    []string
	user                                      *User
}

// grant is what a code stands for.
type grant struct {
	pending
	family  string
	granted []string
	expires time.Time
	used    bool
}

type token struct {
	value, family, client, email string
	scopes                       []string
	expires                      time.Time // zero: never
	spent                        bool      // rotated away
}

// AddUser lets one more user sign in, also while the issuer runs.
func (s *Issuer) AddUser(u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usersLocked()
	s.users = append(s.users, u)
}

// Misbehave replaces the present mischief; the zero value ends it.
func (s *Issuer) Misbehave(m Mischief) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mischief = m
}

// Count returns how many requests reached an endpoint so far: "metadata", "authorize",
// "token:authorization_code", "token:refresh_token", "userinfo", "keys", "revoke", "introspect".
func (s *Issuer) Count(endpoint string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[endpoint]
}

// Tokens returns every access and refresh token there is, for tests that search for them where
// they must not be.
func (s *Issuer) Tokens() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(slices.Collect(maps.Keys(s.access)), slices.Collect(maps.Keys(s.refresh))...)
}

// Active reports whose access token it is, and whether it is valid now.
func (s *Issuer) Active(accessToken string) (email string, ok bool) {
	t, ok := s.lookup(accessToken)
	return t.email, ok
}

func (s *Issuer) lookup(accessToken string) (token, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.access[accessToken]
	if t == nil || !t.expires.IsZero() && time.Now().After(t.expires) {
		return token{}, false
	}
	return *t, true
}

// RefreshValid reports whether a refresh token would still be accepted.
func (s *Issuer) RefreshValid(refreshToken string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.refresh[refreshToken]
	return t != nil && !t.spent
}

// Revoke ends every token of a user, as when an administrator revokes the sign-in.
func (s *Issuer) Revoke(email string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked(func(t *token) bool { return t.email == email })
}

// ExpireAccess ends every access token of a user but keeps the refresh tokens.
func (s *Issuer) ExpireAccess(email string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, t := range s.access {
		if t.email == email {
			delete(s.access, k)
		}
	}
}

// Issue mints tokens for a user without any browser. The user need not be known.
func (s *Issuer) Issue(email string, scopes ...string) (accessToken, refreshToken string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &grant{family: random("fam"), granted: scopes, pending: pending{user: &User{Email: email}}}
	return s.mintLocked(s.accessLocked(), "at", g).value, s.mintLocked(s.refreshLocked(), "rt", g).value
}

func (s *Issuer) dropLocked(match func(*token) bool) {
	for _, m := range []map[string]*token{s.access, s.refresh} {
		for k, t := range m {
			if match(t) {
				delete(m, k)
			}
		}
	}
}

func (s *Issuer) accessLocked() map[string]*token {
	if s.access == nil {
		s.access = map[string]*token{}
	}
	return s.access
}

func (s *Issuer) refreshLocked() map[string]*token {
	if s.refresh == nil {
		s.refresh = map[string]*token{}
	}
	return s.refresh
}

func (s *Issuer) mintLocked(m map[string]*token, prefix string, g *grant) *token {
	t := &token{value: random(prefix), family: g.family, client: g.client, email: g.user.Email, scopes: g.granted}
	if prefix == "at" {
		t.expires = time.Now().Add(orElse(s.TokenLife, time.Hour))
	}
	m[t.value] = t
	return t
}

func (s *Issuer) usersLocked() []User {
	if s.users == nil {
		s.users = append([]User{}, s.Users...)
		if len(s.users) == 0 {
			s.users = append(s.users, User{Email: "alice@example.org", Password: "password"})
		}
	}
	return s.users
}

// find returns a copy of the user with that address, or nil.
func (s *Issuer) find(email string) *User {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.usersLocked() {
		if strings.EqualFold(u.Email, email) {
			return &u
		}
	}
	return nil
}

func (s *Issuer) client(id string) (Client, bool) {
	if len(s.Clients) == 0 {
		return Client{ID: id}, id != ""
	}
	for _, c := range s.Clients {
		if c.ID == id {
			return c, true
		}
	}
	return Client{}, false
}

// take returns the mischief for one request that it can hit, and counts it off.
func (s *Issuer) take(hits func(Mischief) bool) Mischief {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mischief
	if !hits(m) {
		return Mischief{}
	}
	if m.Times == 1 {
		s.mischief = Mischief{}
	} else if m.Times > 1 {
		s.mischief.Times--
	}
	return m
}

func (s *Issuer) rotation() Rotation {
	if s.Rotation != RotateByFlavour {
		return s.Rotation
	}
	switch s.Flavour {
	case Microsoft:
		return RotateLoose
	case Salesforce:
		return RotateStrict
	default:
		return RotateNever
	}
}
