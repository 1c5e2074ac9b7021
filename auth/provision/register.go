package provision

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// ticketLife is how long a proven identity may wait for its company.
const ticketLife = 30 * 24 * time.Hour

// ticket is a proven identity that waits: the agent keeps it, sealed, so that the server keeps
// nothing of people whom nobody has provisioned.
type ticket struct {
	Registration string
	KeyHash      []byte
	Identity     identity
	At           time.Time
}

// word reports whether s is one of those that agents describe themselves with: [a-z0-9][a-z0-9._+-]{0,63}.
func word(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && (i == 0 || strings.IndexByte("._+-", c) < 0) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// valid reports whether a report holds words and numbers only.
func (r Report) valid() bool {
	c := r.Counts
	return word(r.Version) && word(r.OS) && (r.State == "" || word(r.State)) &&
		(r.Fault == "" || word(r.Fault)) &&
		min(c.Seen, c.Captured, c.Filtered, c.Held, c.Waiting, c.NeedsYou, r.PolicyVersion) >= 0
}

// valid returns the device secret when the request is of the protocol.
func (in RegisterIn) valid() (secret []byte, mailbox string, ok bool) {
	secret, err := base64.RawURLEncoding.Strict().DecodeString(in.Secret)
	mailbox, isAddress := canonicalAddress(in.Mailbox)
	ok = err == nil && len(secret) == 32 && isAddress && chosenID.MatchString(in.Registration) && in.Report.valid() &&
		(in.Ticket == "") != (in.Salesforce == "") && (in.Ticket == "" || in.Mail == "")
	return secret, mailbox, ok
}

func (s *Server) register(ctx context.Context, c *call) (int, any, error) {
	var in RegisterIn
	if _, err := c.only(); err != nil {
		return 0, nil, err
	}
	if err := c.read(&in); err != nil {
		return 0, nil, err
	}
	secret, mailbox, ok := in.valid()
	if !ok {
		return 0, nil, problem(http.StatusBadRequest, CodeInvalid)
	}
	if c.key.Role == RoleCode && c.key.SpentBy != in.Registration && (c.key.SpentBy != "" || !c.now.Before(c.key.NotAfter)) {
		return 0, nil, ErrSpent // before anybody's identity is looked at; the store decides again
	}
	t, err := s.cfg.Store.Tenant(ctx, c.tenant)
	if err != nil {
		return 0, nil, err
	}
	hash := sha256.Sum256(secret)
	id, err := s.identify(ctx, c, t, in)
	if err != nil {
		return 0, nil, err
	}
	u, err := s.expected(ctx, c, id)
	if err == nil && u.State == Suspended {
		err = problem(http.StatusForbidden, CodeSuspended)
	}
	if err != nil {
		return 0, nil, s.withTicket(c, err, ticket{in.Registration, hash[:], id, c.now})
	}
	claims, err := s.hold(t, u, id, mailbox)
	if err != nil {
		return 0, nil, err
	}
	d := Device{ID: idDevice + rand.Text(), User: u.ID, Registration: in.Registration, KeyHash: hash[:], Report: in.Report}
	k := s.cfg.Vault.seal(Key{ID: d.ID, Tenant: c.tenant.String(), Role: RoleDevice, User: u.ID, CreatedAt: c.now}, secret)
	r := Registration{Device: d, Key: k, Claims: claims}
	if c.key.Role == RoleCode {
		r.Code = c.key.ID
	}
	d, err = s.cfg.Store.Register(ctx, c.tenant, r, c.event("device.register", d.ID))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, s.registered(t, u, d), nil
}

// identify returns who registers, from fresh id_tokens or from the ticket that they gave before.
func (s *Server) identify(ctx context.Context, c *call, t Tenant, in RegisterIn) (identity, error) {
	if in.Ticket == "" {
		id, err := s.prove(ctx, t, in)
		switch {
		case errors.Is(err, errStale):
			err = problem(http.StatusForbidden, CodeIdentityStale)
		case errors.Is(err, errNotProven):
			err = problem(http.StatusForbidden, CodeIdentity)
		}
		return id, err
	}
	sealed, err := base64.RawURLEncoding.DecodeString(in.Ticket)
	if err != nil {
		return identity{}, problem(http.StatusForbidden, CodeIdentity)
	}
	k, err := s.cfg.Vault.openTicket(c.tenant, sealed)
	secret, _, _ := in.valid()
	hash := sha256.Sum256(secret)
	switch {
	case err != nil || k.Registration != in.Registration || !slices.Equal(k.KeyHash, hash[:]):
		return identity{}, problem(http.StatusForbidden, CodeIdentity)
	case c.now.After(k.At.Add(ticketLife)):
		return identity{}, problem(http.StatusForbidden, CodeIdentityStale)
	}
	return k.Identity, nil
}

// expected returns the user whom the tenant provisioned for this identity.
func (s *Server) expected(ctx context.Context, c *call, id identity) (User, error) {
	if c.key.Role == RoleCode {
		u, err := s.cfg.Store.User(ctx, c.tenant, c.key.User)
		if err == nil && u.Account != id.Account {
			err = problem(http.StatusForbidden, CodeWrongAccount)
		}
		return u, err
	}
	u, err := s.cfg.Store.UserByAccount(ctx, c.tenant, id.Account)
	if errors.Is(err, ErrNotFound) {
		err = problem(http.StatusForbidden, CodeNotProvisioned)
	}
	return u, err
}

// withTicket adds the ticket to a refusal that time may lift.
func (s *Server) withTicket(c *call, err error, t ticket) error {
	var p *Problem
	if !errors.As(err, &p) || p.Code != CodeNotProvisioned && p.Code != CodeSuspended {
		return err
	}
	sealed, failed := s.cfg.Vault.sealTicket(c.tenant, t)
	if failed != nil {
		return failed
	}
	p.Ticket = base64.RawURLEncoding.EncodeToString(sealed)
	return p
}

// hold compares the mailbox with the provisioned one and returns what the user is to hold. The
// primary address is only held on somebody's word: the mail provider's, or the operator's, who has
// checked that the domain is the tenant's. Else a tenant could lock a stranger's mailbox.
func (s *Server) hold(t Tenant, u User, id identity, mailbox string) ([]Claim, error) {
	own := func(a string) bool { return a == u.Mailbox || slices.Contains(u.Aliases, a) }
	if !own(mailbox) || id.MailAddress != "" && !own(id.MailAddress) {
		return nil, problem(http.StatusForbidden, CodeWrongMailbox)
	}
	if id.MailAddress != u.Mailbox && !slices.Contains(t.Domains, domain(u.Mailbox)) {
		return nil, problem(http.StatusForbidden, CodeUnproven)
	}
	v := s.cfg.Vault
	claims := []Claim{
		v.claim(ClaimAccount, u.Account.OrgID, u.Account.UserID),
		v.claim(ClaimAddress, u.Mailbox),
	}
	if id.MailIssuer != "" {
		claims = append(claims, v.claim(ClaimMailbox, id.MailIssuer, id.MailSubject))
	}
	return claims, nil
}

func (s *Server) registered(t Tenant, u User, d Device) RegisterOut {
	return RegisterOut{
		Device: d.ID, User: u.ID, Tenant: t.ID, TenantName: t.Name, Group: u.Group,
		Mailbox: u.Mailbox, Aliases: u.Aliases, PolicyKeys: keyTexts(t.PolicyKeys), Interval: s.interval(),
	}
}

func (s *Server) interval() int { return int(s.cfg.Interval / time.Second) }
