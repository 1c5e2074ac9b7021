package window

import (
	"fyne.io/fyne/v2"

	"hawser/app/control"
)

// calendar is the place of availability, which is not set up yet.
type calendar struct{ all fyne.CanvasObject }

func newCalendar(a *app) screen {
	return &calendar{all: page(a.t("window.page-calendar"), a.t("window.calendar-purpose"),
		card(empty(glyphCalendar, a.t("window.calendar-empty"), a.t("window.calendar-empty-body"))))}
}

func (c *calendar) object() fyne.CanvasObject { return c.all }

// show implements screen.
func (c *calendar) show(control.Status) {}
