package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"
)

// edge is the room that what has the focus keeps from the edge of what scrolls around it.
const edge = 8

// reveal scrolls what has got the focus into view: the Tab key goes below the fold too.
func reveal(o fyne.CanvasObject) {
	d := fyne.CurrentApp().Driver()
	c := d.CanvasForObject(o)
	if c == nil {
		return
	}
	root := c.Content()
	if top := c.Overlays().Top(); top != nil {
		root = top
	}
	around, _ := scrollsTo(root, o)
	for _, s := range around {
		y, high := d.AbsolutePositionForObject(o).Y-d.AbsolutePositionForObject(s).Y, o.Size().Height
		at := s.Offset
		switch {
		case y < edge:
			at.Y += y - edge
		case y+high > s.Size().Height-edge:
			at.Y += min(y-edge, y+high+edge-s.Size().Height) // of what is too high, the top
		default:
			continue
		}
		s.ScrollToOffset(at)
	}
}

// scrollsTo are the scrolling areas between root and o, the innermost first; false where o is not
// below root.
func scrollsTo(root, o fyne.CanvasObject) ([]*container.Scroll, bool) {
	if root == o {
		return nil, true
	}
	switch root := root.(type) {
	case *fyne.Container:
		for _, child := range root.Objects {
			if list, ok := scrollsTo(child, o); ok {
				return list, true
			}
		}
	case *container.Scroll:
		if list, ok := scrollsTo(root.Content, o); ok {
			return append(list, root), true
		}
	case *container.ThemeOverride:
		return scrollsTo(root.Content, o)
	case *widget.PopUp:
		return scrollsTo(root.Content, o)
	}
	return nil, false
}
