package provision

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// policyContext stands before the signed bytes, so that no other signature of the key is a policy.
const policyContext = "hawser-policy-v1\n"

// policyKeyID names a public key.
func policyKeyID(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return base64.RawURLEncoding.EncodeToString(sum[:])[:16]
}

// SignPolicy signs a policy with the tenant's private key. That key stays with the tenant: hawserd
// and whoever takes it over can withhold a policy, but make none.
func SignPolicy(doc PolicyDocument, key ed25519.PrivateKey) (PolicyEnvelope, error) {
	if doc.Tenant == "" || doc.Version < 1 || !doc.Expires.After(doc.Issued) || doc.Settings == nil {
		return PolicyEnvelope{}, errors.New("sign policy: tenant, version, times and settings are required")
	}
	payload, err := json.Marshal(doc)
	if err != nil {
		return PolicyEnvelope{}, fmt.Errorf("sign policy: %w", err)
	}
	if len(key) != ed25519.PrivateKeySize {
		return PolicyEnvelope{}, errors.New("sign policy: not an Ed25519 key")
	}
	public := ed25519.PublicKey(key[ed25519.PrivateKeySize-ed25519.PublicKeySize:])
	return envelopeOf(Policy{
		Payload: payload, KeyID: policyKeyID(public),
		Signature: ed25519.Sign(key, append([]byte(policyContext), payload...)),
	}), nil
}

func envelopeOf(p Policy) PolicyEnvelope {
	return PolicyEnvelope{
		Payload:   base64.RawURLEncoding.EncodeToString(p.Payload),
		Signature: base64.RawURLEncoding.EncodeToString(p.Signature), KeyID: p.KeyID,
	}
}

// Why a policy is refused.
var (
	ErrPolicyUnsigned = errors.New("policy is not signed by a known key")
	ErrPolicyForeign  = errors.New("policy is another tenant's")
	ErrPolicyOlder    = errors.New("policy is older than the one in force")
	ErrPolicyExpired  = errors.New("policy has expired")
)

// open checks the signature and reads the policy; keys are raw public keys.
func (e PolicyEnvelope) open(keys [][]byte) (Policy, PolicyDocument, error) {
	var doc PolicyDocument
	payload, err := base64.RawURLEncoding.Strict().DecodeString(e.Payload)
	signature, err2 := base64.RawURLEncoding.Strict().DecodeString(e.Signature)
	if err != nil || err2 != nil {
		return Policy{}, doc, ErrPolicyUnsigned
	}
	for _, k := range keys {
		if len(k) != ed25519.PublicKeySize || policyKeyID(k) != e.KeyID || !ed25519.Verify(k, append([]byte(policyContext), payload...), signature) {
			continue
		}
		if err := strict(payload, &doc); err != nil || doc.Version < 1 || doc.Group != "" && !groupName.MatchString(doc.Group) {
			return Policy{}, doc, ErrPolicyUnsigned
		}
		return Policy{Group: doc.Group, Version: doc.Version, Payload: payload, Signature: signature, KeyID: e.KeyID}, doc, nil
	}
	return Policy{}, doc, ErrPolicyUnsigned
}

// CheckPolicy holds a policy against a tenant and returns what is to be kept. Errors are
// [ErrPolicyUnsigned], [ErrPolicyForeign] or [ErrPolicyExpired].
func CheckPolicy(e PolicyEnvelope, t Tenant, now time.Time) (Policy, error) {
	p, doc, err := e.open(t.PolicyKeys)
	switch {
	case err != nil:
		return p, err
	case doc.Tenant != t.ID:
		return p, ErrPolicyForeign
	case !now.Before(doc.Expires):
		return p, ErrPolicyExpired
	}
	return p, nil
}

func (s *Server) putPolicy(ctx context.Context, c *call) (int, any, error) {
	var in PolicyEnvelope
	if _, err := c.only(); err != nil {
		return 0, nil, err
	}
	if err := c.read(&in); err != nil {
		return 0, nil, err
	}
	t, err := s.cfg.Store.Tenant(ctx, c.tenant)
	if err != nil {
		return 0, nil, err
	}
	p, err := CheckPolicy(in, t, c.now)
	if err != nil {
		return 0, nil, problem(http.StatusUnprocessableEntity, CodePolicySignature)
	}
	if c.key.Group != "" && p.Group != c.key.Group {
		return 0, nil, ErrNotFound
	}
	e := c.event("policy.put", p.Group)
	e.Detail = fmt.Sprint(p.Version)
	return http.StatusOK, struct{}{}, s.cfg.Store.PutPolicy(ctx, c.tenant, p, e)
}

// PolicyPin is what an agent remembers of its tenant's policy, so that neither the server nor the
// network can give it another tenant's, an older one, or one of their own. The agent keeps it
// beside the policy in force, in one write.
type PolicyPin struct {
	Tenant string            `json:"tenant"`
	Keys   []string          `json:"keys"` // base64url, from the registration or from managed policy
	Seen   map[string]int64  `json:"seen"` // highest version accepted, by group
	Sums   map[string]string `json:"sums"` // SHA-256 of that version's payload, base64url, by group
}

// Accept returns the policy and what to remember from now on. On an error the policy in force
// stays: [ErrPolicyUnsigned], [ErrPolicyForeign], [ErrPolicyOlder] (also another text under a
// version that was seen) or [ErrPolicyExpired]. The pin itself is not changed.
func (p PolicyPin) Accept(e PolicyEnvelope, now time.Time) (PolicyDocument, PolicyPin, error) {
	var keys [][]byte
	for _, k := range p.Keys {
		if raw, err := base64.RawURLEncoding.DecodeString(k); err == nil {
			keys = append(keys, raw)
		}
	}
	kept, doc, err := e.open(keys)
	sum := sha256.Sum256(kept.Payload)
	text := base64.RawURLEncoding.EncodeToString(sum[:])
	switch {
	case err != nil:
		return PolicyDocument{}, p, err
	case doc.Tenant != p.Tenant:
		return PolicyDocument{}, p, ErrPolicyForeign
	case doc.Version < p.Seen[doc.Group], doc.Version == p.Seen[doc.Group] && p.Sums[doc.Group] != text:
		return PolicyDocument{}, p, ErrPolicyOlder
	case !now.Before(doc.Expires):
		return PolicyDocument{}, p, ErrPolicyExpired
	}
	next := PolicyPin{Tenant: p.Tenant, Keys: p.Keys, Seen: map[string]int64{}, Sums: map[string]string{}}
	for g, v := range p.Seen {
		next.Seen[g], next.Sums[g] = v, p.Sums[g]
	}
	next.Seen[doc.Group], next.Sums[doc.Group] = doc.Version, text
	return doc, next, nil
}
