// Package server puts hawserd together: the provisioning protocol on a store, behind limits, with
// metrics and an orderly end; and the operator's commands.
//
// It is the only place where the store, the vault, the protocol and the admin page meet. It decides
// nothing about users or devices itself: what may happen is auth/provision's, what is kept is
// store/tenantdb's, and what an admin sees is app/server/admin's.
// [Main] runs one command; "serve" runs until its context ends and returns after every goroutine
// that it started. Commands against a running server's SQLite file go through a socket that only
// the server's user can open.
package server
