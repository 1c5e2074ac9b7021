package provision

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of a body's form. Its size is bounded by the signature check.
const (
	maxDepth  = 8
	maxString = 16 << 10 // id_tokens are the longest
	maxItems  = 1000
)

// strict reads a JSON body into a pointer to a struct and refuses everything that two readers may
// take for two things: members that out does not have or has in another case, members given
// twice, null, odd characters, and bytes after the value. Errors name no value of the body.
func strict(body []byte, out any) error {
	if !utf8.Valid(body) {
		return errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := walk(d, reflect.TypeOf(out).Elem(), 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("bytes after the value")
	}
	d = json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(out); err != nil {
		return errors.New("a member has the wrong type")
	}
	return nil
}

var rawMessage = reflect.TypeFor[json.RawMessage]()

// walk checks one value against the type that it is meant for. A nil type is free form.
func walk(d *json.Decoder, t reflect.Type, depth int) error {
	if depth > maxDepth {
		return errors.New("too deep")
	}
	tok, err := d.Token()
	if err != nil {
		return errors.New("not JSON")
	}
	if t == rawMessage || t != nil && t.Kind() == reflect.Interface {
		t = nil
	}
	switch tok := tok.(type) {
	case nil:
		return errors.New("null")
	case string:
		return checkString(tok)
	case json.Delim:
		if tok == '{' {
			return walkObject(d, t, depth)
		}
		return walkArray(d, t, depth)
	}
	return nil
}

func walkObject(d *json.Decoder, t reflect.Type, depth int) error {
	fields, open := members(t)
	seen := map[string]bool{}
	for d.More() {
		tok, err := d.Token()
		name, ok := tok.(string)
		if err != nil || !ok {
			return errors.New("not JSON")
		}
		member, known := fields[name]
		if !known && !open {
			return errors.New("unknown member")
		}
		if err := checkString(name); err != nil || seen[name] || len(seen) >= maxItems {
			return errors.New("member given twice, odd, or one too many")
		}
		seen[name] = true
		if err := walk(d, member, depth+1); err != nil {
			return err
		}
	}
	return closed(d)
}

func walkArray(d *json.Decoder, t reflect.Type, depth int) error {
	var elem reflect.Type
	if t != nil {
		if t.Kind() != reflect.Slice {
			return errors.New("a list where none belongs")
		}
		elem = t.Elem()
	}
	for n := 0; d.More(); n++ {
		if n >= maxItems {
			return errors.New("too many items")
		}
		if err := walk(d, elem, depth+1); err != nil {
			return err
		}
	}
	return closed(d)
}

func closed(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return errors.New("not JSON")
	}
	return nil
}

// members returns the members of an object that is meant for t; open means any.
func members(t reflect.Type) (fields map[string]reflect.Type, open bool) {
	if t == nil || t.Kind() == reflect.Map {
		return nil, true
	}
	fields = map[string]reflect.Type{}
	if t.Kind() == reflect.Struct {
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			fields[name] = t.Field(i).Type
		}
	}
	return fields, false
}

// checkString refuses what would make one text look like another, or break a line of a log.
func checkString(s string) error {
	if len(s) > maxString {
		return errors.New("string too long")
	}
	for _, r := range s {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError {
			return fmt.Errorf("string holds %U", r)
		}
	}
	return nil
}
