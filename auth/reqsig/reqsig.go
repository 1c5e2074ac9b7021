// Package reqsig signs HTTP requests and verifies them: one strict profile of HTTP Message
// Signatures (RFC 9421) with HMAC-SHA-256 and Content-Digest (RFC 9530).
//
// The profile has no options. A request carries exactly one signature, labelled sig1, over
// exactly "@method" "@authority" "@path" "@query" "content-digest" "content-type", with exactly
// the parameters created, nonce, keyid, alg and tag. [Sign] makes one; [Verifier.Verify] checks
// in an order that gives nothing away: bounds, key, window, MAC, digest, nonce. [Transport] is
// the client's side, and learns from the answers' Date when its own clock is wrong.
//
// The package is a leaf: keys come from a [KeySource], used nonces are kept by a [NonceStore].
// Verifier and Transport are safe for concurrent use; nothing here starts a goroutine.
package reqsig

import (
	"context"
	"time"
)

// The profile's bounds.
const (
	Window   = 300 * time.Second // how far a request's time may be from the server's, both ways
	Keep     = 2 * Window        // how long a nonce is remembered after the request's own time
	Tag      = "hawser-v1"
	MinKey   = 16 // bytes of a secret
	MaxKeyID = 64 // characters of A-Z a-z 0-9 _ -
	MinNonce = 22 // characters of base64url without padding: 128 bits and more
	MaxNonce = 64
)

// Role is what kind of key signed. Its meaning belongs to the protocol; here it is passed on.
type Role string

// Key is what a [KeySource] knows of one key id.
type Key struct {
	Tenant   string // row id of the tenant the key belongs to
	Role     Role
	Secret   []byte    // at least MinKey bytes
	NotAfter time.Time // from this moment on the key is as good as unknown; zero: no end
	Record   any       // what else the source knows of the key; handed on in [Verified]
}

// KeySource finds keys. Implementations are safe for concurrent use.
type KeySource interface {
	// Key returns the key with that id. ok is false when there is none or it may not be used any
	// more; an error means that the source could not say, and the request is refused with 503.
	Key(ctx context.Context, id string) (k Key, ok bool, err error)
}

// Recaller is a [KeySource] that remembers keys. A request whose MAC is right with a remembered key
// costs no look into the store; every other one does, so that its time says nothing about keys.
type Recaller interface {
	// Recall returns a key that Key found before and that has not changed since, as far as is known
	// after the latest Use of a nonce of its tenant. It costs the same for any id.
	Recall(id string) (k Key, ok bool)
	// Holds reports whether what Recall returned is still known to be so.
	Holds(k Key) bool
}

// KeyRef is a key of a tenant.
type KeyRef struct {
	Tenant TenantID
	ID     string
}

// NonceStore remembers used nonces, durably and for all servers that share the keys.
type NonceStore interface {
	// Use records that the key used the nonce, and reports whether this was the first time. Of
	// any number of parallel calls with the same key and nonce exactly one is first. The record
	// must last until expires at least, across restarts. The same nonce under another key is
	// another nonce. After an error nothing is known, and the request is refused.
	Use(ctx context.Context, key KeyRef, nonce string, expires time.Time) (first bool, err error)
}
