package reqsig

// TenantID names the tenant that a request was proven to come from. Its field is private, so a
// value that names a tenant comes out of [Verifier.Verify] or of the one door for the operator,
// [Operator]. Every store method that touches a tenant's rows takes one: a query across tenants
// does not compile. The zero value names no tenant, and a store finds nothing for it.
type TenantID struct{ id string }

// Operator names a tenant without a signature: for hawserd's own command line, for an admin
// session that was proven through OIDC, and for tests. A test of this package holds its callers
// to app/server, the store that implements the protocol, and test code.
func Operator(id string) TenantID { return TenantID{id: id} }

// String returns the tenant's row id; "" for the zero value.
func (t TenantID) String() string { return t.id }

// IsZero reports whether t names no tenant.
func (t TenantID) IsZero() bool { return t.id == "" }
