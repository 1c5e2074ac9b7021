package provision

import "crypto/rand"

// The first letter of an id says what it is of; the rest is 26 random characters of base32,
// 130 bits.
const (
	idTenant = "n_"
)

// NewTenantID returns a fresh row id for a tenant.
func NewTenantID() string { return idTenant + rand.Text() }
