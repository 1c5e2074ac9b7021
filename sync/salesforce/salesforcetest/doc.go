// Package salesforcetest is a pretend Salesforce org that speaks the wire: real HTTP, real OAuth
// pages, the REST API with its error shapes, limits and oddities as far as saving mail reaches.
//
// An [Org] is an http.Handler; its zero value works. It answers as two hosts of one server: the
// Experience Cloud site http://localhost:PORT/partners and the instance http://127.0.0.1:PORT.
// It keeps everything in memory, knows one org and one site, and shares data with no other Org.
// It misbehaves on request (see the methods of chaos.go). It is no client and imports none.
//
// Configuration fields are read before the first request and must not change afterwards; every
// method is safe for concurrent use with requests. One mutex guards the data: hooks
// run while it is held and must not call the Org. The Org starts no goroutine of its own.
package salesforcetest
