package window

import (
	"bytes"
	"fmt"
	"image"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"hawser/app/control"
)

// focusables are what the keyboard should reach below the objects in view.
func focusables(roots []fyne.CanvasObject) []fyne.Focusable {
	var out []fyne.Focusable
	for _, root := range roots {
		walk(root, func(o fyne.CanvasObject) bool {
			f, ok := o.(fyne.Focusable)
			if d, dis := o.(fyne.Disableable); ok && !(dis && d.Disabled()) {
				out = append(out, f)
			}
			return !ok
		})
	}
	return out
}

// TestM01KeyboardReachesEverything goes round every page with the Tab key alone: all that can be worked
// is reached, and nothing keeps the focus.
func TestM01KeyboardReachesEverything(t *testing.T) {
	seen := map[string]bool{} // kinds of widgets whose focus was seen
	for _, s := range scenes() {
		if strings.HasSuffix(s.name, "-none") || strings.HasSuffix(s.name, "-trouble") {
			continue // they have what others have
		}
		t.Run(s.name, func(t *testing.T) {
			s.lang = "en"
			r := s.play(t)
			c := r.a.win.Canvas()
			roots := []fyne.CanvasObject{r.a.win.Content()}
			if top := c.Overlays().Top(); top != nil {
				roots = []fyne.CanvasObject{top}
			}
			want := focusables(roots)
			if len(want) == 0 {
				t.Fatal("nothing can be worked")
			}
			c.Unfocus()
			reached := map[fyne.Focusable]bool{}
			for range len(want) + 2 {
				c.FocusNext()
				f := c.Focused()
				if f == nil {
					t.Fatal("the focus is lost")
				}
				reached[f] = true
				inView(t, roots[0], f)
				visibleFocus(t, c, f, seen)
			}
			for _, f := range want {
				if !reached[f] {
					t.Errorf("the Tab key does not reach %T %v", f, nameFocus(f))
				}
			}
		})
	}
}

// inView fails when what has the focus is scrolled out of view.
func inView(t *testing.T, root fyne.CanvasObject, f fyne.Focusable) {
	t.Helper()
	d, o := fyne.CurrentApp().Driver(), f.(fyne.CanvasObject)
	around, _ := scrollsTo(root, o)
	for _, s := range around {
		y, high := d.AbsolutePositionForObject(o).Y-d.AbsolutePositionForObject(s).Y, s.Size().Height
		if y < 0 || y+min(o.Size().Height, high/2) > high {
			t.Errorf("%T %q has the focus out of view: at %v of %v", f, nameFocus(f), y, high)
		}
	}
}

func nameFocus(f fyne.Focusable) string {
	switch f := f.(type) {
	case *button:
		return f.Text
	case *navItem:
		return f.name
	}
	return ""
}

// visibleFocus fails when a kind of widget looks the same with the focus and without.
func visibleFocus(t *testing.T, c fyne.Canvas, f fyne.Focusable, seen map[string]bool) {
	t.Helper()
	kind := fmt.Sprintf("%T", f)
	if _, ok := f.(*widget.PopUpMenu); ok {
		return // it has nothing but the focus, and shows which line Enter would choose
	}
	if b, ok := f.(*button); ok {
		kind += fmt.Sprint(b.Importance)
	}
	if seen[kind] {
		return
	}
	with := pixels(t, c.Capture())
	c.Unfocus()
	without := pixels(t, c.Capture())
	c.Focus(f)
	if !bytes.Equal(with, without) {
		seen[kind] = true // one that is scrolled out of view may look the same; one in view decides
		return
	}
	at := fyne.CurrentApp().Driver().AbsolutePositionForObject(f.(fyne.CanvasObject))
	if size := f.(fyne.CanvasObject).Size(); at.Y >= 0 && at.Y+size.Height < c.Size().Height-90 {
		t.Errorf("%s looks the same with the focus and without", kind)
	}
}

func pixels(t *testing.T, img image.Image) []byte {
	t.Helper()
	n, ok := img.(*image.NRGBA)
	if !ok {
		t.Fatalf("a picture of %T", img)
	}
	return n.Pix
}

// press sends keys to what has the focus.
func (r *rig) press(keys ...fyne.KeyName) {
	for _, k := range keys {
		switch k {
		case fyne.KeyTab:
			r.a.win.Canvas().FocusNext()
		default:
			if f := r.a.win.Canvas().Focused(); f != nil {
				f.TypedKey(&fyne.KeyEvent{Name: k})
			}
		}
	}
}

// focus gives the focus to the button of a text, as the Tab key would.
func (r *rig) focus(text string) *button {
	r.t.Helper()
	roots := []fyne.CanvasObject{r.a.win.Content()}
	if top := r.a.win.Canvas().Overlays().Top(); top != nil {
		roots = []fyne.CanvasObject{top}
	}
	for _, f := range focusables(roots) {
		if b, ok := f.(*button); ok && b.Text == text {
			r.a.win.Canvas().Focus(b)
			return b
		}
	}
	r.t.Fatalf("no button says %q", text)
	return nil
}

// hit presses the button of a text with the keyboard.
func (r *rig) hit(text string) {
	r.t.Helper()
	r.focus(text)
	r.press(fyne.KeyReturn)
}

// onButton fails when the keyboard is not on the button of a text, without anybody having led it there.
func (r *rig) onButton(text string) {
	r.t.Helper()
	if b, ok := r.a.win.Canvas().Focused().(*button); !ok || b.Text != text {
		r.t.Errorf("the keyboard is on %v, not on %q", r.a.win.Canvas().Focused(), text)
	}
}

// TestM01FirstRunByKeyboard plays a newcomer from the code to the end, with keys alone: rows A01 and D01.
func TestM01FirstRunByKeyboard(t *testing.T) {
	r := newRig(t, stage{lang: "en", agent: busyAgent(), status: &control.Status{State: control.NotEnrolled}})
	r.until("the first run", func() bool { return r.a.guide != nil && r.a.guide.step == stepCode })
	for _, f := range focusables([]fyne.CanvasObject{r.a.guide.place}) {
		if e, ok := f.(*field); ok {
			for _, c := range "hawser-code-1" {
				e.TypedRune(c)
			}
		}
	}
	r.hit("Continue")
	r.told("enrol hawser-code-1")
	r.agent.Set(*freshStatus(false, false))
	r.until("Salesforce", func() bool { return r.a.guide.step == stepSalesforce })
	r.hit("Sign in to Salesforce")
	r.told("signin salesforce")
	r.agent.Set(*freshStatus(true, false))
	r.until("the mailbox", func() bool { return r.a.guide.step == stepMail })
	r.hit("Sign in to your mailbox")
	r.told("signin mail")
	r.agent.Set(*freshStatus(true, true))
	r.until("the company", func() bool { return r.a.guide.step == stepWait })
	r.agent.Set(busyStatus())
	r.until("what to save", func() bool { return r.a.guide.step == stepChoose })
	r.settle()
	r.onButton("See what that would save")
	r.press(fyne.KeyReturn)
	r.told("dry-run 7")
	r.settle()
	if n := count(r.agent.Calls(), "choose"); n != 0 {
		t.Fatalf("choices were put to use %d times before the person agreed", n)
	}
	r.onButton("Turn it on")
	r.press(fyne.KeyReturn)
	r.told("choose")
	r.until("the end", func() bool { return r.a.guide.step == stepDone })
	r.hit("Open Hawser")
	if r.a.guide != nil {
		t.Error("the first run covers the window still")
	}
	var known bool
	for _, rule := range r.agent.Choices.Choices.Rules {
		known = known || rule.Known != nil && *rule.Known
	}
	if c := r.agent.Choices.Choices; !c.Automatic || c.Since.IsZero() || !known {
		t.Errorf("in use: %+v", c)
	}
}

// told waits until the agent was told something.
func (r *rig) told(call string) {
	r.t.Helper()
	r.until(fmt.Sprintf("%q; told %q", call, r.agent.Calls()), func() bool {
		if count(r.agent.Calls(), call) > 0 {
			return true
		}
		r.settle()
		return count(r.agent.Calls(), call) > 0
	})
}

// TestShortcuts opens pages and grows text with keys.
func TestShortcuts(t *testing.T) {
	r := newRig(t, stage{lang: "en", agent: busyAgent()})
	for i, p := range control.Pages {
		r.a.open(control.PageHome)
		test.TapCanvas(r.a.win.Canvas(), fyne.NewPos(600, 5))
		r.shortcut(fyne.KeyName(fmt.Sprint(i + 1)))
		if r.a.page != p {
			t.Errorf("Ctrl+%d opens %q, want %q", i+1, r.a.page, p)
		}
	}
	r.shortcut(fyne.KeyPlus)
	r.shortcut(fyne.KeyPlus)
	if r.a.look.Text != textSteps[2] || r.a.fyne.Preferences().Float(prefText) == 0 {
		t.Errorf("text is %v", r.a.look.Text)
	}
	r.shortcut(fyne.Key0)
	if r.a.look.Text != 1 {
		t.Errorf("text is %v", r.a.look.Text)
	}
}

// TestFocusStays moves a rule with the keyboard, twice: the focus stays on the arrow. Escape closes
// what is over the page, whatever has the focus.
func TestFocusStays(t *testing.T) {
	r := newRig(t, stage{lang: "en", page: control.PageRules, agent: busyAgent()})
	p := r.a.current().(*rulesPage)
	r.until("the rules", func() bool { return p.loaded })
	var arrows []*button
	for _, f := range focusables([]fyne.CanvasObject{p.parts["rules"]}) {
		if b, ok := f.(*button); ok && b.Icon == fyne.Resource(glyphDown) {
			arrows = append(arrows, b)
		}
	}
	if len(arrows) == 0 {
		t.Fatal("no arrows")
	}
	r.a.win.Canvas().Focus(arrows[0])
	r.press(fyne.KeyReturn)
	if b, ok := r.a.win.Canvas().Focused().(*button); !ok || b == arrows[0] || p.draft.Rules[1].ID != "r1" {
		t.Fatalf("the focus is on %v, the rules are %v", r.a.win.Canvas().Focused(), p.draft.Rules)
	}
	r.press(fyne.KeyReturn)
	if p.draft.Rules[0].ID != "r1" && p.draft.Rules[1].ID != "r1" && p.draft.Rules[2].ID != "r1" {
		t.Errorf("the rules are %v", p.draft.Rules)
	}
	editRule(r)
	if _, ok := r.a.win.Canvas().Focused().(*field); !ok {
		t.Errorf("the focus is on %T", r.a.win.Canvas().Focused())
	}
	r.press(fyne.KeyEscape)
	if r.a.over != nil {
		t.Error("Escape does not close the rule")
	}
}
