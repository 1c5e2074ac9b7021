package provision

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
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
	if !json.Valid(body) {
		return errors.New("not JSON, or bytes after the value")
	}
	w := walker{text: body}
	if err := w.value(reflect.TypeOf(out).Elem(), 0); err != nil {
		return err
	}
	if err := json.Unmarshal(body, out); err != nil {
		return errors.New("a member has the wrong type")
	}
	return nil
}

var rawMessage = reflect.TypeFor[json.RawMessage]()

// walker goes through a text that is JSON, and holds it against types.
type walker struct {
	text []byte
	at   int
}

// next skips blanks and returns the byte that follows, without taking it.
func (w *walker) next() byte {
	for w.at < len(w.text) {
		switch c := w.text[w.at]; c {
		case ' ', '\t', '\r', '\n':
			w.at++
		default:
			return c
		}
	}
	return 0
}

// take takes c if it follows.
func (w *walker) take(c byte) bool {
	if w.next() != c {
		return false
	}
	w.at++
	return true
}

// value checks one value against the type that it is meant for. A nil type is free form.
func (w *walker) value(t reflect.Type, depth int) error {
	if depth > maxDepth {
		return errors.New("too deep")
	}
	if t == rawMessage || t != nil && t.Kind() == reflect.Interface {
		t = nil
	}
	switch w.next() {
	case '{':
		return w.object(t, depth)
	case '[':
		return w.array(t, depth)
	case '"':
		_, err := w.string()
		return err
	case 'n':
		return errors.New("null")
	}
	for w.at < len(w.text) && strings.IndexByte(",]} \t\r\n", w.text[w.at]) < 0 { // a number, true or false
		w.at++
	}
	return nil
}

// string takes a string, checks it, and returns what it means.
func (w *walker) string() ([]byte, error) {
	start, plain := w.at, true
	for w.at++; w.text[w.at] != '"'; w.at++ {
		if w.text[w.at] == '\\' {
			plain = false
			w.at++
		}
	}
	w.at++
	quoted := w.text[start:w.at]
	if plain {
		s := quoted[1 : len(quoted)-1]
		return s, checkText(s)
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return nil, errors.New("not JSON")
	}
	return []byte(s), checkText([]byte(s))
}

func (w *walker) object(t reflect.Type, depth int) error {
	fields, open := members(t)
	seen := make([][]byte, 0, 8)
	w.take('{')
	for !w.take('}') {
		w.next()
		name, err := w.string()
		twice := slices.ContainsFunc(seen, func(s []byte) bool { return bytes.Equal(s, name) })
		if err != nil || twice || len(seen) >= maxItems {
			return errors.New("member given twice, odd, or one too many")
		}
		member, known := fields[string(name)]
		if !known && !open {
			return errors.New("unknown member")
		}
		seen = append(seen, name)
		w.take(':')
		if err := w.value(member, depth+1); err != nil {
			return err
		}
		w.take(',')
	}
	return nil
}

func (w *walker) array(t reflect.Type, depth int) error {
	var elem reflect.Type
	if t != nil {
		if t.Kind() != reflect.Slice {
			return errors.New("a list where none belongs")
		}
		elem = t.Elem()
	}
	w.take('[')
	for n := 0; !w.take(']'); n++ {
		if n >= maxItems {
			return errors.New("too many items")
		}
		if err := w.value(elem, depth+1); err != nil {
			return err
		}
		w.take(',')
	}
	return nil
}

// membersOf holds what members found, by type.
var membersOf sync.Map

// members returns the members of an object that is meant for t; open means any.
func members(t reflect.Type) (fields map[string]reflect.Type, open bool) {
	if t == nil || t.Kind() == reflect.Map {
		return nil, true
	}
	if known, ok := membersOf.Load(t); ok {
		return known.(map[string]reflect.Type), false
	}
	fields = map[string]reflect.Type{}
	if t.Kind() == reflect.Struct {
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			fields[name] = t.Field(i).Type
		}
	}
	membersOf.Store(t, fields)
	return fields, false
}

// checkText refuses what would make one text look like another, or break a line of a log.
func checkText(s []byte) error {
	if len(s) > maxString {
		return errors.New("string too long")
	}
	for len(s) > 0 {
		if s[0] >= ' ' && s[0] <= '~' {
			s = s[1:]
			continue
		}
		r, size := utf8.DecodeRune(s)
		s = s[size:]
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError {
			return fmt.Errorf("string holds %U", r)
		}
	}
	return nil
}
