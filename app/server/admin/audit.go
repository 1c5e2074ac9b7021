package admin

import (
	"net/http"
	"strconv"

	"hawser/auth/provision"
)

// eventList is a page of the audit log.
type eventList struct {
	Events []provision.Event
	Later  bool // not the first page
	Next   string
}

func (p *Page) audit(r *http.Request, v *visit) (view, error) {
	var before int64
	if text := r.URL.Query().Get("before"); text != "" {
		var err error
		if before, err = strconv.ParseInt(text, 10, 64); err != nil || before < 1 {
			return view{}, provision.ErrNotFound
		}
	}
	events, err := p.cfg.Store.GroupEvents(r.Context(), v.tenant, v.group, before, pageSize+1)
	if err != nil {
		return view{}, err
	}
	list := eventList{Events: events, Later: before > 0}
	if len(events) > pageSize {
		list.Events = events[:pageSize]
		list.Next = root + "audit?before=" + strconv.FormatInt(events[pageSize-1].ID, 10)
	}
	return view{name: "audit", heading: say("audit.heading"), nav: "audit", data: list}, nil
}
