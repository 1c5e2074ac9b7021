package oauthtest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// Browser is a pretend browser with a pretend person: it fills the login form, unticks scopes,
// presses Allow or Deny, and follows the redirect to the callback. It works by element id
// (#username #password, #approve #deny), so it suits any pretend login page that uses those.
type Browser struct {
	Client   *http.Client // default: a new one with a cookie jar
	User     string
	Password string
	Deny     bool
	Untick   []string // scopes that are not granted
}

// Approve signs user in at authorizeURL, allows everything and visits the callback. It fails
// when the last page is not a success.
func Approve(ctx context.Context, client *http.Client, authorizeURL, user, pass string) error {
	status, text, err := (&Browser{Client: client, User: user, Password: pass}).Visit(ctx, authorizeURL)
	if err != nil {
		return err
	}
	if status >= http.StatusBadRequest {
		return fmt.Errorf("sign-in ended with status %d: %.200s", status, text)
	}
	return nil
}

// Visit opens a page, answers the forms it knows, and returns the status and the HTML of the
// page where it ended.
func (b *Browser) Visit(ctx context.Context, address string) (status int, page string, err error) {
	client := b.Client
	if client == nil {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return 0, "", err
		}
		client = &http.Client{Jar: jar}
		defer client.CloseIdleConnections()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, "", err
	}
	for range 6 {
		resp, err := client.Do(req)
		if err != nil {
			return 0, "", err
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		_ = resp.Body.Close()
		if err != nil {
			return 0, "", err
		}
		form := b.fill(string(body))
		if form == nil || resp.StatusCode >= http.StatusBadRequest {
			return resp.StatusCode, string(body), nil
		}
		target, err := resp.Request.URL.Parse(form.action)
		if err != nil {
			return 0, "", err
		}
		req, err = http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(form.values.Encode()))
		if err != nil {
			return 0, "", err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return 0, "", fmt.Errorf("the login pages never end")
}

type filled struct {
	action string
	values url.Values
}

// fill reads the first form of a page and answers it; nil when it is no login or consent form.
func (b *Browser) fill(page string) *filled {
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return nil
	}
	f := filled{values: url.Values{}}
	known := false
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		name, id, value := attr(n, "name"), attr(n, "id"), attr(n, "value")
		switch {
		case n.Data == "form":
			f.action = attr(n, "action")
		case id == "username":
			f.values.Set(name, b.User)
		case id == "password":
			f.values.Set(name, b.Password)
			known = true
		case id == "approve" && !b.Deny, id == "deny" && b.Deny:
			f.values.Set(name, value)
			known = true
		case n.Data == "input" && attr(n, "type") == "hidden":
			f.values.Set(name, value)
		case n.Data == "input" && attr(n, "type") == "checkbox" && has(n, "checked") && !slices.Contains(b.Untick, value):
			f.values.Add(name, value)
		}
	}
	if !known {
		return nil
	}
	return &f
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
}
