package provision

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"hawser/auth/reqsig"
)

// Vault holds what has to stay outside the store: the keys that seal secrets and hash claims, all
// derived from one master key. Replicas share the master key; with another one, every kept secret
// is unreadable and every claim unknown.
type Vault struct {
	secrets cipher.AEAD
	tickets cipher.AEAD
	pages   cipher.AEAD
	claims  []byte
	decoy   Key // opened for unknown ids, so that they cost what known ones do
}

// MasterSize is the size of a master key in bytes.
const MasterSize = 32

// NewVault derives the keys from a master key of [MasterSize] random bytes.
func NewVault(master []byte) (*Vault, error) {
	if len(master) != MasterSize {
		return nil, fmt.Errorf("open vault: master key has %d bytes, not %d", len(master), MasterSize)
	}
	v := &Vault{}
	for _, part := range []struct {
		label string
		aead  *cipher.AEAD
	}{{"secrets", &v.secrets}, {"tickets", &v.tickets}, {"pages", &v.pages}} {
		key, err := hkdf.Key(sha256.New, master, nil, "hawserd 1 "+part.label, 32)
		if err != nil {
			return nil, fmt.Errorf("open vault: %w", err)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("open vault: %w", err)
		}
		if *part.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, fmt.Errorf("open vault: %w", err)
		}
	}
	var err error
	if v.claims, err = hkdf.Key(sha256.New, master, nil, "hawserd 1 claims", 32); err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	v.decoy = v.seal(Key{}, make([]byte, 32))
	return v, nil
}

// seal returns k with its secret sealed to the key's tenant, id and role: a row that is copied to
// another place cannot be opened there.
func (v *Vault) seal(k Key, secret []byte) Key {
	k.Sealed = v.secrets.Seal(nil, nil, secret, place(k.Tenant, k.ID, string(k.Role)))
	return k
}

func (v *Vault) open(k Key) ([]byte, error) {
	secret, err := v.secrets.Open(nil, nil, k.Sealed, place(k.Tenant, k.ID, string(k.Role)))
	if err != nil {
		return nil, errors.New("open key: not sealed here")
	}
	return secret, nil
}

// place joins words so that no two lists of words give the same bytes.
func place(words ...string) []byte {
	b := make([]byte, 0, 96)
	for _, w := range words {
		b = binary.BigEndian.AppendUint32(b, uint32(len(w)))
		b = append(b, w...)
	}
	return b
}

// claim hashes what a user holds.
func (v *Vault) claim(kind ClaimKind, words ...string) Claim {
	h := hmac.New(sha256.New, v.claims)
	h.Write(place(append([]string{string(kind)}, words...)...))
	return Claim{Kind: kind, Hash: [32]byte(h.Sum(nil))}
}

func (v *Vault) sealTicket(tenant reqsig.TenantID, t ticket) ([]byte, error) {
	plain, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("seal ticket: %w", err)
	}
	return v.tickets.Seal(nil, nil, plain, place(tenant.String())), nil
}

func (v *Vault) openTicket(tenant reqsig.TenantID, sealed []byte) (ticket, error) {
	var t ticket
	plain, err := v.tickets.Open(nil, nil, sealed, place(tenant.String()))
	if err == nil {
		err = json.Unmarshal(plain, &t)
	}
	if err != nil {
		return t, errors.New("open ticket: not of this tenant")
	}
	return t, nil
}

// SealPage seals what a browser keeps for a web page of this server; purpose keeps it from being
// taken for something else.
func (v *Vault) SealPage(purpose string, plain []byte) []byte {
	return v.pages.Seal(nil, nil, plain, place(purpose))
}

// OpenPage returns what [Vault.SealPage] sealed for the same purpose.
func (v *Vault) OpenPage(purpose string, sealed []byte) ([]byte, error) {
	plain, err := v.pages.Open(nil, nil, sealed, place(purpose))
	if err != nil {
		return nil, errors.New("open page's cookie: not sealed here")
	}
	return plain, nil
}

// keySource reads keys for the signature check.
type keySource struct {
	store Keys
	vault *Vault
}

// Key implements [reqsig.KeySource]. A code that ended or was used stays a key here: its holder is
// told so, which nobody else can find out.
func (s keySource) Key(ctx context.Context, id string) (reqsig.Key, bool, error) {
	k, err := s.store.Key(ctx, id)
	if errors.Is(err, ErrNotFound) {
		_, err = s.vault.open(s.vault.decoy)
		return reqsig.Key{}, false, err
	}
	if err != nil {
		return reqsig.Key{}, false, fmt.Errorf("read key: %w", err)
	}
	out, err := s.opened(&k)
	return out, err == nil, err
}

// Recall implements [reqsig.Recaller].
func (s keySource) Recall(id string) (reqsig.Key, bool) {
	k := s.store.Recall(id)
	ok := k != nil
	if !ok {
		k = &s.vault.decoy
	}
	out, err := s.opened(k)
	return out, ok && err == nil
}

// Holds implements [reqsig.Recaller].
func (s keySource) Holds(k reqsig.Key) bool {
	was, ok := k.Record.(*Key)
	return ok && s.store.Recall(was.ID) == was
}

func (s keySource) opened(k *Key) (reqsig.Key, error) {
	secret, err := s.vault.open(*k)
	if err != nil {
		return reqsig.Key{}, err
	}
	out := reqsig.Key{Tenant: k.Tenant, Role: k.Role, Secret: secret, NotAfter: k.NotAfter, Record: k}
	if k.Role == RoleCode {
		out.NotAfter = k.NotAfter.AddDate(0, 0, 1)
	}
	return out, nil
}
