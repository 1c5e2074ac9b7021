package agent

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"hawser/app/cli"
	"hawser/app/config"
	"hawser/assets"
	"hawser/auth/oauth"
	"hawser/auth/provision"
	"hawser/auth/secret"
)

// wanted are the pages there have to be.
var wanted = []string{"configuration", "design", "desktop", "google-admin", "hawserd", "joining", "marking-mail", "microsoft-admin", "other-imap", "privacy", "rules", "salesforce-admin", "signing-in", "status"}

// forEverybody are the pages for people who know nothing of programs.
var forEverybody = []string{"desktop", "joining", "marking-mail", "privacy", "rules", "signing-in", "status"}

// elsewhere is what pages name that is not ours: other programs' commands, servers and settings.
var elsewhere = []string{
	"login.salesforce.com", ".force.com", "https://acme.my.site.com/partners", "https://acme.my.salesforce.com",
	"http://127.0.0.1", "http://localhost", "imap.gmail.com:993", "HTTPS_PROXY", "NO_PROXY", "adminconsent",
}

func helpPage(t *testing.T, name string) string {
	t.Helper()
	raw, err := assets.Help.ReadFile("help/" + name + ".md")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func hawserSays(t *testing.T, args ...string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	code := cli.Main(t.Context(), cli.Env{Args: args, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, ControlDir: "/nonexistent", Lang: "en", Version: "test"})
	return out.String(), code
}

func TestEveryHelpPageIsReachable(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(assets.Help, "help/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".md"))
	}
	if !slices.Equal(names, wanted) {
		t.Errorf("pages %q, want %q", names, wanted)
	}
	list, _ := hawserSays(t, "help")
	for _, name := range names {
		title, _, _ := strings.Cut(strings.TrimPrefix(helpPage(t, name), "# "), "\n")
		if !regexp.MustCompile(`(?m)^  ` + name + ` +` + regexp.QuoteMeta(title) + `$`).MatchString(list) {
			t.Errorf("hawser help does not list %s", name)
		}
		shown, code := hawserSays(t, "help", name)
		if code != 0 || !strings.Contains(shown, title+"\n"+strings.Repeat("=", utf8.RuneCountInString(title))) {
			t.Errorf("hawser help %s: exit code %d\n%s", name, code, shown)
		}
		for _, line := range strings.Split(shown, "\n") {
			address := strings.HasPrefix(line, "    ") && strings.Contains(line, "://") // cannot be broken
			if utf8.RuneCountInString(line) > 80 && !address || strings.Contains(line, "`") || strings.Contains(line, "](") || strings.Contains(line, "**") {
				t.Errorf("%s prints %q", name, line)
			}
		}
	}
}

var (
	fence  = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")
	span   = regexp.MustCompile("`([^`\n]+)`")
	link   = regexp.MustCompile(`\]\(([^)]+)\)`)
	quoted = regexp.MustCompile(`“([^”]+)”`)
	// callback finds the registered addresses in the code: tests of the package have others in use.
	callback = regexp.MustCompile(`http://localhost:[0-9]+/callback`)
	setting  = regexp.MustCompile(`^(salesforce|mail|capture|trust|desktop)\.[a-zA-Z]+$`)
	word     = regexp.MustCompile(`^[a-z][a-z-]*$`)
)

// TestHelpPagesNameWhatExists holds every word in code type to the code: commands and their flags,
// settings, scopes, callback addresses, fault codes, files.
func TestHelpPagesNameWhatExists(t *testing.T) {
	t.Parallel()
	src := shipped(t)
	named := map[string]bool{}
	for _, name := range wanted {
		text := helpPage(t, name)
		for _, f := range fence.FindAllStringSubmatch(text, -1) {
			for _, line := range strings.Split(f[2], "\n") {
				if strings.HasPrefix(line, "hawser ") || strings.HasPrefix(line, "http") {
					named[line] = true
					check(t, src, name, line)
				}
			}
		}
		for _, m := range span.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			named[m[1]] = true
			check(t, src, name, m[1])
		}
	}
	for _, must := range slices.Concat(settings(), callback.FindAllString(src, -1), oauth.NewSalesforce("", "", nil).Scopes) {
		if !named[must] {
			t.Errorf("no page names %s", must)
		}
	}
}

// check holds one thing that a page names to the code.
func check(t *testing.T, src, page, what string) {
	t.Helper()
	switch {
	case strings.HasPrefix(what, "hawser "):
		checkCommand(t, page, strings.Fields(what)[1:])
	case strings.HasPrefix(what, "hawserd "): // looked for where its commands are
	case strings.HasPrefix(what, "--"):
		if help, _ := hawserSays(t, "help"); !strings.Contains(help, what) {
			t.Errorf("%s: no option %s goes with every command", page, what)
		}
	case setting.MatchString(what):
		if !slices.Contains(settings(), what) {
			t.Errorf("%s: there is no setting %s", page, what)
		}
	case strings.HasPrefix(what, "http://localhost:"):
		if !slices.Contains(callback.FindAllString(src, -1), what) {
			t.Errorf("%s: %s is no callback", page, what)
		}
	case slices.Contains(elsewhere, what), slices.Contains(scopes(), what):
	case !strings.Contains(src, `"`+what) && !strings.Contains(src, what+`"`) && !regexp.MustCompile(`\b`+regexp.QuoteMeta(what)+`\b`).MatchString(src):
		t.Errorf("%s: nothing in the code is called %s", page, what)
	}
}

// checkCommand runs the help of a command that a page shows, and finds each of its flags there.
func checkCommand(t *testing.T, page string, args []string) {
	t.Helper()
	var words []string
	for _, a := range args {
		if !word.MatchString(a) {
			break
		}
		words = append(words, a)
	}
	if words[0] == "help" {
		if out, code := hawserSays(t, words...); code != 0 {
			t.Errorf("%s: hawser %s: %s", page, strings.Join(words, " "), out)
		}
		return
	}
	help, code := "", 2
	for n := min(len(words), 2); n > 0 && code != 0; n-- { // the rest are arguments
		help, code = hawserSays(t, append([]string{"help"}, words[:n]...)...)
		if code == 0 && n == 1 && len(words) > 1 && !regexp.MustCompile(`(?m)^  hawser .*\b`+words[1]+`\b`).MatchString(help) {
			code = 2
		}
	}
	if code != 0 {
		t.Errorf("%s: there is no command hawser %s", page, strings.Join(args, " "))
	}
	for _, a := range args {
		if strings.HasPrefix(a, "--") && !strings.Contains(help, a) {
			t.Errorf("%s: hawser %s has no option %s", page, words[0], a)
		}
	}
}

// settings are the keys of config.json.
func settings() []string {
	var keys []string
	top := reflect.TypeFor[config.Config]()
	for i := range top.NumField() {
		f := top.Field(i)
		if !f.IsExported() {
			continue
		}
		for _, inner := range reflect.VisibleFields(f.Type) {
			if key, _, _ := strings.Cut(inner.Tag.Get("json"), ","); !inner.Anonymous {
				keys = append(keys, f.Tag.Get("json")+"."+key)
			}
		}
	}
	return keys
}

func scopes() []string {
	return slices.Concat(oauth.NewSalesforce("", "", nil).Scopes, oauth.NewGoogle("", secret.String{}).Scopes, oauth.NewMicrosoft("", "x").Scopes)
}

// shipped is the shipped code and the Salesforce package, without tests.
func shipped(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, dir := range []string{"app", "auth", "sync", "store", "assets/salesforce"} {
		err := filepath.WalkDir(filepath.Join("../..", dir), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "testdata" || strings.HasSuffix(d.Name(), "test")):
				return filepath.SkipDir
			case d.IsDir() || strings.HasSuffix(path, "_test.go") || !strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, ".xml"):
				return nil
			}
			raw, err := os.ReadFile(path)
			all.Write(raw)
			all.WriteString(path + "\n")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

func TestHelpPagesLinkToPages(t *testing.T) {
	t.Parallel()
	linked := map[string]bool{}
	for _, name := range wanted {
		for _, m := range link.FindAllStringSubmatch(helpPage(t, name), -1) {
			to, ok := strings.CutSuffix(m[1], ".md")
			if file, ok := strings.CutPrefix(m[1], "picture/"); ok {
				if _, err := assets.HelpPicture(file); err != nil {
					t.Errorf("%s shows %s: %v", name, m[1], err)
				}
				continue
			}
			switch u, err := url.Parse(m[1]); {
			case ok && slices.Contains(wanted, to):
				linked[to] = true
			case ok, err != nil, u.Scheme != "https":
				t.Errorf("%s links to %s", name, m[1])
			}
		}
	}
	if len(linked) < 4 {
		t.Errorf("only %v are linked to", linked)
	}
}

// TestHelpPagesShowSettingsThatLoad loads every example of config.json.
func TestHelpPagesShowSettingsThatLoad(t *testing.T) {
	t.Parallel()
	examples := 0
	for _, name := range wanted {
		for _, f := range fence.FindAllStringSubmatch(helpPage(t, name), -1) {
			if f[1] != "json" {
				continue
			}
			examples++
			if name == "hawserd" {
				checkPolicy(t, []byte(f[2]))
				continue
			}
			if strings.Contains(f[2], `"enforced"`) {
				m, err := config.ParseManaged([]byte(f[2]), name)
				c, none := config.Load("", m)
				if _, ignored := c.Under(config.Policy{}); err != nil || none != nil || len(ignored) > 0 || c.Company.Key == "" {
					t.Errorf("%s: %v, %v, ignored %q", name, err, none, ignored)
				}
				continue
			}
			path := filepath.Join(t.TempDir(), "config.json")
			if err := os.WriteFile(path, []byte(f[2]), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := config.Load(path, config.Managed{})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			p := mailProvider(c.Mail)
			if want := map[string]oauth.Kind{"google-admin": oauth.Google, "microsoft-admin": oauth.Microsoft}[name]; p.Kind != want {
				t.Errorf("%s: the mailbox is taken for one of kind %d, want %d", name, p.Kind, want)
			}
		}
	}
	if examples < 4 {
		t.Errorf("only %d examples", examples)
	}
}

// checkPolicy holds an example of a policy to what agents follow.
func checkPolicy(t *testing.T, text []byte) {
	t.Helper()
	var doc provision.PolicyDocument
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		t.Errorf("policy: %v", err)
	}
	c, ignored := config.Config{}.Under(config.Policy{Settings: doc.Settings, Locked: doc.Locked})
	if len(ignored) > 0 || c.Lacks() != "" {
		t.Errorf("policy: %v is ignored, %q is missing", ignored, c.Lacks())
	}
}

// TestHelpPagesQuoteOurWords finds texts on the pages for everybody that no program of ours says.
func TestHelpPagesQuoteOurWords(t *testing.T) {
	t.Parallel()
	parts, err := fs.Glob(assets.Translations, "translation/en/*.json")
	if err != nil || len(parts) == 0 {
		t.Fatal(parts, err)
	}
	catalogue := map[string]any{}
	var texts []byte
	for _, part := range parts {
		raw, err := assets.Translations.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, raw...)
		if err := json.Unmarshal(raw, &catalogue); err != nil {
			t.Fatal(err)
		}
	}
	placeholder := regexp.MustCompile(`\\\{\\\{[^}]*\\\}\\\}`)
	var patterns []*regexp.Regexp
	for _, v := range catalogue {
		forms, ok := v.(map[string]any)
		if !ok {
			forms = map[string]any{"other": v}
		}
		for _, text := range forms {
			patterns = append(patterns, regexp.MustCompile(`(?s)^`+placeholder.ReplaceAllString(regexp.QuoteMeta(text.(string)), `.*?`)+`$`))
		}
	}
	src := shipped(t) + string(texts)
	for _, name := range forEverybody {
		for _, m := range quoted.FindAllStringSubmatch(fence.ReplaceAllString(helpPage(t, name), ""), -1) {
			says := func(p *regexp.Regexp) bool { return p.String() != "(?s)^.*?$" && p.MatchString(m[1]) }
			if !strings.Contains(src, m[1]) && !slices.ContainsFunc(patterns, says) {
				t.Errorf("%s quotes “%s”, which Hawser does not say", name, m[1])
			}
		}
	}
}
