// Package admin is the page on which a company's own admins look after its users: under /admin/ on
// hawserd's public port, without a script.
//
// An admin signs in with a Salesforce account at one of the company's sites (OpenID Connect, code
// with PKCE, state and nonce); what may be seen and done is decided by the rules of auth/provision
// and the rows of its store, and written to the same audit log. The session is a sealed cookie, so
// replicas share it; at every request the store is asked again whether its owner is an admin, of
// which group, and has not signed out. The tenant comes out of the session and from nowhere else.
// The access token that comes with a sign-in is given back at once: the page shows what computers
// report of themselves, never a mail and never a token.
//
// A [Page] is an http.Handler, safe for concurrent use. It starts no goroutine and keeps no state
// between requests.
package admin
