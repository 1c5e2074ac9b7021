package oauth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/gofrs/flock"

	"hawser/auth/secret"
)

// handOverLife is how long another process may take the access token over.
const handOverLife = time.Minute

// announce says, for as long as the lock returned is held, that this process waits for one that
// refreshes. Without it nothing is handed over, which costs a refresh of its own.
func (t *Tokens) announce(ctx context.Context) *flock.Flock {
	f := flock.New(t.waitingPath(), flock.SetPermissions(lockFileMode))
	if _, err := f.TryRLockContext(ctx, lockPoll); err != nil && ctx.Err() == nil {
		t.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "waiting not announced", slog.Any("err", err))
	}
	return f
}

// awaited reports whether another process waits for this one.
func (t *Tokens) awaited() bool {
	if _, err := os.Stat(t.waitingPath()); err != nil { // nobody ever waited
		return false
	}
	f := flock.New(t.waitingPath(), flock.SetPermissions(lockFileMode))
	alone, err := f.TryLock()
	return errors.Join(err, f.Close()) == nil && !alone
}

func (t *Tokens) waitingPath() string { return t.cfg.Lock + ".waiting" }

// note is the sealed content of the hand-over file.
type note struct {
	Key      string    `json:"key"`
	Access   string    `json:"access"`
	Got      time.Time `json:"got"`
	Expiry   time.Time `json:"expiry,omitzero"`
	APIBase  string    `json:"apiBase,omitempty"`
	Fallback string    `json:"fallback,omitempty"`
}

func (t *Tokens) handOverPath() string { return t.cfg.Lock + ".handover" }

// seal returns the AEAD for a refresh token. Whoever has that token could get an access token
// anyway, so the file gives nothing away that its reader does not have.
func (t *Tokens) seal(refresh secret.String) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(refresh.Reveal()), nil, "hawser token hand-over 1 "+t.cfg.Provider.TokenURL, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// handOver leaves the access token for processes that wait for the lock, when some do. It failing
// costs them a refresh of their own.
func (t *Tokens) handOver(ctx context.Context, key string, refresh secret.String, h held) {
	if !t.awaited() {
		t.dropHandOver(ctx) // what a killed process left
		return
	}
	apiBase, fallback := t.Hosts()
	plain, err := json.Marshal(note{Key: key, Access: h.token.Reveal(), Got: h.got, Expiry: h.expiry, APIBase: apiBase, Fallback: fallback})
	if err == nil {
		var box cipher.AEAD
		if box, err = t.seal(refresh); err == nil {
			err = os.WriteFile(t.handOverPath(), box.Seal(nil, nil, plain, nil), lockFileMode)
		}
	}
	if err != nil {
		t.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "access token not handed over", slog.Any("err", err))
	}
}

// takeOver uses what another process got while this one waited for the lock. The last to wait
// removes it.
func (t *Tokens) takeOver(ctx context.Context, key string, stale, refresh secret.String) (secret.String, bool) {
	sealed, err := os.ReadFile(t.handOverPath())
	if err != nil {
		return secret.String{}, false
	}
	box, err := t.seal(refresh)
	if err != nil {
		return secret.String{}, false
	}
	plain, err := box.Open(nil, nil, sealed, nil)
	if err != nil { // of an older refresh token, or half written
		return secret.String{}, false
	}
	var n note
	now := t.cfg.Now()
	if json.Unmarshal(plain, &n) != nil || n.Key != key || now.Sub(n.Got).Abs() > handOverLife {
		return secret.String{}, false
	}
	h := held{token: secret.New(n.Access), got: n.Got, expiry: n.Expiry}
	if !h.good(now, stale) {
		return secret.String{}, false
	}
	t.mu.Lock()
	t.access[key], t.apiBase, t.fallback = h, n.APIBase, n.Fallback
	t.mu.Unlock()
	if !t.awaited() {
		t.dropHandOver(ctx)
	}
	t.cfg.Log.LogAttrs(ctx, slog.LevelDebug, "access token taken over")
	return h.token, true
}

func (t *Tokens) dropHandOver(ctx context.Context) {
	if err := os.Remove(t.handOverPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "hand-over not removed", slog.Any("err", err))
	}
}
