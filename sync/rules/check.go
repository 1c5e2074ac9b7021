package rules

import (
	"fmt"
	"slices"
	"strings"

	"hawser/sync/capture"
	"hawser/sync/fault"
)

// Bounds of what a person or a company may choose, far above what people write and far below
// what would cost time with each mail.
const (
	MaxRules  = 500
	MaxValues = 10_000 // of one list of addresses
	MaxTexts  = 1000   // words, labels or folders of one list: each word is looked for in each text
	maxValue  = 320    // bytes: a local part, @ and a domain (RFC 3696)
)

func refuse(detail string) error {
	f := fault.New(fault.Usage, "check rules", nil)
	f.Detail = detail
	return f
}

// Check reports the first thing in a person's choices that means nothing. The fault is Usage; its
// Detail names the line as the rule file has it, such as `rules[2].from[0]: "ann at example"`.
func Check(c capture.Choices) error {
	var ch checker
	ch.rules("rules", c.Rules)
	ch.addresses("block", c.Block)
	ch.addresses("pass", c.Pass)
	ch.texts("folders", c.Folders)
	ch.texts("words", c.Words)
	ch.texts("labels", c.Labels)
	ch.kinds("kinds", c.Kinds)
	ch.direction("only", c.Direction)
	if !slices.Contains([]int{0, 7, 30, 90}, c.Days) {
		ch.bad("days", c.Days)
	}
	ch.content(c.Content)
	seen := map[string]bool{}
	for i, o := range c.Order {
		if seen[o] || o != "Contact" && o != "Lead" && o != "User" {
			ch.bad(fmt.Sprintf("order[%d]", i), o)
		}
		seen[o] = true
	}
	return ch.err
}

// CheckCompany is Check for what a company chooses.
func CheckCompany(c capture.Company) error {
	var ch checker
	ch.rules("rules", c.Rules)
	ch.addresses("block", c.Block)
	ch.texts("words", c.Words)
	ch.texts("labels", c.Labels)
	if c.MaxLevel != "" && !c.MaxLevel.Known() {
		ch.bad("maxLevel", c.MaxLevel)
	}
	return ch.err
}

// checker keeps the first thing that is wrong.
type checker struct{ err error }

func (ch *checker) bad(path string, value any) {
	if ch.err == nil {
		ch.err = refuse(fmt.Sprintf("%s: %s", path, shown(value)))
	}
}

func shown(value any) string {
	text := fmt.Sprint(value)
	if len(text) > maxValue {
		text = strings.ToValidUTF8(text[:maxValue], "") + "…"
	}
	return fmt.Sprintf("%q", text)
}

func (ch *checker) rules(path string, rules []capture.Rule) {
	if len(rules) > MaxRules {
		ch.bad(path, fmt.Sprintf("> %d", MaxRules))
		return
	}
	seen := map[string]bool{}
	for i, r := range rules {
		at := fmt.Sprintf("%s[%d]", path, i)
		if !plainID(r.ID) || seen[r.ID] {
			ch.bad(at+".id", r.ID)
		}
		seen[r.ID] = true
		ch.rule(at, r)
	}
}

// plainID keeps ids out of trouble: they are stored, logged and named in commands.
func plainID(id string) bool {
	return id != "" && len(id) <= 64 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}

func (ch *checker) rule(at string, r capture.Rule) {
	if r.Action != capture.Allow && r.Action != capture.Deny {
		ch.bad(at+".action", r.Action)
	}
	if len(r.Name) > maxValue {
		ch.bad(at+".name", r.Name)
	}
	ch.addresses(at+".from", r.From)
	ch.addresses(at+".to", r.To)
	ch.addresses(at+".with", r.With)
	ch.direction(at+".direction", r.Direction)
	ch.texts(at+".folders", r.Folders)
	ch.texts(at+".words", r.Words)
	ch.texts(at+".records", r.Records)
	ch.kinds(at+".kinds", r.Kinds)
	if r.Over < 0 {
		ch.bad(at+".over", r.Over)
	}
	if r.Under < 0 || r.Under > 0 && r.Over >= r.Under {
		ch.bad(at+".under", r.Under)
	}
	if r.Known != nil && !*r.Known && len(r.Records) > 0 { // nobody has a record, and somebody has one
		ch.bad(at+".records", strings.Join(r.Records, ", "))
	}
}

func (ch *checker) direction(path string, d capture.Direction) {
	if d != "" && d != capture.Received && d != capture.SentBy {
		ch.bad(path, d)
	}
}

func (ch *checker) kinds(path string, kinds []capture.Kind) {
	for i, k := range kinds {
		if !slices.Contains(capture.Kinds, k) {
			ch.bad(fmt.Sprintf("%s[%d]", path, i), k)
		}
	}
}

func (ch *checker) texts(path string, list []string) {
	ch.each(path, list, MaxTexts, func(s string) bool { return fold(strings.Trim(s, "* ")) != "" })
}

func (ch *checker) addresses(path string, list []string) { ch.each(path, list, MaxValues, meaningful) }

func (ch *checker) each(path string, list []string, most int, ok func(string) bool) {
	if len(list) > most {
		ch.bad(path, fmt.Sprintf("> %d", most))
		return
	}
	for i, s := range list {
		if len(s) > maxValue || !ok(s) {
			ch.bad(fmt.Sprintf("%s[%d]", path, i), s)
		}
	}
}

// meaningful reports whether an entry is an address or a domain of at least two labels: "com" alone
// would be half the world.
func meaningful(entry string) bool {
	host := ""
	if a, ok := parse(entry); ok && a.local != "*" {
		if strings.ContainsAny(a.local, " \t\r\n<>,;@*") {
			return false
		}
		host = a.domain
	} else {
		host = domainEntry(entry)
	}
	labels := strings.Split(host, ".")
	return len(labels) > 1 && !slices.ContainsFunc(labels, func(l string) bool {
		return l == "" || strings.ContainsFunc(l, func(r rune) bool { return r <= ' ' || strings.ContainsRune(`@/\,:;<>()[]"'*?`, r) })
	})
}

func (ch *checker) content(c capture.Content) {
	if c.Level != "" && !c.Level.Known() {
		ch.bad("content.level", c.Level)
	}
	if c.Files != "" && c.Files != capture.FilesAsk && c.Files != capture.FilesAlways && c.Files != capture.FilesNever {
		ch.bad("content.files", c.Files)
	}
	if c.FileMax < 0 {
		ch.bad("content.fileMax", c.FileMax)
	}
	if c.FilesMax < 0 {
		ch.bad("content.filesMax", c.FilesMax)
	}
}
