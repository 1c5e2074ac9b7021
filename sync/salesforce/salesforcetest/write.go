package salesforcetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// writer changes records on behalf of one user, inside one transaction.
type writer struct {
	org    *Org
	tx     *tx
	user   string // id of the running user; empty for the system
	system bool   // Insert of tests and records the org makes itself: no field security, no hooks
}

// insert checks and stores a new record and what follows from it. blob is the content of the
// object's base64 field when it came outside the JSON. Nothing stays behind on error.
func (w *writer) insert(t *table, in map[string]any, blob []byte) (string, *apiError) {
	mark := len(w.tx.undo)
	id, err := w.insertRaw(t, in, blob)
	if err != nil {
		w.tx.backTo(mark)
	}
	return id, err
}

func (w *writer) insertRaw(t *table, in map[string]any, blob []byte) (string, *apiError) {
	if !w.system {
		if err := w.blocked(t.obj, 'c'); err != nil {
			return "", err
		}
	}
	vals, err := w.values(t.obj, in, 'c')
	if err != nil {
		return "", err
	}
	r := &record{obj: t.obj, fields: vals, blob: blob}
	if data, ok := vals["VersionData"].([]byte); ok {
		r.blob = data
		delete(vals, "VersionData")
	}
	if r.id, _ = vals["Id"].(string); r.id == "" {
		r.id = w.org.data.nextID(t.obj)
	}
	delete(vals, "Id")
	w.defaults(r)
	if err := w.before(r); err != nil {
		return "", err
	}
	if err := w.required(r); err != nil {
		return "", err
	}
	if err := w.references(r.obj, vals); err != nil {
		return "", err
	}
	if err := w.rules(r, vals); err != nil {
		return "", err
	}
	w.org.data.add(w.tx, t, r)
	return r.id, w.after(r, in)
}

// update changes fields of a stored record.
func (w *writer) update(r *record, in map[string]any) *apiError {
	mark := len(w.tx.undo)
	err := w.updateRaw(r, in)
	if err != nil {
		w.tx.backTo(mark)
	}
	return err
}

func (w *writer) updateRaw(r *record, in map[string]any) *apiError {
	if err := w.blocked(r.obj, 'u'); err != nil {
		return err
	}
	vals, err := w.values(r.obj, in, 'u')
	if err != nil {
		return err
	}
	if err := w.beforeUpdate(r, vals); err != nil {
		return err
	}
	merged := map[string]any{}
	for k, v := range r.fields {
		merged[k] = v
	}
	for k, v := range vals {
		merged[k] = v
		if f := r.obj.field(k); v == nil && f.is('r') {
			return fail(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: ["+f.name+"]", f.name)
		}
	}
	if err := w.references(r.obj, vals); err != nil {
		return err
	}
	if err := w.rules(&record{id: r.id, obj: r.obj, fields: merged}, vals); err != nil {
		return err
	}
	now := w.org.now()
	vals["LastModifiedDate"], vals["SystemModstamp"] = now, now
	if w.user != "" {
		vals["LastModifiedById"] = w.user
	}
	w.org.data.set(w.tx, r, vals)
	return w.afterUpdate(r, vals)
}

func (w *writer) delete(r *record) *apiError {
	if err := w.blocked(r.obj, 'd'); err != nil {
		return err
	}
	w.org.data.remove(w.tx, r)
	w.cascade(r)
	return nil
}

// cascade removes what cannot live without r.
func (w *writer) cascade(r *record) {
	switch r.obj.name {
	case "EmailMessage":
		rel := w.org.data.table("EmailMessageRelation")
		for _, c := range rel.lookup(rel.obj.field("EmailMessageId"), r.id) {
			w.org.data.remove(w.tx, c)
		}
		if task := w.org.data.live(r.str("ActivityId")); task != nil {
			w.org.data.remove(w.tx, task)
		}
		w.unlink(r)
	case "Task":
		w.unlink(r)
	case "ContentDocument":
		for _, name := range []string{"ContentVersion", "ContentDocumentLink"} {
			t := w.org.data.table(name)
			for _, c := range t.lookup(t.obj.field("ContentDocumentId"), r.id) {
				w.org.data.remove(w.tx, c)
			}
		}
	}
}

// unlink removes the links of a record's files; the files stay.
func (w *writer) unlink(r *record) {
	t := w.org.data.table("ContentDocumentLink")
	for _, l := range t.lookup(t.obj.field("LinkedEntityId"), r.id) {
		w.org.data.remove(w.tx, l)
	}
}

// blocked answers what keeps every write of this kind from happening.
func (w *writer) blocked(b *object, verb byte) *apiError {
	bad := &w.org.bad
	switch {
	case bad.readOnly:
		return fail(503, "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", "Updates can’t be made during maintenance. Try again when maintenance is complete.")
	case bad.lockRows > 0:
		bad.lockRows--
		return fail(400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
	case bad.storageFull && verb == 'c':
		return fail(400, "STORAGE_LIMIT_EXCEEDED", "storage limit exceeded")
	case verb == 'd' && !w.org.may(b, verb):
		return fail(400, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
	case !w.org.may(b, verb):
		return fail(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "entity type cannot be inserted: "+b.label)
	case w.org.RefuseEmail && verb == 'c' && b.name == "EmailMessage":
		return crossReference("")
	}
	return nil
}

func crossReference(id string) *apiError {
	msg := "insufficient access rights on cross-reference id"
	if id != "" {
		msg += ": " + key15(id)
	}
	return fail(400, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", msg)
}

// values maps the input to canonical names and stored values.
func (w *writer) values(b *object, in map[string]any, verb byte) (map[string]any, *apiError) {
	out := make(map[string]any, len(in)+6)
	var denied []string
	for _, k := range slices.Sorted(maps.Keys(in)) { // the same input gives the same error
		v := in[k]
		if strings.EqualFold(k, "attributes") {
			continue
		}
		f := b.field(k)
		if f == nil || !w.system && !w.org.sees(b, f) {
			return nil, fail(400, "INVALID_FIELD", fmt.Sprintf("No such column '%s' on sobject of type %s", k, b.name))
		}
		if !w.system && (!f.is(verb) || !w.org.writes(b, f)) {
			denied = append(denied, f.name)
			continue
		}
		if f.typ == "base64" {
			data, err := decodeBlob(f, v)
			if err != nil {
				return nil, err
			}
			out[f.name] = data
			continue
		}
		c, err := convert(f, v)
		if err != nil {
			return nil, err
		}
		if c != nil || verb == 'u' {
			out[f.name] = c
		}
	}
	if len(denied) > 0 {
		return nil, fail(400, "INVALID_FIELD_FOR_INSERT_UPDATE", fmt.Sprintf("Unable to create/update fields: %s. Please check the security settings of this field and verify that it is read/write for your profile or permission set.", strings.Join(denied, ", ")), denied...)
	}
	return out, nil
}

func (w *writer) defaults(r *record) {
	now := w.org.now()
	user := w.user
	if user == "" {
		for _, u := range w.org.auth.users {
			if u.Username == DefaultUsername {
				user = u.ID
			}
		}
	}
	for _, f := range r.obj.fields {
		if _, ok := r.fields[f.name]; ok {
			continue
		}
		switch {
		case f.name == "CreatedDate" || f.name == "LastModifiedDate" || f.name == "SystemModstamp":
			r.fields[f.name] = now
		case (f.name == "CreatedById" || f.name == "LastModifiedById" || f.name == "OwnerId") && user != "":
			r.fields[f.name] = user
		case f.def != "":
			r.fields[f.name] = f.def
		case f.typ == "boolean":
			r.fields[f.name] = false
		}
	}
	if f := r.obj.field("Name"); f != nil && !f.is('c') && r.fields["Name"] == nil && r.obj.field("LastName") != nil {
		r.fields["Name"] = strings.TrimSpace(r.str("FirstName") + " " + r.str("LastName"))
	}
}

func (w *writer) required(r *record) *apiError {
	var missing []string
	for _, f := range r.obj.fields {
		if f.is('r') && r.fields[f.name] == nil {
			missing = append(missing, f.name)
		}
	}
	if missing == nil {
		return nil
	}
	return fail(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: ["+strings.Join(missing, ", ")+"]", missing...)
}

// references checks that every id points to a record of the right kind that the user can see.
func (w *writer) references(b *object, vals map[string]any) *apiError {
	for _, name := range slices.Sorted(maps.Keys(vals)) {
		f, v := b.field(name), vals[name]
		if f.refs == nil || v == nil {
			continue
		}
		ids, ok := v.([]string)
		if !ok {
			ids = []string{v.(string)}
		}
		for i, id := range ids {
			if err := w.reference(f, id); err != nil {
				return err
			}
			ids[i] = id18(key15(id))
		}
	}
	return nil
}

func (w *writer) reference(f *field, id string) *apiError {
	if !validID(id) {
		return fail(400, "MALFORMED_ID", f.label+": id value of incorrect type: "+id, f.name)
	}
	right := false
	for _, name := range f.refs {
		t := w.org.data.table(name)
		right = right || t != nil && strings.HasPrefix(id, t.obj.prefix)
	}
	if !right {
		return fail(400, "FIELD_INTEGRITY_EXCEPTION", f.label+": id value of incorrect type: "+id, f.name)
	}
	r := w.org.data.find(id)
	switch {
	case r == nil:
		return crossReference(id)
	case r.deleted:
		return fail(400, "ENTITY_IS_DELETED", "entity is deleted", f.name)
	case !w.system && !w.org.visible(w.user, r):
		return crossReference(id)
	}
	return nil
}

// rules runs the hooks and the unique checks; vals are the fields that are being written.
func (w *writer) rules(r *record, vals map[string]any) *apiError {
	if !w.system && w.org.Validate != nil {
		if err := w.org.Validate(r.obj.name, r.copy()); err != nil {
			return fail(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", err.Error())
		}
	}
	if !w.system && w.org.Trigger != nil {
		if err := w.org.Trigger(r.obj.name, r.copy()); err != nil {
			return fail(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", err.Error())
		}
	}
	t := w.org.data.table(r.obj.name)
	for name, v := range vals {
		f := r.obj.field(name)
		if v == nil || !f.is('q') {
			continue
		}
		for _, other := range t.lookup(f, v) {
			if other.id != r.id {
				return fail(400, "DUPLICATE_VALUE", fmt.Sprintf("duplicate value found: %s duplicates value on record with id: %s", f.name, key15(other.id)))
			}
		}
	}
	return nil
}

// visible says whether the user may see the record: a site user sees the activities and mails of
// others only when they are public, and private objects as their owner only.
func (o *Org) visible(user string, r *record) bool {
	u := o.auth.users[key15(user)]
	if u == nil || u.UserType == "Standard" {
		return true
	}
	if slices.ContainsFunc(o.Private, func(n string) bool { return strings.EqualFold(n, r.obj.name) }) && r.str("OwnerId") != user {
		return false
	}
	switch r.obj.name {
	case "Task", "Event":
		public, _ := r.fields["IsVisibleInSelfService"].(bool)
		return public || r.str("OwnerId") == user || r.str("CreatedById") == user
	case "EmailMessage":
		public, _ := r.fields["IsExternallyVisible"].(bool)
		return public || r.str("CreatedById") == user
	case "EmailMessageRelation":
		mail := o.data.live(r.str("EmailMessageId"))
		return mail != nil && o.visible(user, mail)
	}
	return true
}
