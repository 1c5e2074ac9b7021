package provision

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
)

// SetupOut is what a computer needs before its user can sign in: GET /v1/setup. It answers an
// enrolment code, unspent, and a deployment key; neither says more of a user than its group's
// policy.
type SetupOut struct {
	Tenant     string          `json:"tenant"`               // id, as in the signed policy
	TenantName string          `json:"tenantName"`           // for people
	PolicyKeys []string        `json:"policyKeys,omitempty"` // Ed25519 public keys in base64url: to be pinned
	Policy     *PolicyEnvelope `json:"policy,omitempty"`     // absent when there is none
}

func (s *Server) setup(ctx context.Context, c *call) (int, any, error) {
	if _, err := c.only(); err != nil {
		return 0, nil, err
	}
	if err := c.empty(); err != nil {
		return 0, nil, err
	}
	group := c.key.Group
	if c.key.Role == RoleCode {
		if c.key.SpentBy != "" || !c.now.Before(c.key.NotAfter) {
			return 0, nil, ErrSpent
		}
		u, err := s.cfg.Store.User(ctx, c.tenant, c.key.User)
		if err != nil {
			return 0, nil, err
		}
		group = u.Group
	}
	t, err := s.cfg.Store.Tenant(ctx, c.tenant)
	if err != nil {
		return 0, nil, err
	}
	out := SetupOut{Tenant: t.ID, TenantName: t.Name, PolicyKeys: keyTexts(t.PolicyKeys)}
	p, err := s.cfg.Store.Policy(ctx, c.tenant, group)
	switch {
	case err == nil:
		e := envelopeOf(p)
		out.Policy = &e
	case !errors.Is(err, ErrNotFound):
		return 0, nil, err
	}
	return http.StatusOK, out, nil
}

// keyTexts writes public keys for an answer.
func keyTexts(keys [][]byte) (texts []string) {
	for _, k := range keys {
		texts = append(texts, base64.RawURLEncoding.EncodeToString(k))
	}
	return texts
}
