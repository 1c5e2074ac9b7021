package salesforcetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
)

// apiError is one error of a REST answer.
type apiError struct {
	status        int
	code, message string
	fields        []string
}

func fail(status int, code, message string, fields ...string) *apiError {
	return &apiError{status: status, code: code, message: message, fields: fields}
}

// convert checks a value of a request and turns it into the stored form; nil means null.
func convert(f *field, v any) (any, *apiError) {
	if v == nil {
		return nil, nil
	}
	switch f.typ {
	case "boolean":
		return convertBool(f, v)
	case "int", "double":
		return convertNumber(f, v)
	case "junctionIdList":
		return convertList(f, v)
	}
	if t, ok := v.(time.Time); ok && f.typ == "datetime" {
		return t.UTC().Truncate(time.Millisecond), nil
	}
	s, ok := v.(string)
	if !ok {
		if n, isNumber := v.(json.Number); isNumber {
			s = n.String()
		} else if b, isBool := v.(bool); isBool {
			s = fmt.Sprint(b)
		} else {
			return nil, wrongType(f, v)
		}
	}
	return convertText(f, s)
}

func convertBool(f *field, v any) (any, *apiError) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case string:
		if strings.EqualFold(v, "true") || strings.EqualFold(v, "false") {
			return strings.EqualFold(v, "true"), nil
		}
	}
	return nil, wrongType(f, v)
}

func convertNumber(f *field, v any) (any, *apiError) {
	switch v := v.(type) {
	case int:
		return float64(v), nil
	case float64:
		return v, nil
	case json.Number:
		if n, err := v.Float64(); err == nil {
			return n, nil
		}
	}
	return nil, wrongType(f, v)
}

func convertList(f *field, v any) (any, *apiError) {
	if ids, ok := v.([]string); ok {
		return slices.Clone(ids), nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, wrongType(f, v)
	}
	ids := make([]string, 0, len(list))
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return nil, wrongType(f, e)
		}
		ids = append(ids, s)
	}
	return ids, nil
}

func convertText(f *field, s string) (any, *apiError) {
	if s == "" {
		return nil, nil // Salesforce stores empty text as null
	}
	switch f.typ {
	case "datetime":
		t, ok := parseTime(s)
		if !ok {
			return nil, wrongType(f, s)
		}
		return t, nil
	case "date":
		t, err := time.Parse("2006-01-02", s)
		if err != nil {
			full, ok := parseTime(s)
			if !ok {
				return nil, wrongType(f, s)
			}
			t = full
		}
		return t.Format("2006-01-02"), nil
	case "reference", "id":
		if !validID(s) {
			return nil, fail(400, "MALFORMED_ID", f.label+": id value of incorrect type: "+s, f.name)
		}
		return id18(key15(s)), nil
	case "textarea":
		s = strings.ReplaceAll(s, "\r\n", "\n") // the limit counts what is left
	case "email":
		s = strings.TrimSpace(s)
		if !plausibleAddress(s) {
			return nil, fail(400, "INVALID_EMAIL_ADDRESS", f.label+": invalid email address: "+s, f.name)
		}
	case "picklist", "combobox":
		if f.is('s') && !slices.Contains(f.picks, s) {
			return nil, fail(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", f.label+": bad value for restricted picklist field: "+s, f.name)
		}
	}
	if f.length > 0 && units(s) > f.length {
		return nil, tooLong(f, s)
	}
	return s, nil
}

func tooLong(f *field, s string) *apiError {
	return fail(400, "STRING_TOO_LONG", fmt.Sprintf("%s: data value too large: %s (max length=%d)", f.label, s, f.length), f.name)
}

func wrongType(f *field, v any) *apiError {
	kind := "VALUE_STRING"
	switch v.(type) {
	case bool:
		kind = "VALUE_TRUE"
	case json.Number, float64:
		kind = "VALUE_NUMBER_INT"
	case map[string]any:
		kind = "START_OBJECT"
	case []any:
		kind = "START_ARRAY"
	}
	return fail(400, "JSON_PARSER_ERROR", fmt.Sprintf("Cannot deserialize instance of %s from %s value %v or request may be missing a required field at [line:1, column:2]", f.typ, kind, v))
}

// units counts as Salesforce does: UTF-16 code units.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// parseTime reads ISO 8601 with an offset, with or without its colon.
func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Truncate(time.Millisecond), true
		}
	}
	return time.Time{}, false
}

func plausibleAddress(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && domain != "" && !strings.ContainsAny(s, " \t\r\n<>,;") && !strings.Contains(domain, "@") &&
		strings.Contains(domain, ".") && !strings.HasPrefix(domain, ".") && !strings.HasSuffix(domain, ".")
}

// kv and ordered are JSON objects that keep the order of their keys, as Salesforce's answers do.
type kv struct {
	k string
	v any
}

type ordered []kv

// MarshalJSON writes the pairs in their order.
func (m ordered) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, p := range m {
		if i > 0 {
			b = append(b, ',')
		}
		k, err := encode(p.k)
		if err != nil {
			return nil, err
		}
		v, err := encode(p.v)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, k...), ':'), v...)
	}
	return append(b, '}'), nil
}

// encode is json.Marshal that leaves <, > and & as they are, as Salesforce does.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

func (m ordered) get(k string) (any, bool) {
	for _, p := range m {
		if p.k == k {
			return p.v, true
		}
	}
	return nil, false
}
