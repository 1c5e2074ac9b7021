package window

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"hawser/assets"
)

// children are the objects that an object is drawn from.
func children(o fyne.CanvasObject) []fyne.CanvasObject {
	switch o := o.(type) {
	case *fyne.Container:
		return o.Objects
	case *container.Scroll:
		return []fyne.CanvasObject{o.Content}
	case fyne.Widget:
		return test.WidgetRenderer(o).Objects()
	}
	return nil
}

// walk visits every visible object below o, until visit says that what is inside does not matter.
func walk(o fyne.CanvasObject, visit func(fyne.CanvasObject) bool) {
	if o == nil || !o.Visible() || !visit(o) {
		return
	}
	for _, c := range children(o) {
		walk(c, visit)
	}
}

// said is a text on screen.
type said struct {
	text string
	by   fyne.CanvasObject
}

// texts are all texts on screen, whole: not line by line.
func texts(o fyne.CanvasObject) []said {
	var out []said
	add := func(by fyne.CanvasObject, all ...string) bool {
		for _, s := range all {
			s = strings.ReplaceAll(s, string(softBreak), "")
			if strings.ContainsFunc(s, unicode.IsLetter) {
				out = append(out, said{s, by})
			}
		}
		return false
	}
	walk(o, func(o fyne.CanvasObject) bool {
		switch o := o.(type) {
		case *widget.Label:
			return add(o, o.Text)
		case *button:
			return add(o, o.Text)
		case *check:
			return add(o, o.Text)
		case *choice:
			return add(o, append([]string{o.Selected, o.PlaceHolder}, o.Options...)...)
		case *field:
			return add(o, o.PlaceHolder, o.Text)
		case *widget.RadioGroup:
			return add(o, o.Options...)
		case *widget.RichText: // the pages of help
			return false
		case *canvas.Text:
			return add(o, o.Text)
		}
		return true
	})
	return out
}

// catalogue matches every text that the catalogue of a language can give.
func catalogueOf(t *testing.T, lang string) *regexp.Regexp {
	t.Helper()
	parts, err := fs.Glob(assets.Translations, "translation/"+lang+"/*.json")
	if err != nil || len(parts) == 0 {
		t.Fatal(parts, err)
	}
	hole := regexp.MustCompile(`{{\.\w+}}`)
	var all []string
	add := func(s string) {
		if !strings.ContainsFunc(hole.ReplaceAllString(s, ""), unicode.IsLetter) {
			return // nothing but holes would match everything
		}
		bits := hole.Split(s, -1)
		for i := range bits {
			bits[i] = regexp.QuoteMeta(bits[i])
		}
		all = append(all, strings.Join(bits, `(?s:.*?)`))
	}
	for _, p := range parts {
		raw, err := assets.Translations.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		for _, v := range m {
			switch v := v.(type) {
			case string:
				add(v)
			case map[string]any:
				for _, f := range v {
					add(fmt.Sprint(f))
				}
			}
		}
	}
	return regexp.MustCompile(`^(?:` + strings.Join(all, `|`) + `)$`)
}

// foreign are texts of the fixture: what others wrote, names and addresses.
func foreign(t *testing.T) func(string) bool {
	t.Helper()
	raw, err := json.Marshal([]any{busyAgent(), busyStatus()})
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"": true, "Hawser": true, "English": true, "Deutsch": true, "Salesforce": true,
		"Linux": true, "Windows": true, "macOS": true}
	var collect func(any)
	collect = func(v any) {
		switch v := v.(type) {
		case string:
			known[oneLine(v)], known[nameOf(v)] = true, true
			known[v] = true
		case []any:
			for _, one := range v {
				collect(one)
			}
		case map[string]any:
			for k, one := range v {
				known[k] = true
				collect(one)
			}
		}
	}
	collect(tree)
	pages, err := fs.Glob(assets.Help, "help/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages { // of which there are no others yet
		raw, err := assets.Help.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(raw), "\n")
		known[strings.TrimPrefix(first, "# ")] = true
	}
	for _, s := range browserSteps {
		known[s.URL] = true
	}
	unit := regexp.MustCompile(`^[\d.,  ]+ (B|[kK]B|MB|GB)$|^\d+$`)
	return func(s string) bool { return known[s] || unit.MatchString(s) }
}

// allowed reports whether a text is the catalogue's, the fixture's, or put together from such by
// the signs that put things together.
func allowed(s string, ours *regexp.Regexp, theirs func(string) bool) bool {
	if theirs(s) || ours.MatchString(s) {
		return true
	}
	if rest := strings.TrimLeft(s, "0123456789.:, 年月日"); rest != s && allowed(rest, ours, theirs) {
		return true // a date
	}
	for _, sep := range []string{" · ", ": ", ", ", "  "} {
		if a, b, ok := strings.Cut(s, sep); ok && (allowed(a, ours, theirs) || !strings.ContainsFunc(a, unicode.IsLetter)) && allowed(b, ours, theirs) {
			return true
		}
	}
	// A fault is told as title, body and fix in one paragraph.
	for i, r := range s {
		if r == ' ' && i > 0 && strings.ContainsAny(s[i-1:i], ".?!)") && ours.MatchString(s[:i]) && allowed(s[i+1:], ours, theirs) {
			return true
		}
		if end := i + len("。"); r == '。' && end < len(s) && ours.MatchString(s[:end]) && allowed(strings.TrimLeft(s[end:], " "), ours, theirs) {
			return true
		}
	}
	for _, bracket := range []string{" (", "（"} {
		if head, _, detail := strings.Cut(s, bracket); detail && ours.MatchString(head) {
			return true
		}
	}
	return false
}

// TestM03M04German200 walks every page in German with text at 200 %: no text is neither of the German
// catalogue nor what others wrote, and nothing has less room than it needs.
func TestM03M04German200(t *testing.T) { everyPage(t, "de") }

// TestM03M04Japanese200 does so in Japanese, whose lines end without spaces.
func TestM03M04Japanese200(t *testing.T) {
	needFont(t, "ja")
	everyPage(t, "ja")
}

func everyPage(t *testing.T, lang string) {
	ours, theirs := catalogueOf(t, lang), foreign(t)
	for _, s := range scenes() {
		t.Run(s.name, func(t *testing.T) {
			pictures(t, s, lang)
			s.lang, s.text = lang, 2
			r := s.play(t)
			r.shot(s.name + "-" + lang + "-200")
			for _, root := range append([]fyne.CanvasObject{r.a.win.Content()}, r.a.win.Canvas().Overlays().List()...) {
				found := texts(root)
				if len(found) < 4 {
					t.Fatalf("only %d texts", len(found))
				}
				for _, one := range found {
					if !allowed(one.text, ours, theirs) {
						t.Errorf("%T says %q, which is not of the catalogue", one.by, one.text)
					}
				}
				roomy(t, r, root)
			}
		})
	}
}

// pictures draws a scene in the other shades and sizes too, where pictures are kept.
func pictures(t *testing.T, s scene, lang string) {
	if os.Getenv("HAWSER_SHOTS") == "" {
		return
	}
	for _, v := range []stage{{lang: "en"}, {lang: lang}, {lang: lang, shade: shadeDark}} {
		s.lang, s.shade = v.lang, v.shade
		s.play(t).shot(fmt.Sprintf("%s-%s%s", s.name, v.lang, v.shade))
	}
}

// roomy fails for each object below root that has less room than it needs, or pushes past the edge.
func roomy(t *testing.T, r *rig, root fyne.CanvasObject) {
	t.Helper()
	right := r.a.win.Canvas().Size().Width + 1
	walk(root, func(o fyne.CanvasObject) bool {
		if s, ok := o.(*container.Scroll); ok && s.Content.MinSize().Width > s.Size().Width+1 && s.Direction != container.ScrollHorizontalOnly {
			t.Errorf("what scrolls is %.0f wide, where there are %.0f", s.Content.MinSize().Width, s.Size().Width)
		}
		text, own := "", false
		switch o := o.(type) {
		case *row: // one line of what others wrote, which ends in an ellipsis
			return false
		case *widget.Label:
			text, own = o.Text, o.Truncation != fyne.TextTruncateOff
		case *button:
			text = o.Text
		case *check:
			text = o.Text
		case *choice:
			text = o.Selected
		case *widget.RichText:
			text = o.String()
		default:
			return true
		}
		if own || text == "" {
			return false
		}
		min, size := o.MinSize(), o.Size()
		if size.Width+1 < min.Width || size.Height+1 < min.Height {
			t.Errorf("%T %q has %v and needs %v", o, text, size, min)
		}
		if min.Width < size.Width-1 {
			return false // it takes the room that others made
		}
		if at := r.a.fyne.Driver().AbsolutePositionForObject(o); at.X+size.Width > right || at.X < -1 {
			t.Errorf("%T %q reaches from %.0f to %.0f of %.0f", o, text, at.X, at.X+size.Width, right-1)
		}
		return false
	})
}
