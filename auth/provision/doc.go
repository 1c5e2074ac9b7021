// Package provision is the provisioning protocol between hawserd, a company's own server and the
// agents: the JSON that travels, the rules that decide, and both ends of the wire.
//
// [Server] is an http.Handler for everything under /v1. A request has passed its signature check
// before a byte of its body is parsed, and the key's role then decides which calls exist for it.
// What is kept is behind [Store]; this package opens no database and no file. [Client] is the
// agent's end. The protocol knows no subject, no body, no contact and no mail or Salesforce
// access token: of the two id_tokens of a registration, only the ids in them are kept.
//
// Server and Client are safe for concurrent use and start no goroutine of their own.
package provision
