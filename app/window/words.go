package window

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"unicode"

	"fyne.io/fyne/v2/lang"

	"hawser/sync/fault"
)

// unbroken closes French quotation marks up. Fyne breaks lines at spaces that must not be broken
// at, and would leave a mark alone at the end of a line.
var unbroken = strings.NewReplacer("«\u00a0", "«", "«\u202f", "«", "\u00a0»", "»", "\u202f»", "»")

// menuWords are the texts in which Fyne asks for words of its own, in the menu of a field, with our
// ids.
var menuWords = map[string]string{"Cut": "window.menu-cut", "Copy": "window.menu-copy", "Paste": "window.menu-paste",
	"Select all": "window.menu-all", "Undo": "window.menu-undo", "Redo": "window.menu-redo"}

// teach lets Fyne's own words be those of the language chosen. Fyne follows the desktop's language
// alone, so they are put in the place of that one's.
func (a *app) teach() {
	words, known := map[string]string{}, true
	for theirs, id := range menuWords {
		words[theirs] = a.t(id)
		known = known && lang.L(theirs) == words[theirs]
	}
	if known {
		return
	}
	raw, err := json.Marshal(words)
	if err == nil {
		err = lang.AddTranslationsForLocale(raw, lang.SystemLocale())
	}
	if err != nil {
		a.cfg.Log.Warn("words of the menu", slog.Any("err", err))
	}
}

// oneLine keeps a text that somebody else wrote from looking like more than a line, and from
// turning the direction of what stands beside it. The joiners that Persian, Indic scripts and emoji
// are spelled with stay.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r == '\u200c' || r == '\u200d':
			return r
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
}

// nameOf is the name in "Name <address>", or all of it where there is none.
func nameOf(from string) string {
	if name, _, ok := strings.Cut(from, " <"); ok && strings.TrimSpace(name) != "" {
		return oneLine(strings.Trim(name, `"`))
	}
	return oneLine(from)
}

// sorry says what went wrong and what to do, in one paragraph.
func (a *app) sorry(err error) string {
	title, body, fix := a.told(faultOf(err))
	return sentences(title, body, fix)
}

// told is a fault in words: its title has the detail, or the code where support asks for it.
func (a *app) told(f *fault.Error) (title, body, fix string) {
	title, body, fix = a.loc.Fault(f.Code)
	switch {
	case f.Detail != "":
		title += " (" + oneLine(f.Detail) + ")"
	case f.Code.Class() == fault.Bug:
		title += " (" + string(f.Code) + ")"
	}
	return title, body, fix
}

// faultOf is the fault in err; one that is none counts as internal.
func faultOf(err error) *fault.Error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	return fault.New(fault.Internal, "window", err)
}
