package sqlitedb

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// KeySize is the length of a Sealer's key in bytes.
const KeySize = 32

// Overhead is how many bytes longer a sealed text is than its plain text.
const Overhead = 1 + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// sealFormat leads every sealed text: XChaCha20-Poly1305 with a random nonce and AAD as below.
const sealFormat = 1

// ErrSealed says that a sealed text does not open: another key, another place, changed bytes.
var ErrSealed = errors.New("sealed text does not open")

// AAD says where a sealed text belongs. It opens nowhere else, so rows cannot be swapped, put
// back from another table or cut short unseen. The owner is part of the Sealer.
type AAD struct {
	Table  string // table, or table.column where a row has several sealed columns
	Row    string
	Schema int  // version of the plain text's layout
	Part   int  // position in a stream, from 0
	Last   bool // the stream ends here
}

// Sealer seals short texts with a key that is derived from the one in the key store.
type Sealer struct {
	aead  cipher.AEAD
	hash  []byte
	owner []byte
}

// NewSealer returns the sealer of one owner. key has KeySize bytes.
func NewSealer(key, owner []byte) (*Sealer, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("sealing key has %d bytes, want %d", len(key), KeySize)
	}
	sealKey, err := hkdf.Key(sha256.New, key, nil, "hawser seal 1", chacha20poly1305.KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive sealing key: %w", err)
	}
	hashKey, err := hkdf.Key(sha256.New, key, nil, "hawser hash 1", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive hash key: %w", err)
	}
	aead, err := chacha20poly1305.NewX(sealKey)
	if err != nil {
		return nil, fmt.Errorf("prepare cipher: %w", err)
	}
	return &Sealer{aead: aead, hash: hashKey, owner: append([]byte(nil), owner...)}, nil
}

// Seal returns plain sealed for the place at; the nonce is random.
func (s *Sealer) Seal(at AAD, plain []byte) []byte {
	out := make([]byte, 1+chacha20poly1305.NonceSizeX, len(plain)+Overhead)
	out[0] = sealFormat
	_, _ = rand.Read(out[1:]) // crypto/rand.Read never returns an error
	return s.aead.Seal(out, out[1:], plain, s.bytes(at))
}

// Open returns the plain text of sealed, or an error that wraps [ErrSealed].
func (s *Sealer) Open(at AAD, sealed []byte) ([]byte, error) {
	if len(sealed) < Overhead || sealed[0] != sealFormat {
		return nil, fmt.Errorf("open %s: %w", at.Table, ErrSealed)
	}
	nonce, text := sealed[1:1+chacha20poly1305.NonceSizeX], sealed[1+chacha20poly1305.NonceSizeX:]
	plain, err := s.aead.Open(nil, nonce, text, s.bytes(at))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", at.Table, ErrSealed)
	}
	return plain, nil
}

// KeyedHash returns HMAC-SHA-256 of data, apart for each domain. It replaces personal words that
// have to be found again, such as folder names: without the key they cannot be guessed.
func (s *Sealer) KeyedHash(domain string, data []byte) []byte {
	mac := hmac.New(sha256.New, s.hash)
	mac.Write(appendField(nil, []byte(domain)))
	mac.Write(data)
	return mac.Sum(nil)
}

// bytes is version 1 of the authenticated bytes: each field after its length. A new layout gets
// a new sealFormat.
func (s *Sealer) bytes(at AAD) []byte {
	b := make([]byte, 0, 64+len(at.Table)+len(at.Row)+len(s.owner))
	b = appendField(b, []byte(at.Table))
	b = appendField(b, []byte(at.Row))
	b = binary.BigEndian.AppendUint64(b, uint64(at.Schema))
	b = appendField(b, s.owner)
	b = binary.BigEndian.AppendUint64(b, uint64(at.Part))
	if at.Last {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendField(b, field []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(len(field)))
	return append(b, field...)
}
