package window

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"hawser/app/text"
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

// roots are what is on screen: the window, and what lies over it.
func (r *rig) roots() []fyne.CanvasObject {
	return append([]fyne.CanvasObject{r.a.win.Content()}, r.a.win.Canvas().Overlays().List()...)
}

// TestM03M04NothingIsCut walks every page with text at 200 %: every text has the room it needs, and no
// two lie over each other. German has the longest words and Japanese the widest; with CI=true all
// languages are walked, at 100 % too, as is a pseudo-language in each run. Where HAWSER_SHOTS names a
// folder, a picture of each is kept there.
func TestM03M04NothingIsCut(t *testing.T) {
	shots := os.Getenv("HAWSER_SHOTS") != ""
	all := shots || os.Getenv("CI") == "true"
	languages := []string{"de", "ja"}
	if all {
		languages = text.Languages()
	}
	for _, lang := range languages {
		for _, s := range scenes() {
			t.Run(lang+"/"+s.name, func(t *testing.T) {
				needFont(t, lang)
				s.lang, s.text = lang, 2
				r := s.play(t)
				r.audit(fmt.Sprintf("%s-%s-200", s.name, lang))
				if !all {
					return
				}
				r.a.setLook(Look{Shade: shadeLight, Text: 1})
				r.relax()
				r.audit(fmt.Sprintf("%s-%s-100", s.name, lang))
				if shots {
					r.a.setLook(Look{Shade: shadeDark, Text: 1})
					r.shot(fmt.Sprintf("%s-%s-dark", s.name, lang))
					r.a.setLook(Look{Shade: shadeDark, Contrast: contrastHigh, Text: 1})
					r.shot(fmt.Sprintf("%s-%s-contrast", s.name, lang))
				}
			})
		}
	}
}

// audit looks for what is cut in the window as it is, and keeps its picture.
func (r *rig) audit(name string) {
	r.t.Helper()
	r.shot(name)
	for _, root := range r.roots() {
		if found := texts(root); len(found) < 3 {
			r.t.Fatalf("%s: only %d texts", name, len(found))
		}
		roomy(r, root)
		apart(r, root)
	}
}
