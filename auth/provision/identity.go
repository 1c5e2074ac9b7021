package provision

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"hawser/auth/reqsig"
)

// consumers is the tenant of Microsoft's personal accounts, whose addresses Microsoft verifies.
const consumers = "9188040d-6c67-4c5b-b112-36a304b66dad"

// fresh is how old a sign-in may be at registration. Salesforce's tokens end two minutes after
// they are issued by default, so their end is given the clocks' window on top: there is a second
// sign-in to do in between, and the nonce ties the token to one registration.
const fresh = 15 * time.Minute

// The two sign-ins whose id_tokens a registration shows.
const (
	SideSalesforce = "salesforce"
	SideMail       = "mail"
)

// IDTokenNonce is the nonce with which an agent has to sign in for its id_token to count in a
// registration. It covers the device key: a stolen token registers no other computer.
func IDTokenNonce(side, registration, secret string) string {
	key := sha256.Sum256([]byte(secret))
	sum := sha256.Sum256(place("hawser-register-v1", side, registration, string(key[:])))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// identity is what two id_tokens proved.
type identity struct {
	Account     Account
	MailIssuer  string // "" without a token of the mail provider
	MailSubject string
	MailAddress string // verified by the provider, canonical; "" when it did not say
}

// errNotProven and errStale are refusals of a token; their causes stay inside.
var (
	errNotProven = errors.New("not proven")
	errStale     = errors.New("too old")
)

// claims are the members of an id_token that are read.
type claims struct {
	Issuer   string   `json:"iss"`
	Audience audience `json:"aud"`
	Party    string   `json:"azp"`
	Subject  string   `json:"sub"`
	Issued   unixTime `json:"iat"`
	Expires  unixTime `json:"exp"`
	Nonce    string   `json:"nonce"`
	Email    string   `json:"email"`
	Verified truth    `json:"email_verified"`
	TenantID string   `json:"tid"`
	ObjectID string   `json:"oid"`
	Owner    truth    `json:"xms_edov"`
}

type audience []string

// UnmarshalJSON takes one audience or a list.
func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

type unixTime float64

func (u unixTime) time() time.Time { return time.Unix(int64(u), 0) }

type truth bool

// UnmarshalJSON takes true, "true", 1 and "1" for true, as providers write all of them.
func (t *truth) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	*t = s == "true" || s == "1"
	return nil
}

// peek reads a token's claims without believing them.
func peek(token string) (claims, error) {
	var c claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, errNotProven
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(raw, &c) != nil {
		return c, errNotProven
	}
	return c, nil
}

// verified checks a token's signature with the issuer's keys, which are read anew when they do not
// fit: an issuer changes its keys when it likes.
func (i *issuers) verified(ctx context.Context, token, issuer string) error {
	for _, age := range []time.Duration{keysLife, keysInterval} {
		keys, err := i.within(ctx, issuer, age)
		if err != nil {
			return err
		}
		v := oidc.NewVerifier(issuer, keys, &oidc.Config{
			// Both are checked by accept: the library knows one audience and no leeway.
			SkipClientIDCheck: true, SkipExpiryCheck: true,
			SupportedSigningAlgs: []string{oidc.RS256, oidc.PS256, oidc.ES256},
		})
		if _, err := v.Verify(ctx, token); err == nil {
			return nil
		}
	}
	return errNotProven
}

// accept holds a token against an issuer that is trusted for it, and returns its claims.
func (i *issuers) accept(ctx context.Context, token, issuer string, clients []string, nonce string) (claims, error) {
	if err := i.verified(ctx, token, issuer); err != nil {
		return claims{}, err
	}
	c, err := peek(token) // the very bytes that were verified
	if err != nil {
		return c, err
	}
	audienceOK := len(c.Audience) == 1 && slices.Contains(clients, c.Audience[0]) ||
		len(c.Audience) > 1 && slices.Contains(clients, c.Party) && slices.Contains(c.Audience, c.Party)
	if !audienceOK || c.Nonce != nonce || c.Issuer != issuer {
		return c, errNotProven
	}
	now := i.now()
	switch issued := c.Issued.time(); {
	case issued.After(now.Add(reqsig.Window)):
		return c, errNotProven
	case issued.Before(now.Add(-fresh)), c.Expires.time().Before(now.Add(-reqsig.Window)):
		return c, errStale
	}
	return c, nil
}

// prove checks the id_tokens of a registration against what the tenant trusts.
func (s *Server) prove(ctx context.Context, t Tenant, in RegisterIn) (identity, error) {
	var id identity
	var err error
	nonce := IDTokenNonce(SideSalesforce, in.Registration, in.Secret)
	id.Account, err = s.issuers.account(ctx, in.Salesforce, nonce, t.Sites, func(s Site) []string { return s.ClientIDs })
	if err != nil || in.Mail == "" {
		return id, err
	}
	return s.proveMail(ctx, t, in, id)
}

// account returns whom a Salesforce id_token proves, when one of the sites issued it to one of its
// clients for a user of its org. Nobody but a site's issuer is asked for keys.
func (i *issuers) account(ctx context.Context, token, nonce string, sites []Site, clients func(Site) []string) (Account, error) {
	said, err := peek(token)
	if err != nil {
		return Account{}, err
	}
	var audiences []string
	for _, site := range sites {
		if site.Issuer == said.Issuer {
			audiences = append(audiences, clients(site)...)
		}
	}
	if len(audiences) == 0 {
		return Account{}, errNotProven
	}
	c, err := i.accept(ctx, token, said.Issuer, audiences, nonce)
	if err != nil {
		return Account{}, err
	}
	account, ok := subjectAccount(c.Subject)
	// One issuer serves many orgs: which of them counts is the tenant's.
	own := slices.ContainsFunc(sites, func(s Site) bool {
		org, ok := canonicalID("00D", s.OrgID)
		return ok && s.Issuer == c.Issuer && org == account.OrgID
	})
	if !ok || !own {
		return Account{}, errNotProven
	}
	return account, nil
}

var guid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func (s *Server) proveMail(ctx context.Context, t Tenant, in RegisterIn, id identity) (identity, error) {
	said, err := peek(in.Mail)
	if err != nil {
		return id, err
	}
	at := slices.IndexFunc(t.Mail, func(m MailIssuer) bool {
		if strings.Contains(m.Issuer, "{tenantid}") && guid.MatchString(said.TenantID) {
			return strings.Replace(m.Issuer, "{tenantid}", said.TenantID, 1) == said.Issuer
		}
		return m.Issuer == said.Issuer
	})
	if at < 0 { // a provider on whose word the tenant sets nothing: as good as no token
		return id, nil
	}
	c, err := s.issuers.accept(ctx, in.Mail, said.Issuer, t.Mail[at].ClientIDs, IDTokenNonce(SideMail, in.Registration, in.Secret))
	if err != nil {
		return id, err
	}
	id.MailIssuer, id.MailSubject = c.Issuer, c.Subject
	verified := bool(c.Verified)
	if c.TenantID != "" && c.ObjectID != "" {
		// Microsoft: sub differs from app to app, oid does not; an administrator can set the e-mail
		// claim of a work account to anything.
		id.MailSubject = c.TenantID + "/" + c.ObjectID
		verified = c.TenantID == consumers || bool(c.Owner)
	}
	if id.MailSubject == "" {
		return id, errNotProven
	}
	if verified {
		id.MailAddress, _ = canonicalAddress(c.Email)
	}
	return id, nil
}

// subjectAccount reads "https://login.salesforce.com/id/<org>/<user>".
func subjectAccount(sub string) (Account, bool) {
	u, err := url.Parse(sub)
	if err != nil {
		return Account{}, false
	}
	parts := strings.Split(u.Path, "/")
	if len(parts) != 4 || parts[1] != "id" {
		return Account{}, false
	}
	return Account{OrgID: parts[2], UserID: parts[3]}.Canonical()
}

// The bounds of what is read from issuers and kept of them.
const (
	maxIssuers   = 1000
	maxDocument  = 256 << 10
	keysLife     = time.Hour
	keysInterval = 30 * time.Second // between two readings for the sake of an unknown key
)

// issuers keeps the signing keys of the issuers that tenants trust.
type issuers struct {
	http *http.Client
	now  func() time.Time

	mu  sync.Mutex
	all map[string]*issuerKeys
}

type issuerKeys struct {
	mu   sync.Mutex // held while the keys are read, so that a herd reads them once
	set  *oidc.StaticKeySet
	read time.Time
}

func (i *issuers) of(issuer string) *issuerKeys {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.all == nil || len(i.all) >= maxIssuers {
		i.all = map[string]*issuerKeys{}
	}
	if i.all[issuer] == nil {
		i.all[issuer] = &issuerKeys{}
	}
	return i.all[issuer]
}

// within returns an issuer's keys, read no longer ago than age.
func (i *issuers) within(ctx context.Context, issuer string, age time.Duration) (oidc.KeySet, error) {
	k := i.of(issuer)
	k.mu.Lock()
	defer k.mu.Unlock()
	now := i.now()
	if k.set != nil && now.Sub(k.read) < age {
		return k.set, nil
	}
	set, err := i.fetch(ctx, issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", problem(http.StatusServiceUnavailable, reqsig.CodeUnavailable), err)
	}
	k.set, k.read = set, now
	return set, nil
}

// fetch reads the issuer's discovery document and then its keys.
func (i *issuers) fetch(ctx context.Context, issuer string) (*oidc.StaticKeySet, error) {
	about, err := i.about(ctx, issuer)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := i.get(ctx, about.Keys, &doc); err != nil {
		return nil, err
	}
	set := &oidc.StaticKeySet{}
	for _, raw := range doc.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) == nil && k.Valid() && k.IsPublic() { // keys of unknown kinds are passed over
			set.PublicKeys = append(set.PublicKeys, k.Key)
		}
	}
	if len(set.PublicKeys) == 0 {
		return nil, errors.New("no usable key")
	}
	return set, nil
}

// discovery is what is read of an issuer's discovery document.
type discovery struct {
	Issuer    string `json:"issuer"`
	Keys      string `json:"jwks_uri"`
	Authorize string `json:"authorization_endpoint"`
	Token     string `json:"token_endpoint"`
	Revoke    string `json:"revocation_endpoint"`
}

func (i *issuers) about(ctx context.Context, issuer string) (discovery, error) {
	var about discovery
	if err := i.get(ctx, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", &about); err != nil {
		return about, err
	}
	if about.Issuer != issuer {
		return about, errors.New("discovery names another issuer")
	}
	return about, nil
}

func (i *issuers) get(ctx context.Context, address string, out any) error {
	if !safeAddress(address) {
		return errors.New("read issuer: address is not https")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("read issuer: %w", err)
	}
	resp, err := i.http.Do(req)
	if err != nil {
		return fmt.Errorf("read issuer: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("read issuer: status %d", resp.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxDocument)).Decode(out); err != nil {
		return errors.New("read issuer: not JSON")
	}
	return nil
}

// safeAddress reports whether an address is https, or http on this machine.
func safeAddress(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return false
	}
	here := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && here
}
