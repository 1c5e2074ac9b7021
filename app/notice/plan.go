// Package notice tells the person at the computer what needs them, and is quiet otherwise.
//
// [Causes] reads troubles from the one status, [Plan] decides which of them are due, both pure; a
// [Notifier] performs that over a [Screen], the notifications of an operating system. There is one
// notice for each cause, however many mails it concerns, again after an hour, after six, and then
// daily; the end of a cause closes its notice. A notice is made of a cause and a number, so that no
// name, subject or text of a mail can be in it. [Notifier.Run] owns every goroutine it starts; the
// other methods of a Notifier are safe for concurrent use. Nothing here polls.
package notice

import (
	"maps"
	"slices"
	"time"
)

// The waits before a cause that lasts is told again.
const (
	second = time.Hour
	third  = 6 * time.Hour
	later  = 24 * time.Hour
	// calm is how long a cause has to be gone before it counts as a new one.
	calm = 24 * time.Hour
)

// Past is what was told of a cause. It holds nothing personal and may be kept between runs.
type Past struct {
	Times int       `json:"times"`
	Last  time.Time `json:"last"`
	// Gone is when the cause ended, zero while it lasts.
	Gone time.Time `json:"gone,omitzero"`
	Ever bool      `json:"ever,omitempty"` // it is never told again

	open uint32 // the notice on the screen, 0 for none
}

// History is what was told, by the ID of the cause.
type History map[string]Past

// Show is a notice that is due.
type Show struct {
	Cause    Cause
	Replaces uint32 // the notice of the same cause that is on the screen, 0 for none
}

// Close is a notice whose cause is over.
type Close struct {
	ID     string
	Notice uint32 // what is on the screen, 0 when the person put it away
}

// Plan decides what is due at now. Next is when to ask again if nothing changes, zero for never.
func Plan(now time.Time, causes []Cause, h History) (show []Show, end []Close, next time.Time) {
	lasting := map[string]bool{}
	for _, c := range causes {
		lasting[c.ID] = true
		past := h[c.ID]
		at, ever := due(now, c, past)
		switch {
		case !ever:
		case !now.Before(at):
			show = append(show, Show{Cause: c, Replaces: past.open})
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	for _, id := range slices.Sorted(maps.Keys(h)) {
		if past := h[id]; !lasting[id] && past.Gone.IsZero() {
			end = append(end, Close{ID: id, Notice: past.open})
		}
	}
	return show, end, next
}

// due returns when a cause is told next, and whether it is at all.
func due(now time.Time, c Cause, p Past) (time.Time, bool) {
	fresh := p.Times == 0 || p.forgotten(now)
	switch {
	case p.Ever || c.Once && !fresh:
		return time.Time{}, false
	case fresh:
		return c.Since.Add(c.Grace), true
	case p.Times == 1:
		return p.Last.Add(second), true
	case p.Times == 2:
		return p.Last.Add(third), true
	}
	return p.Last.Add(later), true
}

// forgotten reports whether a cause that comes back now is a new one.
func (p Past) forgotten(now time.Time) bool {
	return !p.Ever && !p.Gone.IsZero() && now.Sub(p.Gone) >= calm
}

// lasts notes which causes are there at now: one that came back soon goes on in its row of waits.
func (h History) lasts(now time.Time, causes []Cause) {
	maps.DeleteFunc(h, func(_ string, p Past) bool { return p.forgotten(now) })
	for _, c := range causes {
		if p, ok := h[c.ID]; ok {
			p.Gone = time.Time{}
			h[c.ID] = p
		}
	}
}

// shown notes that a notice was shown.
func (h History) shown(now time.Time, c Cause, id uint32) {
	h[c.ID] = Past{Times: h[c.ID].Times + 1, Last: now, Ever: c.Ever, open: id}
}

// over notes that a cause ended.
func (h History) over(now time.Time, id string) {
	p := h[id]
	p.Gone, p.open = now, 0
	h[id] = p
}

// off notes that no notice is on the screen any more.
func (h History) off() {
	for id, p := range h {
		p.open = 0
		h[id] = p
	}
}
