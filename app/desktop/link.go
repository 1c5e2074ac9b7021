package desktop

import (
	"errors"
	"net/url"
	"strings"

	"hawser/auth/secret"
)

// Scheme is that of the links which Hawser opens.
const Scheme = "hawser"

// maxLink bounds a link, bytes.
const maxLink = 2048

// ParseLink takes a link that some program or page asked the desktop to open. Anybody can make up
// such links, so that nothing but "hawser://enrol?server=https://…&code=…" passes, with both
// parameters once and nothing else; what the code is worth, the agent finds out. The link holds the
// code, and the error does not repeat it.
func ParseLink(raw string) (secret.String, error) {
	bad := errors.New("parse link: not an enrolment link")
	if len(raw) > maxLink || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return secret.String{}, bad
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != Scheme || u.Host != "enrol" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
		return secret.String{}, bad
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(q) != 2 || len(q["server"]) != 1 || len(q["code"]) != 1 || q.Get("code") == "" {
		return secret.String{}, bad
	}
	server, err := url.Parse(q.Get("server"))
	if err != nil || server.Scheme != "https" || server.Host == "" || server.User != nil || server.RawQuery != "" || server.Fragment != "" ||
		strings.ContainsFunc(server.Host, func(r rune) bool { return r >= 0x7f }) { // the person is shown it, and has to know it again
		return secret.String{}, bad
	}
	return secret.New(raw), nil
}
