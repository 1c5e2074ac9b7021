// Package config knows where Hawser keeps its files and what it was told to do.
//
// Environment variables are read here and nowhere else, through a function that main hands in;
// everything below receives plain values. Values are read once at start and never change, so
// they are safe for concurrent use.
package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"hawser/sync/capture"
	"hawser/sync/fault"
)

// maxFile bounds the configuration file, bytes.
const maxFile = 1 << 20

// Config is what Hawser was told to do. [Load] returns what this computer says, [Config.Under] what
// is left of it under a company's policy.
type Config struct {
	Salesforce Salesforce `json:"salesforce"`
	Mail       Mail       `json:"mail"`
	Capture    Capture    `json:"capture"`
	Trust      Trust      `json:"trust"`
	Company    Company    `json:"company"`
	Desktop    Desktop    `json:"desktop"`

	said    layer            // what config.json says, by key
	managed Managed          // what the computer's administrators say
	places  map[string]place // where the values in force come from, by key
}

// Salesforce says where and as which app the user signs in.
type Salesforce struct {
	Site     string `json:"site"`     // login base: Experience Cloud site with its path, or My Domain
	ClientID string `json:"clientId"` // consumer key of the External Client App
	// DailyCalls is how many API calls this agent may make a day; 0 is the default of 100.
	DailyCalls int `json:"dailyCalls,omitempty"`
}

// Mail says where the mailbox is and how to sign in to it.
type Mail struct {
	Issuer       string   `json:"issuer"` // OpenID Connect issuer
	ClientID     string   `json:"clientId"`
	ClientSecret string   `json:"clientSecret,omitempty"` // public by nature where a provider demands one
	Scopes       []string `json:"scopes"`
	IMAP         string   `json:"imap"` // host:port, implicit TLS
}

// Capture says how the user marks mail, and what the company decided about capture.
type Capture struct {
	Folder  string `json:"folder,omitempty"`  // default "Salesforce"
	Keyword string `json:"keyword,omitempty"` // default "$Salesforce"
	capture.Company
}

// Desktop says how Hawser behaves on the user's desktop, until the user says otherwise.
type Desktop struct {
	StartAtLogin *bool `json:"startAtLogin,omitempty"`
	Notices      *bool `json:"notices,omitempty"` // default true
}

// Trust widens whom Hawser talks to, for companies with their own domains and certificates.
type Trust struct {
	Hosts  []string `json:"hosts,omitempty"`  // host names outside Salesforce's own endings that may serve the site
	CAFile string   `json:"caFile,omitempty"` // PEM, in addition to the system's roots
}

// Company says which backend registers this computer, for companies that roll it out with the
// program. A policy does not change it.
type Company struct {
	Server string `json:"server,omitempty"` // "https://hawserd.example.com"
	Key    string `json:"key,omitempty"`    // deployment key; without one, each user needs a code
}

// Load reads and checks the file and puts it between what is enforced and what is preset on this
// computer. A file that is not there says nothing. Any problem is a fault with code config-invalid
// whose Detail names the line or the key.
func Load(path string, m Managed) (Config, error) {
	raw, err := read(path)
	if err != nil {
		return Config{}, err
	}
	return parse(raw, m)
}

func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return []byte("{}"), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if info.Size() > maxFile {
		return nil, invalid("the file is larger than 1 MB")
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return raw, nil
}

func parse(raw []byte, m Managed) (Config, error) {
	var own Config
	if err := strict(raw, &own); err != nil {
		return Config{}, invalid(position(raw, err))
	}
	c, err := Config{said: flatten(raw), managed: m}.under(nil, nil)
	if err != nil {
		return Config{}, invalid(position(raw, err))
	}
	return c, c.check()
}

var errMore = errors.New("there is text after the closing brace")

// strict reads one JSON object and refuses keys that mean nothing.
func strict(raw []byte, into *Config) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errMore
	}
	return nil
}

// fill gives what was not said its default.
func (c *Config) fill() {
	if c.Capture.Folder == "" {
		c.Capture.Folder = "Salesforce"
	}
	if c.Capture.Keyword == "" {
		c.Capture.Keyword = "$Salesforce"
	}
	if c.Salesforce.DailyCalls == 0 {
		c.Salesforce.DailyCalls = 100
	}
}

// Lacks returns the first key without which nobody can sign in, "" when there is all that is needed.
func (c Config) Lacks() string {
	for _, f := range []struct{ key, value string }{
		{"salesforce.site", c.Salesforce.Site}, {"salesforce.clientId", c.Salesforce.ClientID},
		{"mail.issuer", c.Mail.Issuer}, {"mail.clientId", c.Mail.ClientID}, {"mail.imap", c.Mail.IMAP},
	} {
		if strings.TrimSpace(f.value) == "" {
			return f.key
		}
	}
	return ""
}

// check names the first key that cannot work. Where nothing is said of the two accounts, a company
// says it, also one that the user joins later.
func (c Config) check() error {
	if key := c.Lacks(); key != "" && c.Company.Server == "" && (c.Salesforce.Site != "" || c.Mail.Issuer != "") {
		return invalid("“" + key + "” is missing")
	}
	if c.Mail.IMAP != "" {
		if _, _, err := net.SplitHostPort(c.Mail.IMAP); err != nil {
			return invalid("“mail.imap” must be host:port")
		}
	}
	if strings.ContainsAny(c.Capture.Keyword, " (){%*\"\\]") {
		return invalid("“capture.keyword” may not contain spaces or any of ( ) { % * \" \\ ]")
	}
	if c.Capture.MaxLevel != "" && !c.Capture.MaxLevel.Known() {
		return invalid("“capture.maxLevel” must be headers, subject, text or files")
	}
	if c.Salesforce.DailyCalls < 0 {
		return invalid("“salesforce.dailyCalls” may not be negative")
	}
	return nil
}

func invalid(detail string) error {
	f := fault.New(fault.ConfigInvalid, "read configuration", nil)
	f.Detail = detail
	return f
}

// position says where in raw a JSON error is, in words.
func position(raw []byte, err error) string {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		line := 1 + bytes.Count(raw[:min(int(syntax.Offset), len(raw))], []byte("\n"))
		return fmt.Sprintf("line %d is not JSON", line)
	case errors.As(err, &typ):
		return fmt.Sprintf("“%s” must be a %s", typ.Field, typ.Type)
	case errors.Is(err, errMore):
		return errMore.Error()
	default:
		return strings.TrimPrefix(err.Error(), "json: ")
	}
}

// Dirs are the folders of one profile.
type Dirs struct {
	Config  string // config.json
	State   string // queue.db, logs
	Runtime string // control socket, locks
}

// ConfigFile returns the path of the configuration file.
func (d Dirs) ConfigFile() string { return filepath.Join(d.Config, "config.json") }

// Create makes the folders, readable by their owner alone.
func (d Dirs) Create() error {
	for _, dir := range []string{d.Config, d.State, d.Runtime} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	return nil
}
