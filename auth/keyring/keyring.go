// Package keyring keeps one 32-byte key per profile in the operating system's key store.
//
// Everything else that is secret is sealed with that key elsewhere, so one short entry is all
// that has to fit a store (Windows takes 2,560 bytes), to be unlocked, and to be deleted. The
// package owns the entry's form, the proof that the store kept it, the deadline of every call,
// and the passphrase file for computers without a store. It never falls back by itself and never
// writes a key in the clear: a missing store is a fault, and the caller asks the person.
//
// All types are safe for concurrent use.
package keyring

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"strings"
	"time"

	"hawser/sync/fault"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// prefix names the form of an entry, so that a later form can be told from damage.
const prefix = "hawser1:"

// ErrNotFound is what a [Store] answers for an entry that it does not have.
var ErrNotFound = errors.New("no such entry")

// Store is a key store: entries by service and account. Other errors than [ErrNotFound] are
// *fault.Error with the codes KeyStoreMissing or KeyStoreLocked. A call returns when ctx ends.
type Store interface {
	Get(ctx context.Context, service, account string) (string, error)
	Set(ctx context.Context, service, account, value string) error
	// Delete of a missing entry is no error.
	Delete(ctx context.Context, service, account string) error
}

// Config says where a key is. All but Timeout and Expect are required.
type Config struct {
	Store   Store
	Service string // the application, such as "io.hawser.Hawser"
	Profile string // whose key it is
	Log     *slog.Logger

	// Expect says that data sealed with the key exists: then a missing key is [fault.KeyLost]
	// and none is made, as a new one could open nothing.
	Expect bool
	// Timeout is how long one call to the store may take, which includes a person at an unlock
	// dialog; default 60 s.
	Timeout time.Duration
}

func (c Config) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	d := c.Timeout
	if d <= 0 {
		d = time.Minute
	}
	return context.WithTimeout(ctx, d)
}

// Key returns the profile's key, and makes one at the first call. A new key counts only after
// the store gave back what was written. Errors are *fault.Error: KeyStoreMissing, KeyStoreLocked
// or KeyLost.
func Key(ctx context.Context, cfg Config) (key [KeySize]byte, created bool, err error) {
	value, err := cfg.get(ctx)
	switch {
	case err == nil:
		key, err = decode(value)
		return key, false, err
	case !errors.Is(err, ErrNotFound):
		return key, false, err
	case cfg.Expect:
		return key, false, fault.New(fault.KeyLost, "read key", err)
	}
	_, _ = rand.Read(key[:]) // never fails since Go 1.24
	if err := cfg.put(ctx, encode(key)); err != nil {
		return [KeySize]byte{}, false, err
	}
	cfg.Log.LogAttrs(ctx, slog.LevelInfo, "key made", slog.String("profile", cfg.Profile))
	return key, true, nil
}

// Delete removes the profile's key: what it sealed is unreadable from then on.
func Delete(ctx context.Context, cfg Config) error {
	ctx, cancel := cfg.limit(ctx)
	defer cancel()
	return cfg.Store.Delete(ctx, cfg.Service, cfg.Profile)
}

func (c Config) get(ctx context.Context) (string, error) {
	ctx, cancel := c.limit(ctx)
	defer cancel()
	return c.Store.Get(ctx, c.Service, c.Profile)
}

// put writes, reads back and compares: some stores report success and keep nothing.
func (c Config) put(ctx context.Context, value string) error {
	limited, cancel := c.limit(ctx)
	defer cancel()
	if err := c.Store.Set(limited, c.Service, c.Profile, value); err != nil {
		return err
	}
	back, err := c.get(ctx)
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	case back != value:
		return fault.New(fault.KeyStoreMissing, "read key back", errors.New("the store did not keep what was written"))
	}
	return nil
}

func encode(key [KeySize]byte) string {
	return prefix + base64.RawStdEncoding.EncodeToString(key[:])
}

func decode(value string) (key [KeySize]byte, err error) {
	text, ok := strings.CutPrefix(value, prefix)
	raw, err := base64.RawStdEncoding.DecodeString(text)
	// The one spelling alone: the decoder passes over ends of lines.
	if !ok || err != nil || len(raw) != KeySize || encode([KeySize]byte(raw)) != value {
		return key, fault.New(fault.KeyLost, "read key", errors.New("the entry is damaged"))
	}
	return [KeySize]byte(raw), nil
}
