// Package text turns ids into the words people read, in their language: messages, faults, dates,
// numbers and sizes.
//
// It owns the look-up in the catalogue that package assets carries and the few rules of each
// language that the catalogue cannot hold. It decides nothing and knows no state. A catalogue
// is read at its first use, once in a process; a [Localizer] is safe for concurrent use.
package text

import (
	"encoding/json"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"hawser/assets"
	"hawser/sync/fault"
)

// fallback is the language of everybody whose own is not there; its catalogue defines which ids exist.
const fallback = "en"

// Localizer speaks one language at a time.
type Localizer struct {
	files fs.FS
	now   atomic.Pointer[spoken]
}

// spoken is the language of a Localizer.
type spoken struct {
	lang string
	load func() *i18n.Localizer
}

// opened holds the catalogue of each language that was spoken, which is read once.
var opened sync.Map // of func() *i18n.Localizer, by language

// New returns a Localizer for lang, given as in "de", "de-AT" or "de_DE.UTF-8". A language without
// a catalogue, "" and "C" speak English. The catalogue is read at the first text.
func New(lang string) *Localizer { return From(assets.Translations, lang) }

// From is [New] for catalogues from elsewhere, such as those of a pseudo-language: files holds
// translation/<language>/<part>.json, English among them.
func From(files fs.FS, lang string) *Localizer {
	l := &Localizer{files: files}
	l.Speak(lang)
	return l
}

// Speak goes on in another language, given as for [New].
func (l *Localizer) Speak(lang string) {
	s := &spoken{lang: choose(lang, languages(l.files))}
	load := any(sync.OnceValue(func() *i18n.Localizer { return open(l.files, s.lang) }))
	if l.files == assets.Translations {
		load, _ = opened.LoadOrStore(s.lang, load)
	}
	s.load = load.(func() *i18n.Localizer)
	l.now.Store(s)
}

// Languages returns the languages that have a catalogue, such as "de", in alphabetical order.
func Languages() []string { return languages(assets.Translations) }

func languages(files fs.FS) []string {
	folders, err := fs.Glob(files, "translation/*")
	if err != nil {
		return nil // only a malformed pattern ends here
	}
	for i, f := range folders {
		folders[i] = strings.TrimPrefix(f, "translation/")
	}
	return folders
}

// Lang returns the language spoken, such as "de".
func (l *Localizer) Lang() string { return l.now.Load().lang }

// T returns the text of id with data filled in. An int in data["Count"] chooses the plural form.
// An id that no catalogue has is returned as it is; tests keep that from happening.
func (l *Localizer) T(id string, data map[string]any) string {
	cfg := &i18n.LocalizeConfig{MessageID: id, TemplateData: data}
	if count, ok := data["Count"].(int); ok {
		cfg.PluralCount = count
	}
	s, err := l.now.Load().load().Localize(cfg)
	if err != nil && s == "" {
		return id
	}
	return s
}

// Everywhere returns the text of an id in every language, by language. The id has no plural and no
// gaps, and stands in the catalogues' named part; nothing else is read.
func Everywhere(part, id string) map[string]string {
	all := map[string]string{}
	for _, lang := range Languages() {
		raw, err := assets.Translations.ReadFile("translation/" + lang + "/" + part + ".json")
		var texts map[string]any
		if err == nil && json.Unmarshal(raw, &texts) == nil { // as in open
			if text, ok := texts[id].(string); ok {
				all[lang] = text
			}
		}
	}
	return all
}

// Fault returns what happened, what it means for the user's data, and the next step. A code that
// the catalogue does not know, such as a newer agent's, gets texts that say so and show it.
func (l *Localizer) Fault(code fault.Code) (title, body, fix string) {
	prefix := "fault." + string(code)
	if l.T(prefix+".title", nil) == prefix+".title" {
		prefix = "fault.unknown"
	}
	data := map[string]any{"Code": string(code)}
	return l.T(prefix+".title", data), l.T(prefix+".body", data), l.T(prefix+".fix", data)
}

// choose returns the catalogue for lang among those there are.
func choose(lang string, there []string) string {
	base, _, _ := strings.Cut(strings.ReplaceAll(lang, "_", "-"), ".")
	tag, err := language.Parse(base)
	if err != nil {
		return fallback
	}
	want, _ := tag.Base()
	for _, have := range there {
		if have == want.String() {
			return have
		}
	}
	return fallback
}

// open reads one catalogue, and English below it. The files are part of the program and a test
// reads them all, so a file that cannot be read leaves its ids as texts instead of an error.
func open(files fs.FS, lang string) *i18n.Localizer {
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("json", json.Unmarshal)
	for _, name := range []string{fallback, lang} {
		parts, _ := fs.Glob(files, "translation/"+name+"/*.json") // see above
		for _, part := range parts {
			if raw, err := fs.ReadFile(files, part); err == nil {
				_, _ = bundle.ParseMessageFileBytes(raw, name+".json")
			}
		}
		if lang == fallback {
			break
		}
	}
	return i18n.NewLocalizer(bundle, lang)
}
