package salesforcetest

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// ErrLogin is returned by [Approve] when the org refuses username or password.
var ErrLogin = errors.New("login refused")

// Approve signs in as a person with a browser does: it opens authorizeURL, fills the login form,
// presses Allow and opens the callback address, the listener's answer to which ends it.
// client may be nil; its transport is used, its cookie jar is not.
func Approve(ctx context.Context, client *http.Client, authorizeURL, username, password string) error {
	return walk(ctx, client, authorizeURL, map[string]string{"username": username, "password": password, "decision": "approve"})
}

// Deny is Approve with the other button.
func Deny(ctx context.Context, client *http.Client, authorizeURL, username, password string) error {
	return walk(ctx, client, authorizeURL, map[string]string{"username": username, "password": password, "decision": "deny"})
}

// walker is the browser of one sign-in.
type walker struct {
	client *http.Client
	fields map[string]string // what a person types or presses, by name
}

// walk submits form after form until a page has none; fields are what the person fills in.
func walk(ctx context.Context, client *http.Client, address string, fields map[string]string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return fmt.Errorf("cookie jar: %w", err)
	}
	w := &walker{client: &http.Client{Jar: jar}, fields: fields}
	if client != nil {
		w.client.Transport, w.client.Timeout = client.Transport, client.Timeout
	}
	res, body, err := w.open(ctx, "GET", address, nil)
	logins := 0
	for range 6 {
		if err != nil {
			return err
		}
		action, form, found := readForm(body)
		if !found {
			if res.StatusCode >= 400 {
				return fmt.Errorf("sign in: %s answers %d: %s", res.Request.URL.Path, res.StatusCode, pageError(body))
			}
			return nil // the callback's page
		}
		if _, login := form["password"]; login {
			if logins++; logins > 1 {
				return ErrLogin
			}
		}
		for k, v := range w.fields {
			if _, ok := form[k]; ok {
				form.Set(k, v)
			}
		}
		to, parseErr := res.Request.URL.Parse(action)
		if parseErr != nil {
			return fmt.Errorf("form action: %w", parseErr)
		}
		res, body, err = w.open(ctx, "POST", to.String(), form)
	}
	return errors.New("sign in: too many pages")
}

func (w *walker) open(ctx context.Context, method, address string, form url.Values) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", fmt.Errorf("open page: %w", err)
	}
	if method == "POST" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := w.client.Do(req)
	if err != nil {
		return nil, "", fmt.Errorf("open page: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, "", fmt.Errorf("read page: %w", err)
	}
	return res, string(body), nil
}

var (
	formTag  = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	inputTag = regexp.MustCompile(`(?is)<(?:input|button)\b([^>]*)>`)
	nameAttr = regexp.MustCompile(`(?i)\bname="([^"]*)"`)
	valAttr  = regexp.MustCompile(`(?i)\bvalue="([^"]*)"`)
	actAttr  = regexp.MustCompile(`(?i)\baction="([^"]*)"`)
	codeTag  = regexp.MustCompile(`(?is)<code>(.*?)</code>`)
)

// readForm finds the first form of one of this package's pages.
func readForm(page string) (action string, values url.Values, found bool) {
	m := formTag.FindStringSubmatch(page)
	if m == nil {
		return "", nil, false
	}
	values = url.Values{}
	for _, in := range inputTag.FindAllStringSubmatch(m[2], -1) {
		if name := attr(nameAttr, in[1]); name != "" {
			values.Set(name, attr(valAttr, in[1]))
		}
	}
	return attr(actAttr, m[1]), values, true
}

func attr(re *regexp.Regexp, tag string) string {
	if m := re.FindStringSubmatch(tag); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}

func pageError(page string) string {
	if m := codeTag.FindStringSubmatch(page); m != nil {
		return html.UnescapeString(m[1])
	}
	return "no reason given"
}
