package rules

import (
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"hawser/sync/capture"
)

// Set is what the person and the company chose, ready to decide.
type Set struct {
	own       list
	automatic bool
	manual    bool // the company keeps automatic capture off
	since     time.Time
	start     time.Time // of the window
	direction capture.Direction
	folders   map[string]bool // nil: inbox and sent mail
	rules     []rule          // the company's first

	company, personal, internal, free, pass list
	unlocked, freeMail                      bool

	kinds  map[capture.Kind]bool // that may be captured
	words  []phrase
	labels map[string]string // folded to as entered
}

// rule is one line of the list, ready to be held against mails.
type rule struct {
	id            string
	deny, company bool
	from, to      list
	with          list
	direction     capture.Direction
	folders       map[string]bool
	words         []phrase
	files         *bool
	over, under   int64
	kinds         []capture.Kind
	known         *bool
	records       []string
	never         bool // a condition is set that no mail can meet
}

// Compile makes a Set of the choices of the person and the company and the user's own addresses.
// It takes what [Check] would refuse as well: what means nothing allows nothing.
func Compile(c capture.Choices, company capture.Company, own []string) *Set {
	s := &Set{
		own: newList(own), automatic: c.Automatic && !company.Manual, manual: company.Manual, since: c.Since,
		start: c.Since.AddDate(0, 0, -max(c.Days, 0)), direction: c.Direction, folders: names(c.Folders),
		company: newList(company.Block), personal: newList(c.Block), pass: newList(c.Pass),
		unlocked: company.Unlocked, freeMail: c.FreeMail, kinds: map[capture.Kind]bool{},
		words: newPhrases(slices.Concat(company.Words, c.Words)), labels: map[string]string{},
	}
	if c.Since.IsZero() {
		s.start = time.Time{}
	}
	if !s.freeMail {
		s.free = freeMailDomains()
	}
	s.internal = list{domains: map[string]string{}}
	for _, o := range own {
		if a, ok := parse(o); ok {
			if _, free := freeMailDomains().hasDomain(a.domain); !free {
				s.internal.domains[a.domain] = a.domain
			}
		}
	}
	for _, k := range c.Kinds {
		s.kinds[k] = true
	}
	for _, l := range slices.Concat(company.Labels, c.Labels) {
		if text := fold(l); text != "" {
			s.labels[text] = l
		}
	}
	for _, r := range company.Rules {
		s.add(r, true)
	}
	for _, r := range c.Rules {
		s.add(r, false)
	}
	return s
}

func (s *Set) add(r capture.Rule, company bool) {
	if r.Off {
		return
	}
	c := rule{
		id: r.ID, deny: r.Action != capture.Allow, company: company,
		from: newList(r.From), to: newList(r.To), with: newList(r.With),
		direction: r.Direction, folders: names(r.Folders), words: newPhrases(r.Words), files: r.Files,
		over: r.Over, under: r.Under, kinds: r.Kinds, known: r.Known, records: r.Records,
	}
	// A list of which nothing is left must not become no condition at all.
	c.never = len(r.From) > 0 && c.from.empty() || len(r.To) > 0 && c.to.empty() || len(r.With) > 0 && c.with.empty() ||
		len(r.Words) > 0 && len(c.words) == 0
	s.rules = append(s.rules, c)
}

// names makes a set of folder names; nil for none.
func names(folders []string) map[string]bool {
	if len(folders) == 0 {
		return nil
	}
	set := make(map[string]bool, len(folders))
	for _, f := range folders {
		set[folderName(f)] = true
	}
	return set
}

// folderName is the form in which folder names are compared: servers differ in whether case counts.
func folderName(name string) string { return norm.NFC.String(strings.ToLower(name)) }

// Automatic reports whether automatic capture is on.
func (s *Set) Automatic() bool { return s.automatic }

// Since returns when automatic capture was turned on.
func (s *Set) Since() time.Time { return s.since }

// Start returns the beginning of the window of history, which is Since where none was chosen.
func (s *Set) Start() time.Time { return s.start }

// Strict reports whether the company keeps any mail from being captured even where it is marked.
func (s *Set) Strict() bool {
	return !s.unlocked && !s.company.empty() || slices.ContainsFunc(s.rules, func(r rule) bool { return r.company && r.deny })
}

// CountsFiles reports whether a rule is about attachments, so that [Message.Files] is worth its price.
func (s *Set) CountsFiles() bool {
	return slices.ContainsFunc(s.rules, func(r rule) bool { return r.files != nil })
}

// Looks reports whether automatic capture looks into a folder.
func (s *Set) Looks(f capture.Folder) bool {
	if s.folders == nil {
		return f.Role == "inbox" || f.Role == "sent" || f.Role == "" && strings.EqualFold(f.Name, "INBOX")
	}
	return s.folders[folderName(f.Name)]
}

// People returns the addresses that a mail's decision may depend on, each once: everybody in it
// but the user and colleagues.
func (s *Set) People(m Message) []string {
	var all []string
	for _, p := range s.view(&m).others {
		if !s.colleague(p) && !slices.Contains(all, p.asked) {
			all = append(all, p.asked)
		}
	}
	return all
}

// The layers of the block list.
const (
	LayerInternal = "internal"  // the domains of the user's own addresses
	LayerFreeMail = "free-mail" // a list that comes with the program
	LayerCompany  = "company"
	LayerPersonal = "personal"
)

// Entry is one entry of the block list that is in force.
type Entry struct {
	Value  string // an address, or a domain with all below it
	Layer  string
	Locked bool // only the company takes it out
}

// Entries returns the block list, layer by layer, each in alphabetical order. An entry of the
// company or of a built-in list that the person excepts as a whole is not among them.
func (s *Set) Entries() []Entry {
	var all []Entry
	for _, layer := range []struct {
		name   string
		list   list
		locked bool
		passes bool // the person's exceptions count
	}{
		{LayerCompany, s.company, !s.unlocked, s.unlocked},
		{LayerPersonal, s.personal, false, false},
		{LayerInternal, s.internal, false, true},
		{LayerFreeMail, s.free, false, true},
	} {
		var part []Entry
		for _, m := range []map[string]string{layer.list.addresses, layer.list.domains} {
			for key, entered := range m {
				if layer.passes && s.excepted(key) {
					continue
				}
				part = append(part, Entry{entered, layer.name, layer.locked})
			}
		}
		slices.SortFunc(part, func(a, b Entry) int { return strings.Compare(a.Value, b.Value) })
		all = append(all, part...)
	}
	return all
}

func (s *Set) excepted(entry string) bool {
	if a, ok := parse(entry); ok {
		_, ok = s.pass.has(a)
		return ok
	}
	_, ok := s.pass.hasDomain(entry)
	return ok
}
