package window

import (
	"strings"

	"hawser/app/control"
	"hawser/sync/capture"
	"hawser/sync/fault"
)

// object names the kind of record a mail became.
func (a *app) object(name string) string {
	if strings.EqualFold(name, "Task") {
		return a.t("window.line-task")
	}
	return a.t("window.line-email")
}

// marked says how a mail was chosen.
func (a *app) marked(mark string) string {
	switch capture.Mark(mark) {
	case capture.MarkFolder:
		return a.t("window.mark-folder")
	case capture.MarkKeyword:
		return a.t("window.mark-keyword")
	case capture.MarkThread:
		return a.t("window.mark-thread")
	case capture.MarkRule:
		return a.t("window.mark-rule")
	}
	return a.t("window.mark-hand")
}

// why is the one reason for which an item is where it is.
func (a *app) why(it control.QueueItem) string {
	if it.Why == "" {
		return a.t("window.item-queued")
	}
	s := a.reason(string(it.Why))
	if it.Detail != "" {
		s += " (" + oneLine(it.Detail) + ")"
	}
	return s
}

// whole is a fault with what it means and what to do; of a rule's reason there is one sentence only.
func (a *app) whole(code fault.Code) (string, string) {
	if s := a.t("reason." + string(code)); s != "reason."+string(code) {
		return s, ""
	}
	title, body, fix := a.loc.Fault(code)
	return title, sentences(body, fix)
}

// question is what an item asks.
func (a *app) question(q capture.Question) string {
	data := map[string]any{"Subject": oneLine(q.Subject)}
	switch q.Kind {
	case capture.AskPerson:
		return a.tf("window.ask-person", data)
	case capture.AskRelated:
		return a.tf("window.ask-related", data)
	}
	return a.tf("window.ask-files", data)
}

// option is one answer in words.
func (a *app) option(k capture.QuestionKind, o capture.Option) string {
	if k == capture.AskFiles {
		if o.ID == "yes" {
			return a.t("window.answer-yes")
		}
		return a.t("window.answer-no")
	}
	if o.ID == "" {
		return a.t("window.answer-none")
	}
	s := oneLine(o.Name)
	if o.Type != "" {
		s += " · " + a.kindOf(o.Type)
	}
	if o.About != "" {
		s += " · " + oneLine(o.About)
	}
	return s
}
