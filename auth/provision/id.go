package provision

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"time"

	"hawser/auth/reqsig"
	"hawser/auth/secret"
)

// The first letter of an id says what it is of; the rest is 26 random characters of base32,
// 130 bits. A code's id is short, as people may have to type it.
const (
	idTenant     = "n_"
	idTenantKey  = "t_"
	idDeployment = "p_"
	idCode       = "c_"
	idDevice     = "d_"
)

// CodeLife is how long an enrolment code may be used.
const CodeLife = 15 * time.Minute

// codeID is how many characters of a code are its id: 50 bits.
const codeID = 10

// NewTenantID returns a fresh row id for a tenant.
func NewTenantID() string { return idTenant + rand.Text() }

// NewKey draws a tenant or deployment key. The credential is to be shown once; the key goes into
// the store, where its secret is sealed.
func (v *Vault) NewKey(tenant reqsig.TenantID, role reqsig.Role, group string, now time.Time) (Key, Credential) {
	prefix := idTenantKey
	if role == RoleDeployment {
		prefix = idDeployment
	}
	raw := make([]byte, 32)
	rand.Read(raw)
	k := Key{ID: prefix + rand.Text(), Tenant: tenant.String(), Role: role, Group: group, CreatedAt: now}
	return v.seal(k, raw), Credential{ID: k.ID, Secret: secret.New(string(raw))}
}

// newCode draws an enrolment code for a user.
func (v *Vault) newCode(tenant reqsig.TenantID, user string, now time.Time) (Key, Credential) {
	c := Credential{ID: idCode + rand.Text()[:codeID], Secret: secret.New(rand.Text())}
	k := Key{ID: c.ID, Tenant: tenant.String(), Role: RoleCode, User: user, NotAfter: now.Add(CodeLife), CreatedAt: now}
	return v.seal(k, []byte(c.Secret.Reveal())), c
}

// Credential is a key as its holder has it.
type Credential struct {
	ID     string
	Secret secret.String // raw bytes
}

// Enrols reports whether a computer may register with the credential: it is an enrolment code or a
// deployment key.
func (c Credential) Enrols() bool {
	return strings.HasPrefix(c.ID, idCode) || strings.HasPrefix(c.ID, idDeployment)
}

// Text writes a credential in the form that [ParseCredential] reads: a code in groups of six
// characters, everything else as id, dot, base64url. It holds the secret.
func (c Credential) Text() secret.String {
	if id, ok := strings.CutPrefix(c.ID, idCode); ok {
		all := id + c.Secret.Reveal()
		var groups []string
		for len(all) > 6 {
			groups, all = append(groups, all[:6]), all[6:]
		}
		return secret.New(strings.Join(append(groups, all), "-"))
	}
	return secret.New(c.ID + "." + base64.RawURLEncoding.EncodeToString([]byte(c.Secret.Reveal())))
}

// Signing returns the credential for [reqsig.Sign].
func (c Credential) Signing() reqsig.SigningKey {
	return reqsig.SigningKey{ID: c.ID, Secret: []byte(c.Secret.Reveal())}
}

var (
	codeText = regexp.MustCompile(`^[A-Z2-7]{36}$`)
	keyText  = regexp.MustCompile(`^[tpd]_[A-Z2-7]{26}$`)
)

// ParseCredential reads a key or an enrolment code as people hand it on: of a code, case, spaces
// and dashes do not matter. The error does not repeat the text.
func ParseCredential(text string) (Credential, error) {
	text = strings.TrimSpace(text)
	if id, encoded, ok := strings.Cut(text, "."); ok {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
		if err != nil || len(raw) < reqsig.MinKey || !keyText.MatchString(id) {
			return Credential{}, errors.New("parse key: not a key")
		}
		return Credential{ID: id, Secret: secret.New(string(raw))}, nil
	}
	plain := strings.NewReplacer("-", "", " ", "", "0", "O", "1", "I", "8", "B").Replace(strings.ToUpper(text))
	if !codeText.MatchString(plain) {
		return Credential{}, errors.New("parse code: not a code")
	}
	return Credential{ID: idCode + plain[:codeID], Secret: secret.New(plain[codeID:])}, nil
}

// sfSuffix are the letters of the three check characters of a Salesforce id.
const sfSuffix = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

var sfID = regexp.MustCompile(`^(00D|005)[A-Za-z0-9]{12}([A-Z0-5]{3})?$`)

// canonicalID returns a Salesforce id of 15 or 18 characters in its form of 18, or false: the last
// three say which of the first fifteen letters are capitals.
func canonicalID(prefix, id string) (string, bool) {
	if !sfID.MatchString(id) || !strings.HasPrefix(id, prefix) {
		return "", false
	}
	full := id[:15]
	for part := range 3 {
		bits := 0
		for i := range 5 {
			if c := id[part*5+i]; c >= 'A' && c <= 'Z' {
				bits |= 1 << i
			}
		}
		full += sfSuffix[bits : bits+1]
	}
	return full, len(id) == 15 || full == id
}

// Canonical returns the account with ids of 18 characters; ok is false when they are no ids of an
// org and a user.
func (a Account) Canonical() (Account, bool) {
	org, okOrg := canonicalID("00D", a.OrgID)
	user, okUser := canonicalID("005", a.UserID)
	return Account{OrgID: org, UserID: user}, okOrg && okUser
}

var (
	externalID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+~-]{0,127}$`)
	groupName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$`)
	address    = regexp.MustCompile("^[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
	chosenID   = regexp.MustCompile(`^[A-Za-z0-9_-]{22,64}$`)
)

// canonicalAddress returns an address in lower case. Only ASCII is an address here: look-alike
// letters of other scripts never make a second owner of a mailbox.
func canonicalAddress(s string) (string, bool) {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return "", false
		}
	}
	s = strings.ToLower(s)
	return s, len(s) <= 254 && address.MatchString(s)
}
