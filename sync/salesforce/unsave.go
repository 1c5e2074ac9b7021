package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"hawser/sync/fault"
)

const (
	opUnsave = "remove record"
	// fileMark is the description of files that were uploaded for a mail: by it they are told from
	// those that the person added to the record by hand.
	fileMark = "Attachment of a mail, saved by Hawser"
)

// removal is one Unsave under way.
type removal struct {
	c     *Client
	sc    *schema
	name  string // of the record's object
	id    string
	calls int

	found     bool
	creator   string
	activity  string // the Task that Salesforce made for an e-mail
	files     []string
	elsewhere map[string]bool // files that are linked to other records too
}

// Unsave implements deliver.Target. Two calls; one more where there are files, and one where
// Salesforce made a task for the e-mail.
func (c *Client) Unsave(ctx context.Context, recordID string) (calls int, err error) {
	name := map[bool]string{true: mailType, false: taskType}[strings.HasPrefix(recordID, "02s")]
	if !validID(recordID) || name == taskType && !strings.HasPrefix(recordID, "00T") {
		return 0, fault.New(fault.Internal, opUnsave, errors.New("no id of a saved mail"))
	}
	sc, err := c.describe(ctx)
	if err != nil {
		return 0, err
	}
	r := &removal{c: c, sc: sc, name: name, id: id18(recordID), elsewhere: map[string]bool{}}
	err = r.remove(ctx)
	return r.calls, err
}

func (r *removal) remove(ctx context.Context) error {
	o := r.sc.objects[r.name]
	if o == nil || !o.query {
		return missingPermission(label(r.name) + ": Read")
	}
	if err := r.look(ctx, o); err != nil || !r.found {
		return err
	}
	if r.creator != id18(r.c.cfg.UserID) {
		return fault.New(fault.OthersRecord, opUnsave, nil)
	}
	if err := r.lookAtFiles(ctx); err != nil {
		return err
	}
	switch {
	case !o.remove:
		return missingPermission(label(r.name) + ": Delete")
	case len(r.files) > 0 && !r.sc.objects[document].removable():
		return missingPermission(label(document) + ": Delete")
	}
	// The files go with the record or not at all; where there are more than one call takes, the
	// record is removed last, so that an interrupted removal can be repeated.
	for len(r.files) >= collection {
		var part []string
		part, r.files = r.files[:collection], r.files[collection:]
		if err := r.delete(ctx, part); err != nil {
			return err
		}
	}
	if err := r.delete(ctx, append(r.files, r.id)); err != nil {
		return err
	}
	if r.activity != "" && r.sc.objects[taskType].removable() {
		return r.delete(ctx, []string{r.activity})
	}
	return nil
}

func (o *object) removable() bool { return o != nil && o.remove }

func label(name string) string {
	return map[string]string{mailType: "Email Message", taskType: "Tasks", document: "Files"}[name]
}

func missingPermission(words string) error {
	f := fault.New(fault.PermissionMissing, opUnsave, nil)
	f.Detail = words
	return f
}

// look reads who made the record, and which files of this user hang on it.
func (r *removal) look(ctx context.Context, o *object) error {
	columns := present(o, "Id", "CreatedById", "ActivityId")
	record := query{object: o.name, soql: "SELECT " + strings.Join(columns, ", ") + " FROM " + o.name + " WHERE Id = " + quote(r.id), row: func(dec *json.Decoder) error {
		var row struct {
			Creator  tolerant[string] `json:"CreatedById"`
			Activity tolerant[string] `json:"ActivityId"`
		}
		err := dec.Decode(&row)
		r.found, r.creator, r.activity = true, id18(row.Creator.V), id18(row.Activity.V)
		return err
	}}
	marked := r.sc.objects[fileType].has("Description")
	what := "ContentDocumentId, ContentDocument.CreatedById"
	if marked {
		what += ", ContentDocument.LatestPublishedVersion.Description"
	}
	links := query{object: "ContentDocumentLink", soql: "SELECT " + what + " FROM ContentDocumentLink WHERE LinkedEntityId = " + quote(r.id), row: func(dec *json.Decoder) error {
		var row struct {
			ID       string `json:"ContentDocumentId"`
			Document struct {
				Creator tolerant[string] `json:"CreatedById"`
				Version struct {
					Description tolerant[string]
				} `json:"LatestPublishedVersion"`
			} `json:"ContentDocument"`
		}
		err := dec.Decode(&row)
		if id := id18(row.ID); id != "" && id18(row.Document.Creator.V) == id18(r.c.cfg.UserID) && (!marked || row.Document.Version.Description.V == fileMark) {
			r.files = append(r.files, id)
		}
		return err
	}}
	r.calls++
	return r.c.run(ctx, r.sc, []query{record, links})
}

// lookAtFiles leaves out files that somebody linked to another record: they stay for it.
func (r *removal) lookAtFiles(ctx context.Context) error {
	if len(r.files) == 0 {
		return nil
	}
	row := func(dec *json.Decoder) error {
		var row struct {
			ID     string `json:"ContentDocumentId"`
			Linked string `json:"LinkedEntityId"`
		}
		err := dec.Decode(&row)
		if to := id18(row.Linked); to != r.id && to != id18(r.c.cfg.UserID) {
			r.elsewhere[id18(row.ID)] = true
		}
		return err
	}
	var list []query
	for _, s := range soqlIn("SELECT ContentDocumentId, LinkedEntityId FROM ContentDocumentLink", []string{"ContentDocumentId"}, quoteIDs(r.files), "") {
		list = append(list, query{object: "ContentDocumentLink", soql: s, row: row})
	}
	for part := range slices.Chunk(list, maxCollection) {
		r.calls++
		if err := r.c.run(ctx, r.sc, part); err != nil {
			return err
		}
	}
	r.files = slices.DeleteFunc(r.files, func(id string) bool { return r.elsewhere[id] })
	return nil
}

// delete removes records, all or none. What is gone already is removed.
func (r *removal) delete(ctx context.Context, ids []string) error {
	for {
		gone, err := r.deleteOnce(ctx, ids)
		if err != nil || len(gone) == 0 {
			return err
		}
		ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return slices.Contains(gone, id) })
		if len(ids) == 0 {
			return nil
		}
	}
}

// deleteOnce removes records, all or none, and returns those that were not there; then none was.
func (r *removal) deleteOnce(ctx context.Context, ids []string) (gone []string, err error) {
	var answer []saved
	p := part{status: http.StatusOK}
	r.calls++
	err = r.c.do(ctx, request{
		op: opUnsave, method: http.MethodDelete, write: true,
		path:   data(r.sc.version, "/composite/sobjects?allOrNone=true&ids="+url.QueryEscape(strings.Join(ids, ","))),
		answer: func(body io.Reader) error { return results(&answer)(json.NewDecoder(body), &p) },
	})
	if err != nil {
		return nil, err
	}
	if len(answer) != len(ids) {
		return nil, unknown(fault.New(fault.ServerError, opUnsave, errShape), true)
	}
	for i, a := range answer {
		if a.Success.V {
			continue
		}
		switch e := a.first(); e.code() {
		case "ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND":
			gone = append(gone, ids[i])
		case "ALL_OR_NONE_OPERATION_ROLLED_BACK":
		default:
			f := e.fault(opUnsave, subject{})
			if f.Code == fault.PermissionMissing {
				f.Detail = label(r.name) + ": Delete"
			}
			return nil, f
		}
	}
	return gone, nil
}
