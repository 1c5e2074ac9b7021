package salesforcetest

import (
	"strings"
	"time"
)

// beforeTask checks the pairing of a task's references and derives its read-only fields.
func (w *writer) beforeTask(r *record) *apiError {
	if whos, ok := r.fields["TaskWhoIds"].([]string); ok && len(whos) > 0 {
		if err := checkWhos(whos); err != nil {
			return err
		}
		if r.str("WhoId") == "" {
			r.fields["WhoId"] = whos[0]
		}
	}
	who, what := r.str("WhoId"), r.str("WhatId")
	if strings.HasPrefix(who, "00Q") && what != "" {
		return fail(400, "FIELD_INTEGRITY_EXCEPTION", "Related To ID: a task that is related to a lead cannot have another related record", "WhatId")
	}
	if closeTask(w.org.now(), r.fields, r.fields); r.fields["CompletedDateTime"] == nil {
		delete(r.fields, "CompletedDateTime")
	}
	if account := w.accountOf(what); account != "" {
		r.fields["AccountId"] = account
	} else if account := w.accountOf(who); account != "" {
		r.fields["AccountId"] = account
	}
	return nil
}

// checkWhos holds Shared Activities to one lead or up to 50 contacts.
func checkWhos(whos []string) *apiError {
	leads := 0
	for _, id := range whos {
		if strings.HasPrefix(id, "00Q") {
			leads++
		}
	}
	if leads > 0 && len(whos) > 1 || len(whos) > 50 {
		return fail(400, "FIELD_INTEGRITY_EXCEPTION", "Task Who Ids: one lead or up to 50 contacts", "TaskWhoIds")
	}
	return nil
}

// closeTask writes IsClosed and CompletedDateTime, which follow from Status; nil clears.
func closeTask(now time.Time, from, to map[string]any) {
	closed := from["Status"] == "Completed"
	to["IsClosed"] = closed
	if !closed {
		to["CompletedDateTime"] = nil
	} else if from["CompletedDateTime"] == nil {
		to["CompletedDateTime"] = now
	}
}

func (w *writer) accountOf(id string) string {
	r := w.org.data.live(id)
	switch {
	case r == nil:
		return ""
	case r.obj.name == "Account":
		return r.id
	}
	return r.str("AccountId")
}

func mergedTask(r *record, vals map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range r.fields {
		out[k] = v
	}
	for k, v := range vals {
		if out[k] = v; v == nil {
			delete(out, k)
		}
	}
	return out
}
