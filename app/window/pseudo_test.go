package window

import (
	"encoding/json"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"

	"hawser/app/control"
	"hawser/app/text"
	"hawser/assets"
)

// inPseudo is a catalogue in which every text of the English one went through turn; what is filled
// in, and the signs that numbers are written with, stay.
func inPseudo(t *testing.T, turn func(string) string) func(string) *text.Localizer {
	t.Helper()
	hole := regexp.MustCompile(`{{[^}]*}}`)
	whole := func(s string) string {
		bits, holes := hole.Split(s, -1), hole.FindAllString(s, -1)
		out := turn(bits[0])
		for i, h := range holes {
			out += h + turn(bits[i+1])
		}
		return out
	}
	parts, err := fs.Glob(assets.Translations, "translation/en/*.json")
	if err != nil || len(parts) == 0 {
		t.Fatal(parts, err)
	}
	files := fstest.MapFS{}
	for _, p := range parts {
		raw, err := assets.Translations.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		for id, v := range m {
			switch v := v.(type) {
			case string:
				if !strings.HasPrefix(id, "number.") {
					m[id] = whole(v)
				}
			case map[string]any:
				for form, s := range v {
					v[form] = whole(s.(string))
				}
			}
		}
		if raw, err = json.Marshal(m); err != nil {
			t.Fatal(err)
		}
		files[p] = &fstest.MapFile{Data: raw}
	}
	return func(string) *text.Localizer { return text.From(files, "en") }
}

// accented turns English into a language of its own letters, two fifths longer: each vowel twice.
func accented(s string) string {
	const from, to = "bcdfghjklmnpqrstvwxyz", "ƀçďƒğĥĵķłṁñṗɋŕšťṽŵẋýž"
	var b strings.Builder
	for _, r := range s {
		low := unicode.ToLower(r)
		switch i := strings.IndexRune(from, low); {
		case strings.ContainsRune("aeiou", low):
			v := map[rune]string{'a': "åá", 'e': "éê", 'i': "íî", 'o': "öó", 'u': "üú"}[low]
			b.WriteString(v)
		case i >= 0:
			b.WriteRune([]rune(to)[i])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hebrew turns English into letters that are written from right to left.
func hebrew(s string) string {
	return strings.Map(func(r rune) rune {
		if low := unicode.ToLower(r); low >= 'a' && low <= 'z' {
			return 'א' + (low - 'a')
		}
		return r
	}, s)
}

// foreign are the texts of the fixture: what others wrote, names and addresses, the longest first.
// Words of the protocol, such as a mail's state, are none: nobody may see them.
func foreign(t *testing.T) []string {
	t.Helper()
	agent := busyAgent()
	raw, err := json.Marshal([]any{agent, agent.Previews, agent.Choices, agent.Tried, agent.Causes, busyStatus(), browserSteps, troubled()})
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	known := []string{"Hawser", "English", "Deutsch", "Français", "Español", "日本語", "salary", "merger", "offer", "0.1.0", "Angebot 2231.eml", "Re- Delivery window.eml", "4711-0815", "<canary@example.com>", "hawserd.example", "(internal)"}
	word := regexp.MustCompile(`^[a-z][a-z-]*$`)
	var collect func(any)
	collect = func(v any) {
		switch v := v.(type) {
		case string:
			if strings.ContainsFunc(v, unicode.IsLetter) && !word.MatchString(v) {
				known = append(known, v, oneLine(v), nameOf(v), trimSite(v))
			}
		case []any:
			for _, one := range v {
				collect(one)
			}
		case map[string]any:
			for key, one := range v {
				if key != "type" { // of a record, which has a word of ours
					collect(one)
				}
			}
		}
	}
	collect(tree)
	slices.SortFunc(known, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(known)
}

// size is a number of bytes as people write it.
var size = regexp.MustCompile(`\d[\d.,]* (B|kB|MB|GB|TB)\b`)

// untranslated is what of a text is neither the catalogue's nor the fixture's.
func untranslated(s string, theirs []string) string {
	s = size.ReplaceAllString(s, "")
	for _, one := range theirs {
		s = strings.ReplaceAll(s, one, "")
	}
	return strings.Trim(strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && unicode.IsLetter(r) || r == ' ' {
			return r
		}
		return -1
	}, s), " ")
}

// TestM04EveryTextIsTranslated walks every page in a language without one English letter, two
// fifths longer: whatever is English on screen does not come from the translation files, unless the
// fixture wrote it. Help pages are English in every language. And it all has room at 200 % and at 100 %.
func TestM04EveryTextIsTranslated(t *testing.T) {
	pseudo, theirs := inPseudo(t, accented), foreign(t)
	pages, err := fs.Glob(assets.Help, "help/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var guide strings.Builder
	for _, p := range pages {
		raw, err := assets.Help.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		guide.Write(raw)
	}
	for _, s := range scenes() {
		t.Run(s.name, func(t *testing.T) {
			s.texts, s.text = pseudo, 2
			r := s.play(t)
			found := 0
			for _, root := range r.roots() {
				for _, one := range texts(root) {
					if r.a.page == control.PageHelp && strings.Contains(guide.String(), one.text) {
						continue
					}
					if strings.ContainsAny(one.text, "åéíöü") {
						found++
					}
					if left := untranslated(strings.ReplaceAll(one.text, os.Getenv("HOME"), ""), theirs); left != "" {
						t.Errorf("%T says %q: %q is of no translation file", one.by, one.text, left)
					}
				}
			}
			if found < 4 {
				t.Errorf("only %d texts are of the catalogue", found)
			}
			r.audit(s.name + "-long-200")
			r.a.setLook(Look{Shade: shadeLight, Text: 1})
			r.relax()
			r.audit(s.name + "-long-100")
		})
	}
}

// TestM04AuditFindsWhatIsEnglish keeps the audit from passing everything.
func TestM04AuditFindsWhatIsEnglish(t *testing.T) {
	t.Parallel()
	theirs := foreign(t)
	for text, want := range map[string]string{"Save now": "Save now", accented("Save now"): "", "Nadia Okafor · " + accented("Contact"): "", "Nadia Okafor · Contact": "Contact",
		"needs-you": "needsyou", "21 kB": "", "kB": "kB"} {
		if got := untranslated(text, theirs); got != want {
			t.Errorf("of %q %q is left, want %q", text, got, want)
		}
	}
}

// TestM04RightToLeft shows names and subjects in Hebrew and Arabic, and a catalogue in Hebrew
// letters: every letter arrives, joiners that words are spelled with too, and nothing is cut. Signs
// that would turn the rest of a line round do not.
func TestM04RightToLeft(t *testing.T) {
	const name, subject = "יעל לוי", "הצעה מס׳ 2231: می\u200cخواهم"
	for _, s := range scenes() {
		if !slices.Contains([]string{"guide-code", "home", "capture", "needs-you", "rules", "settings"}, s.name) {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			s.texts, s.text = inPseudo(t, hebrew), 2
			s.agent = busyAgent()
			for i := range s.agent.Mailbox {
				m := &s.agent.Mailbox[i]
				m.From, m.Subject = name+" <yael@example.com>", subject+"\u202e"
				s.agent.Previews[m.Ref] = samplePreview(*m)
			}
			for i := range s.agent.Items {
				s.agent.Items[i].From, s.agent.Items[i].Subject = name+" <yael@example.com>", subject+"\u202e"
			}
			r := s.play(t)
			r.audit(s.name + "-rtl-200")
			var all []string
			for _, root := range r.roots() {
				for _, one := range texts(root) {
					all = append(all, one.text)
					if strings.ContainsRune(one.text, '\u202e') {
						t.Errorf("%q can turn its line round", one.text)
					}
				}
			}
			shown := strings.Join(all, "\n")
			if s.name == "capture" || s.name == "needs-you" {
				for _, want := range []string{name, subject} {
					if !strings.Contains(shown, want) {
						t.Errorf("%q is not shown whole:\n%s", want, shown)
					}
				}
			}
			if !strings.Contains(shown, hebrew("Hawser")) && strings.Count(shown, "א") < 3 {
				t.Errorf("little is in Hebrew letters:\n%s", shown)
			}
		})
	}
}
