package sqlitedb

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

func sealer(t testing.TB, key byte, owner string) *Sealer {
	t.Helper()
	s, err := NewSealer(bytes.Repeat([]byte{key}, KeySize), []byte(owner))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealedOpensInItsPlaceOnly(t *testing.T) {
	t.Parallel()
	s := sealer(t, 1, "o")
	at := AAD{Table: "t", Row: "12", Schema: 1, Part: 3, Last: true}
	for _, plain := range [][]byte{{}, []byte("word"), make([]byte, 300_000)} {
		sealed := s.Seal(at, plain)
		if len(sealed) != len(plain)+Overhead || bytes.Equal(sealed, s.Seal(at, plain)) {
			t.Error("length or nonce is wrong")
		}
		got, err := s.Open(at, sealed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%d bytes do not come back: %v", len(plain), err)
		}
		for name, other := range map[string]AAD{
			"table": {"u", "12", 1, 3, true}, "row": {"t", "13", 1, 3, true}, "schema": {"t", "12", 2, 3, true},
			"part": {"t", "12", 1, 4, true}, "last": {"t", "12", 1, 3, false}, "border": {"t1", "2", 1, 3, true},
		} {
			if _, err := s.Open(other, sealed); !errors.Is(err, ErrSealed) {
				t.Errorf("opens with another %s: %v", name, err)
			}
		}
		for name, other := range map[string]*Sealer{"key": sealer(t, 2, "o"), "owner": sealer(t, 1, "p")} {
			if _, err := other.Open(at, sealed); !errors.Is(err, ErrSealed) {
				t.Errorf("opens with another %s: %v", name, err)
			}
		}
		for i := 0; i < len(sealed); i += 1 + len(sealed)/100 {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1
			if _, err := s.Open(at, bad); !errors.Is(err, ErrSealed) {
				t.Errorf("opens with byte %d flipped", i)
			}
		}
		if _, err := s.Open(at, sealed[:len(sealed)-1]); !errors.Is(err, ErrSealed) {
			t.Error("opens cut short")
		}
	}
}

// TestSealFormatIsFixed pins what is on users' disks: a text sealed by the first release opens.
func TestSealFormatIsFixed(t *testing.T) {
	t.Parallel()
	s := sealer(t, 1, "owner")
	sealed, err := hex.DecodeString(sealedByTheFirstRelease)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := s.Open(AAD{Table: "mail.head", Row: "7", Schema: 1}, sealed)
	if err != nil || string(plain) != "hawser" {
		t.Errorf("%q, %v", plain, err)
	}
	if got := hex.EncodeToString(s.KeyedHash("folder", []byte("INBOX"))); got != hashByTheFirstRelease {
		t.Errorf("hash %s", got)
	}
}

func TestKeyedHashIsApart(t *testing.T) {
	t.Parallel()
	a := sealer(t, 1, "o").KeyedHash("folder", []byte("x"))
	for name, b := range map[string][]byte{
		"domain": sealer(t, 1, "o").KeyedHash("print", []byte("x")),
		"data":   sealer(t, 1, "o").KeyedHash("folder", []byte("y")),
		"key":    sealer(t, 2, "o").KeyedHash("folder", []byte("x")),
	} {
		if bytes.Equal(a, b) {
			t.Errorf("the same hash with another %s", name)
		}
	}
	if len(a) != 32 || !bytes.Equal(a, sealer(t, 1, "p").KeyedHash("folder", []byte("x"))) {
		t.Error("the hash is not a function of key, domain and data")
	}
}

func TestKeySize(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 16, 31, 33} {
		if _, err := NewSealer(make([]byte, n), nil); err == nil {
			t.Errorf("a key of %d bytes is taken", n)
		}
	}
}

func FuzzOpen(f *testing.F) {
	s := sealer(f, 1, "o")
	f.Add(s.Seal(AAD{Table: "t"}, []byte("x")))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if plain, err := s.Open(AAD{Table: "other"}, sealed); err == nil {
			t.Errorf("%x opens as %q", sealed, plain)
		}
	})
}

const (
	sealedByTheFirstRelease = "01cee3475261fee27253fee9fbab3423efc7678f667c4303022d1fe07bf0449c3e47070b0d0733737ea61e810ad4a1"
	hashByTheFirstRelease   = "e676fb5df8f2deda2e36c15ed77ddc24a7b5acd004d5bd919e41ed1c2d9f0e0e"
)
