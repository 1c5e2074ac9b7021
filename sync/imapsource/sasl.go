package imapsource

import (
	"net"
	"strings"

	"hawser/auth/secret"
)

// bearer is the client side of the two ways to sign in with an access token: XOAUTH2 (Google,
// "OAuth 2.0 Mechanism") and OAUTHBEARER (RFC 7628).
type bearer struct {
	mechanism string
	user      string
	addr      string // host:port, part of OAUTHBEARER
	token     secret.String
	challenge []byte // the server's reason for a refusal, JSON
}

// Start implements the library's SASL client.
func (b *bearer) Start() (mechanism string, initial []byte, err error) {
	if b.mechanism == "XOAUTH2" {
		return b.mechanism, []byte("user=" + b.user + "\x01auth=Bearer " + b.token.Reveal() + "\x01\x01"), nil
	}
	host, port, err := net.SplitHostPort(b.addr)
	if err != nil {
		return "", nil, err
	}
	user := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(b.user)
	return b.mechanism, []byte("n,a=" + user + ",\x01host=" + host + "\x01port=" + port +
		"\x01auth=Bearer " + b.token.Reveal() + "\x01\x01"), nil
}

// Next implements the library's SASL client. The only challenge is the reason for a refusal. The
// answer is one byte (RFC 7628 section 3.2.3): an empty one is sent as "=", which servers refuse
// as bad base64 instead of telling the real reason.
func (b *bearer) Next(challenge []byte) ([]byte, error) {
	b.challenge = append([]byte(nil), challenge...)
	return []byte{1}, nil
}
