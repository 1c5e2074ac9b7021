package salesforcetest

import (
	"crypto/md5" // Checksum of ContentVersion is MD5 by definition
	"encoding/base64"
	"encoding/hex"
	"path"
	"strings"
)

func decodeBlob(f *field, v any) ([]byte, *apiError) {
	if data, ok := v.([]byte); ok {
		return data, nil
	}
	s, ok := v.(string)
	if !ok {
		return nil, wrongType(f, v)
	}
	data, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, fail(400, "JSON_PARSER_ERROR", "Cannot deserialize instance of base64 from VALUE_STRING value at [line:1, column:2]")
	}
	return data, nil
}

// beforeVersion checks an upload and derives size, checksum, type and title.
func (w *writer) beforeVersion(r *record) *apiError {
	if w.external() && r.str("NetworkId") == "" {
		return fail(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [NetworkId]", "NetworkId")
	}
	if r.blob == nil {
		return fail(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [VersionData]", "VersionData")
	}
	name := path.Base(strings.ReplaceAll(r.str("PathOnClient"), `\`, "/"))
	ext := strings.TrimPrefix(path.Ext(name), ".")
	if r.fields["Title"] == nil && r.str("PathOnClient") != "" {
		r.fields["Title"] = clip(strings.TrimSuffix(name, "."+ext), 255)
	}
	sum := md5.Sum(r.blob)
	r.fields["Checksum"] = hex.EncodeToString(sum[:])
	r.fields["ContentSize"] = float64(len(r.blob))
	r.fields["IsLatest"] = true
	r.fields["VersionNumber"] = "1"
	r.fields["FileType"] = "UNKNOWN"
	if ext != "" {
		r.fields["FileExtension"] = clip(ext, 40)
		r.fields["FileType"] = clip(strings.ToUpper(ext), 20)
	}
	return nil
}

// afterVersion makes the document of a first version and its links.
func (w *writer) afterVersion(r *record) *apiError {
	sys := &writer{org: w.org, tx: w.tx, user: w.user, system: true}
	if doc := w.org.data.live(r.str("ContentDocumentId")); doc != nil {
		return w.nextVersion(r, doc)
	}
	doc := map[string]any{"Title": r.str("Title"), "LatestPublishedVersionId": r.id, "ContentSize": r.fields["ContentSize"],
		"FileType": r.str("FileType"), "FileExtension": r.str("FileExtension")}
	id, err := sys.insert(w.org.data.table("ContentDocument"), doc, nil)
	if err != nil {
		return err
	}
	w.org.data.set(w.tx, r, map[string]any{"ContentDocumentId": id})
	if owner := r.str("OwnerId"); owner != "" {
		if err := w.link(id, owner, "I"); err != nil {
			return err
		}
	}
	if target := r.str("FirstPublishLocationId"); target != "" {
		return w.link(id, target, "V")
	}
	return nil
}

func (w *writer) nextVersion(r, doc *record) *apiError {
	if old := w.org.data.live(doc.str("LatestPublishedVersionId")); old != nil {
		w.org.data.set(w.tx, old, map[string]any{"IsLatest": false})
	}
	w.org.data.set(w.tx, doc, map[string]any{"LatestPublishedVersionId": r.id, "ContentSize": r.fields["ContentSize"], "Title": r.str("Title")})
	return nil
}

func (w *writer) link(doc, target, share string) *apiError {
	visibility := "InternalUsers"
	if w.external() {
		visibility = "AllUsers"
	}
	return w.child("ContentDocumentLink", map[string]any{"ContentDocumentId": doc, "LinkedEntityId": target, "ShareType": share, "Visibility": visibility})
}

// afterLink refuses a second link of the same pair and marks a mail that gained a file.
func (w *writer) afterLink(r *record) *apiError {
	t := w.org.data.table("ContentDocumentLink")
	for _, other := range t.lookup(t.obj.field("LinkedEntityId"), r.str("LinkedEntityId")) {
		if other != r && other.str("ContentDocumentId") == r.str("ContentDocumentId") {
			return fail(400, "DUPLICATE_VALUE", "duplicate value found: LinkedEntityId duplicates value on record with id: "+key15(other.id))
		}
	}
	if mail := w.org.data.live(r.str("LinkedEntityId")); mail != nil && mail.obj.name == "EmailMessage" {
		w.org.data.set(w.tx, mail, map[string]any{"HasAttachment": true})
	}
	if r.fields["Visibility"] == nil {
		w.org.data.set(w.tx, r, map[string]any{"Visibility": "InternalUsers"})
	}
	return nil
}

// linkDocuments makes the links of an e-mail agree with its ContentDocumentIds.
func (w *writer) linkDocuments(r *record) *apiError {
	want, _ := r.fields["ContentDocumentIds"].([]string)
	t := w.org.data.table("ContentDocumentLink")
	have := map[string]bool{}
	for _, l := range t.lookup(t.obj.field("LinkedEntityId"), r.id) {
		have[l.str("ContentDocumentId")] = true
	}
	for _, id := range want {
		id = id18(key15(id))
		if have[id] {
			continue
		}
		have[id] = true
		if err := w.link(id, r.id, "V"); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) external() bool {
	u := w.org.auth.users[key15(w.user)]
	return w.org.External && u != nil && u.UserType != "Standard"
}
