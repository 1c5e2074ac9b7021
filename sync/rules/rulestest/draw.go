package rulestest

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"hawser/sync/capture"
	"hawser/sync/rules"
)

// Now is when the mails of the small world are looked at.
var Now = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// The small world. What looks alike is meant to be told apart.
var (
	own    = []string{"me@acme.example", "mine@acme.example"}
	people = []string{
		"me@acme.example", "ME@Acme.Example", "bob@acme.example", "eve@lab.acme.example", "x@notacme.example",
		"ann@cust.example", "Ann@CUST.example", "carl@sub.cust.example", "joe@gmail.com", "kim@mail.gmail.com", "z@notgmail.com",
		"zoë@bücher.example", "zoë@xn--bcher-kva.example", "spy@rival.example", "s@sub.rival.example", "t@evilrival.example",
	}
	entries = []string{"ann@cust.example", "cust.example", "rival.example", "spy@rival.example", "bücher.example", "joe@gmail.com", "gmail.com", "acme.example"}
	words   = []string{"attorney", "HR", "Offer", "über"}
	texts   = []string{"", "offer", "the attorneys", "an Attorney calls", "thr hr", "chrome", "ÜBER uns", "RE: offer for you"}
	labels  = []string{"Personal", "HR"}
	types   = []string{"Contact", "Lead", "User"}
	folders = []capture.Folder{{Name: "INBOX", Role: "inbox"}, {Name: "Sent", Role: "sent"}, {Name: "Projects"}}
)

// Folders are those of the small world.
func Folders() []capture.Folder { return folders }

// Own are the user's addresses in it.
func Own() []string { return own }

func subset[T any](t *rapid.T, from []T, most int, label string) []T {
	list := rapid.SliceOfN(rapid.SampledFrom(from), 0, most).Draw(t, label)
	if len(list) == 0 {
		return nil
	}
	return list
}

// rarely is true once in n times.
func rarely(t *rapid.T, n int, label string) bool { return rapid.IntRange(1, n).Draw(t, label) == n }

func flag(t *rapid.T, n int, label string) *bool {
	if !rarely(t, n, label) {
		return nil
	}
	b := rapid.Bool().Draw(t, label+" value")
	return &b
}

// maybe draws what most rules leave out.
func maybe[T any](t *rapid.T, n int, from []T, label string) []T {
	if !rarely(t, n, label) {
		return nil
	}
	return rapid.SliceOfN(rapid.SampledFrom(from), 1, 2).Draw(t, label)
}

func drawRule(t *rapid.T, id string) capture.Rule {
	r := capture.Rule{
		ID: id, Off: rarely(t, 8, "off"), Action: capture.Allow,
		From: maybe(t, 5, entries, "from"), To: maybe(t, 8, entries, "to"), With: maybe(t, 4, entries, "with"),
		Words: maybe(t, 10, words, "rule words"), Files: flag(t, 10, "files"), Known: flag(t, 4, "known"),
		Kinds: maybe(t, 12, capture.Kinds, "rule kinds"),
	}
	if rapid.IntRange(0, 2).Draw(t, "deny") == 0 {
		r.Action = capture.Deny
	}
	if rarely(t, 8, "rule folders") {
		r.Folders = []string{rapid.SampledFrom(folders).Draw(t, "rule folder").Name}
	}
	if rarely(t, 8, "rule direction") {
		r.Direction = rapid.SampledFrom([]capture.Direction{capture.Received, capture.SentBy}).Draw(t, "direction")
	}
	if r.Known == nil || *r.Known {
		r.Records = maybe(t, 6, types, "records")
	}
	if rarely(t, 10, "sizes") {
		r.Over, r.Under = 500, 5000
	}
	return r
}

// DrawChoices draws what a person chose.
func DrawChoices(t *rapid.T) capture.Choices {
	c := capture.Choices{
		Automatic: !rarely(t, 10, "off"), Since: Now.Add(-24 * time.Hour), Days: rapid.SampledFrom([]int{0, 7, 30, 90}).Draw(t, "days"),
		Block: maybe(t, 4, entries, "block"), Pass: maybe(t, 4, entries, "pass"), FreeMail: rapid.Bool().Draw(t, "free"),
		Kinds: subset(t, capture.Kinds, 4, "kinds"), Words: maybe(t, 3, words, "words"), Labels: maybe(t, 3, labels, "labels"),
	}
	if rarely(t, 6, "one way") {
		c.Direction = rapid.SampledFrom([]capture.Direction{capture.Received, capture.SentBy}).Draw(t, "only")
	}
	for range len(maybe(t, 3, folders, "folders")) {
		c.Folders = append(c.Folders, rapid.SampledFrom(folders).Draw(t, "folder").Name)
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "rules") {
		c.Rules = append(c.Rules, drawRule(t, fmt.Sprint("r", i)))
	}
	return c
}

// DrawCompany draws what a company chose.
func DrawCompany(t *rapid.T) capture.Company {
	if !rarely(t, 3, "company") {
		return capture.Company{}
	}
	c := capture.Company{
		Block: maybe(t, 2, entries, "company block"), Words: maybe(t, 4, words, "company words"), Labels: maybe(t, 4, labels, "company labels"),
		Unlocked: rapid.Bool().Draw(t, "unlocked"), Manual: rarely(t, 6, "manual"),
	}
	if rapid.Bool().Draw(t, "company rule") {
		c.Rules = []capture.Rule{drawRule(t, "c0")}
	}
	return c
}

func addresses(t *rapid.T, least, most int, label string) (list []capture.Address) {
	for _, a := range rapid.SliceOfN(rapid.SampledFrom(people), least, most).Draw(t, label) {
		list = append(list, capture.Address{Addr: a})
	}
	return list
}

// DrawMessage draws a mail with everything that is to know of it.
func DrawMessage(t *rapid.T) rules.Message {
	f := rapid.SampledFrom(folders).Draw(t, "where")
	h := capture.Header{
		From: addresses(t, 1, 1, "sender"), To: addresses(t, 1, 3, "recipients"), Cc: addresses(t, 0, 1, "copies"),
		Subject: rapid.SampledFrom(texts).Draw(t, "subject"), ContentType: "text/plain",
	}
	if rarely(t, 12, "reply to") {
		h.ReplyTo = addresses(t, 1, 1, "answers to")
	}
	if rarely(t, 10, "private") {
		h.Sensitivity = rapid.SampledFrom([]string{"private", "personal", "company-confidential"}).Draw(t, "sensitivity")
	}
	if rarely(t, 8, "list") {
		h.ListID = "<l.example>"
	}
	if rarely(t, 10, "auto") {
		h.AutoSubmitted = "auto-replied"
	}
	if rarely(t, 8, "special") {
		h.ContentType = rapid.SampledFrom([]string{"multipart/report", "multipart/encrypted", "multipart/mixed"}).Draw(t, "type")
	}
	m := rules.Message{
		Header: h, Folder: f.Name, Role: f.Role, Labels: maybe(t, 6, labels, "carries"),
		Size: rapid.SampledFrom([]int64{100, 1000, 10_000, rules.MaxMail + 1}).Draw(t, "size"), Files: rapid.IntRange(0, 2).Draw(t, "attachments"),
		Received: Now.Add(-time.Duration(rapid.IntRange(0, 40).Draw(t, "age")) * 24 * time.Hour),
		Body:     &rules.Body{Text: rapid.SampledFrom(texts).Draw(t, "text")}, People: map[string][]string{},
	}
	if rarely(t, 8, "invitation") {
		m.Body.Types = []string{"text/plain", "text/calendar"}
	}
	for _, p := range people {
		if rarely(t, 3, "has a record") {
			m.People[plain(p)] = []string{rapid.SampledFrom(types).Draw(t, "record")}
		}
	}
	return m
}

// DrawCase draws a mail and the choices that meet it.
func DrawCase(t *rapid.T) Case {
	return Case{
		Choices: DrawChoices(t), Company: DrawCompany(t), Own: own, Message: DrawMessage(t),
		Mark:     rapid.SampledFrom([]capture.Mark{"", "", "", capture.MarkRule, capture.MarkThread, capture.MarkHand, capture.MarkFolder}).Draw(t, "mark"),
		Followed: rarely(t, 5, "followed"),
	}
}

// Records gives each address of a case's mail its records under the name that the rules ask for.
func (c Case) Records(s *rules.Set) map[string][]string {
	found := map[string][]string{}
	for _, a := range s.People(c.Message) {
		if types := c.Message.People[plain(a)]; types != nil {
			found[a] = types
		}
	}
	return found
}
