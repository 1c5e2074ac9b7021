package provision

import (
	"errors"
	"net"
	"net/url"
	"strings"

	"hawser/auth/secret"
)

// Link is an enrolment that fits into one address, for a mail of the company to its user:
// "hawser://enrol?code=...&server=...".
type Link struct {
	Server string // "https://hawserd.example.com"
	Code   Credential
}

// Text writes the link. It holds the code.
func (l Link) Text() secret.String {
	v := url.Values{"server": {l.Server}, "code": {l.Code.Text().Reveal()}}
	return secret.New("hawser://enrol?" + v.Encode())
}

// ParseLink reads a link. The error does not repeat its text.
func ParseLink(text string) (Link, error) {
	bad := errors.New("parse link: not an enrolment link")
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme != "hawser" || u.Host != "enrol" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
		return Link{}, bad
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(q) != 2 || len(q["server"]) != 1 || len(q["code"]) != 1 {
		return Link{}, bad
	}
	server, err := checkServer(q.Get("server"))
	if err != nil {
		return Link{}, err
	}
	code, err := ParseCredential(q.Get("code"))
	if err != nil || !strings.HasPrefix(code.ID, idCode) {
		return Link{}, bad
	}
	return Link{Server: server, Code: code}, nil
}

// checkServer returns the address of a hawserd without a slash at its end.
func checkServer(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return "", errors.New("server address: not https://host")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !net.ParseIP(u.Hostname()).IsLoopback()) {
		return "", errors.New("server address: not https")
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}
