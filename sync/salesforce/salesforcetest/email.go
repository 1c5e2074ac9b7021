package salesforcetest

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"time"
)

// recipients are the junction lists of an EmailMessage and the relation type of each.
var recipients = []struct{ field, kind string }{{"ToIds", "ToAddress"}, {"CcIds", "CcAddress"}, {"BccIds", "BccAddress"}}

// before applies an object's own rules to a record that is about to be stored.
func (w *writer) before(r *record) *apiError {
	switch r.obj.name {
	case "EmailMessage":
		return w.beforeEmail(r)
	case "EmailMessageRelation":
		return w.beforeRelation(r)
	case "Task":
		return w.beforeTask(r)
	case "ContentVersion":
		return w.beforeVersion(r)
	case "Opportunity":
		r.fields["IsClosed"] = strings.HasPrefix(r.str("StageName"), "Closed")
	case "Case":
		r.fields["IsClosed"] = r.str("Status") == "Closed"
		r.fields["CaseNumber"] = fmt.Sprintf("%08d", 1000+len(w.org.data.table("Case").rows))
	}
	return nil
}

// after makes the records that follow from a new one. in is the request's own input.
func (w *writer) after(r *record, in map[string]any) *apiError {
	switch r.obj.name {
	case "EmailMessage":
		return w.afterEmail(r)
	case "ContentVersion":
		return w.afterVersion(r)
	case "ContentDocumentLink":
		return w.afterLink(r)
	}
	return nil
}

func (w *writer) beforeEmail(r *record) *apiError {
	status, parent := r.str("Status"), r.str("ParentId")
	if parent == "" && status != "" && status != "3" && status != "5" {
		return fail(400, "FIELD_INTEGRITY_EXCEPTION", "Status: the only valid value for an email that is not related to a case is Sent", "Status")
	}
	if parent == "" && r.str("ActivityId") != "" && !w.system {
		return fail(400, "FIELD_INTEGRITY_EXCEPTION", "Activity ID: can be set only for emails related to a case", "ActivityId")
	}
	if related := r.str("RelatedToId"); parent != "" && related != "" && related != parent {
		return fail(400, "FIELD_INTEGRITY_EXCEPTION", "Related To ID: must equal the parent case", "RelatedToId")
	}
	if r.fields["TextBody"] == nil && r.fields["HtmlBody"] != nil {
		r.fields["TextBody"] = textOf(r.str("HtmlBody"))
	}
	if subject := r.str("Subject"); subject != "" {
		r.fields["Name"] = clip(subject, 255)
	}
	if r.fields["MessageDate"] == nil {
		r.fields["MessageDate"] = w.org.now()
	}
	docs, _ := r.fields["ContentDocumentIds"].([]string)
	r.fields["HasAttachment"] = len(docs) > 0
	return nil
}

func (w *writer) afterEmail(r *record) *apiError {
	for _, list := range recipients {
		ids, _ := r.fields[list.field].([]string)
		for _, id := range ids {
			err := w.child("EmailMessageRelation", map[string]any{"EmailMessageId": r.id, "RelationType": list.kind, "RelationId": id})
			if err != nil {
				return err
			}
		}
	}
	if err := w.linkDocuments(r); err != nil {
		return err
	}
	managed, _ := r.fields["IsClientManaged"].(bool)
	if r.str("Status") == "5" || r.str("ParentId") != "" && !managed {
		return nil
	}
	return w.emailTask(r)
}

// emailTask makes the Task that Enhanced Email gives every e-mail.
func (w *writer) emailTask(r *record) *apiError {
	sent, _ := r.fields["MessageDate"].(time.Time)
	task := map[string]any{
		"Subject": clip("Email: "+r.str("Subject"), 255), "TaskSubtype": "Email", "Status": "Completed",
		"Description": clip(r.str("TextBody"), 32000), "ActivityDate": sent.Format("2006-01-02"),
		"WhatId": r.str("RelatedToId"),
	}
	if who := w.who(r); who != "" && !(strings.HasPrefix(who, "00Q") && r.str("RelatedToId") != "") {
		task["WhoId"] = who
	}
	sys := &writer{org: w.org, tx: w.tx, user: w.user, system: true}
	id, err := sys.insert(w.org.data.table("Task"), task, nil)
	if err != nil {
		return err
	}
	w.org.data.set(w.tx, r, map[string]any{"ActivityId": id})
	return nil
}

// who is the first contact or lead of the mail.
func (w *writer) who(r *record) string {
	ids := []string{r.str("FromId")}
	for _, list := range recipients {
		more, _ := r.fields[list.field].([]string)
		ids = append(ids, more...)
	}
	for _, id := range ids {
		if strings.HasPrefix(id, "003") || strings.HasPrefix(id, "00Q") {
			return id
		}
	}
	return ""
}

func (w *writer) beforeRelation(r *record) *apiError {
	who := w.org.data.live(r.str("RelationId"))
	if who == nil {
		return nil
	}
	r.fields["RelationObjectType"] = who.obj.name
	if r.fields["RelationAddress"] == nil && who.fields["Email"] != nil {
		r.fields["RelationAddress"] = who.fields["Email"]
	}
	return nil
}

// child inserts a record that follows from another one, as the system.
func (w *writer) child(object string, fields map[string]any) *apiError {
	sys := &writer{org: w.org, tx: w.tx, user: w.user, system: true}
	_, err := sys.insert(w.org.data.table(object), fields, nil)
	return err
}

// beforeUpdate refuses what may not change: an e-mail that is no draft is immutable but for its
// visibility, custom fields and, when client managed, its files and related record.
func (w *writer) beforeUpdate(r *record, vals map[string]any) *apiError {
	switch r.obj.name {
	case "Task":
		return w.beforeTask(&record{id: r.id, obj: r.obj, fields: mergedTask(r, vals)})
	case "EmailMessage":
		if r.str("Status") == "5" {
			return nil
		}
		managed, _ := r.fields["IsClientManaged"].(bool)
		for name := range vals {
			free := name == "IsExternallyVisible" || r.obj.field(name).custom() ||
				managed && (name == "RelatedToId" || name == "ContentDocumentIds")
			if !free {
				return fail(400, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id: the email is not a draft", name)
			}
		}
	}
	return nil
}

func (w *writer) afterUpdate(r *record, vals map[string]any) *apiError {
	switch r.obj.name {
	case "Task":
		sys := map[string]any{"IsClosed": r.fields["IsClosed"]}
		closeTask(w.org.now(), r.fields, sys)
		w.org.data.set(w.tx, r, sys)
	case "EmailMessage":
		if _, ok := vals["ContentDocumentIds"]; ok {
			return w.linkDocuments(r)
		}
	case "Opportunity":
		w.org.data.set(w.tx, r, map[string]any{"IsClosed": strings.HasPrefix(r.str("StageName"), "Closed")})
	case "Case":
		w.org.data.set(w.tx, r, map[string]any{"IsClosed": r.str("Status") == "Closed"})
	case "Contact", "Lead", "User":
		if r.obj.field("LastName") != nil {
			w.org.data.set(w.tx, r, map[string]any{"Name": strings.TrimSpace(r.str("FirstName") + " " + r.str("LastName"))})
		}
	}
	return nil
}

var (
	breaks = regexp.MustCompile(`(?i)<br\s*/?>|</(p|div|tr|li|h[1-6])\s*>`)
	hidden = regexp.MustCompile(`(?is)<(style|script|head)\b.*?</(style|script|head)\s*>`)
	tags   = regexp.MustCompile(`(?s)<[^>]*>`)
)

// textOf derives the plain text of an HTML body.
func textOf(s string) string {
	s = hidden.ReplaceAllString(s, "")
	s = breaks.ReplaceAllString(s, "\n")
	return strings.TrimSpace(html.UnescapeString(tags.ReplaceAllString(s, "")))
}

// clip cuts s to max UTF-16 units without splitting a character.
func clip(s string, max int) string {
	n := 0
	for i, r := range s {
		if n += units(string(r)); n > max {
			return s[:i]
		}
	}
	return s
}
