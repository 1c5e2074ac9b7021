// Package dovecottest runs a real Dovecot for tests, and a link that can be cut.
//
// Its job: one [Server] per call of [Start], in a temporary directory, on loopback, over TLS, with
// XOAUTH2 and OAUTHBEARER by introspection against a small HTTP server of its own; tools to fill
// its mailboxes; a [Proxy] that cuts, stalls and slows a connection. Its border: test-only, and
// no IMAP library: it speaks the few commands it needs itself. It needs Dovecot 2.3
// (/usr/sbin/dovecot, Debian's dovecot-imapd).
//
// Concurrency: all methods are safe for concurrent use; everything started ends with the test.
package dovecottest
