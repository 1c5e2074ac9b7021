package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
)

// shortcut presses a key with Ctrl, or Cmd on macOS.
func (r *rig) shortcut(key fyne.KeyName) {
	r.t.Helper()
	c, ok := r.a.win.Canvas().(fyne.Shortcutable)
	if !ok {
		r.t.Fatalf("%T takes no shortcuts", r.a.win.Canvas())
	}
	c.TypedShortcut(&desktop.CustomShortcut{KeyName: key, Modifier: fyne.KeyModifierShortcutDefault})
	r.settle()
}
