package salesforce

import (
	"encoding/json"
	"errors"
	"io"
)

// errShape is an answer that is JSON but not what was asked for.
var errShape = errors.New("answer does not fit the request")

// The answers below are read value by value: a describe or 2,000 rows would otherwise stand in
// memory twice.

// walkObject reads one JSON object; visit consumes exactly the value of each key.
func walkObject(dec *json.Decoder, visit func(key string) error) error {
	if err := expect(dec, '{'); err != nil {
		return err
	}
	return walkMembers(dec, visit)
}

// walkMembers is walkObject after the opening brace.
func walkMembers(dec *json.Decoder, visit func(key string) error) error {
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		key, ok := tok.(string)
		if !ok {
			return errShape
		}
		if err := visit(key); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

// walkElements reads the rest of an array after its opening bracket; visit consumes exactly one element.
func walkElements(dec *json.Decoder, visit func() error) error {
	for dec.More() {
		if err := visit(); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

// walkArray reads one JSON array, or null.
func walkArray(dec *json.Decoder, visit func() error) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	if tok == nil {
		return nil
	}
	if tok != json.Delim('[') {
		return errShape
	}
	return walkElements(dec, visit)
}

func expect(dec *json.Decoder, want json.Delim) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	if tok != want {
		return errShape
	}
	return nil
}

// skip consumes one value without keeping it.
func skip(dec *json.Decoder) error {
	depth := 0
	for {
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		switch tok {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// tolerant decodes a value into T where it has T's shape, and leaves the zero value where it has
// another: answers vary in what they add, not in what we need.
type tolerant[T any] struct{ V T }

func (t *tolerant[T]) UnmarshalJSON(b []byte) error {
	var v T
	if json.Unmarshal(b, &v) == nil {
		t.V = v
	}
	return nil
}

// apiError is one element of an error answer. Single-record errors say errorCode, collections
// say statusCode.
type apiError struct {
	ErrorCode  tolerant[string]   `json:"errorCode"`
	StatusCode tolerant[string]   `json:"statusCode"`
	Message    tolerant[string]   `json:"message"`
	Fields     tolerant[[]string] `json:"fields"`
}

func (e apiError) code() string {
	if e.ErrorCode.V != "" {
		return e.ErrorCode.V
	}
	return e.StatusCode.V
}

// saved is one element of a collections answer; where the whole collection was refused it is an
// error element instead.
type saved struct {
	ID      tolerant[string] `json:"id"`
	Success tolerant[bool]   `json:"success"`
	Errors  []apiError       `json:"errors"`
	apiError
}

// first returns the error of an element that was not saved.
func (s saved) first() apiError {
	if len(s.Errors) > 0 {
		return s.Errors[0]
	}
	return s.apiError
}

// part is what one subrequest of a composite call was answered.
type part struct {
	status int
	ref    string
	errs   []apiError // where status is no success
	done   bool       // query: no further rows
	more   string     // query: the locator of further rows
}

func (p part) ok() bool { return p.status/100 == 2 }

// reader consumes the body of one subrequest's answer.
type reader func(dec *json.Decoder, p *part) error

// composite reads the answer to a composite request whose subrequests were refs, in order.
func composite(body io.Reader, refs []string, readers []reader) ([]part, error) {
	dec := json.NewDecoder(body)
	var parts []part
	err := walkObject(dec, func(key string) error {
		if key != "compositeResponse" {
			return skip(dec)
		}
		return walkArray(dec, func() error {
			if len(parts) == len(refs) {
				return errShape
			}
			p := part{}
			err := walkObject(dec, func(key string) error { return p.member(dec, key, readers[len(parts)]) })
			parts = append(parts, p)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	if len(parts) != len(refs) {
		return nil, errShape
	}
	for i, p := range parts {
		if p.ref != refs[i] || p.status == 0 {
			return nil, errShape
		}
	}
	return parts, nil
}

func (p *part) member(dec *json.Decoder, key string, read reader) error {
	switch key {
	case "body":
		return read(dec, p)
	case "httpStatusCode":
		return dec.Decode(&p.status)
	case "referenceId":
		return dec.Decode(&p.ref)
	}
	return skip(dec)
}

// rows reads a query's answer, or the errors that stand in its place; row consumes one record.
func rows(row func(dec *json.Decoder) error) reader {
	return func(dec *json.Decoder, p *part) error {
		var e apiError
		p.done = true
		return objectOrErrors(dec, p, func(key string) error {
			switch key {
			case "records":
				return walkArray(dec, func() error { return row(dec) })
			case "done":
				return dec.Decode(&p.done)
			case "nextRecordsUrl":
				return dec.Decode(&p.more)
			}
			return e.member(dec, key, p)
		})
	}
}

// member keeps what a bare error object says; a few answers come without their array.
func (e *apiError) member(dec *json.Decoder, key string, p *part) error {
	switch key {
	case "errorCode":
		if err := dec.Decode(&e.ErrorCode); err != nil {
			return err
		}
	case "message":
		if err := dec.Decode(&e.Message); err != nil {
			return err
		}
	default:
		return skip(dec)
	}
	p.errs = []apiError{*e}
	return nil
}

// objectOrErrors reads a body that is one object on success and an array of errors otherwise.
func objectOrErrors(dec *json.Decoder, p *part, visit func(key string) error) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	switch tok {
	case json.Delim('{'):
		return walkMembers(dec, visit)
	case json.Delim('['):
		return walkElements(dec, func() error {
			var e apiError
			if err := dec.Decode(&e); err != nil {
				return err
			}
			p.errs = append(p.errs, e)
			return nil
		})
	case nil:
		return nil
	}
	return errShape
}

// results reads the answer of one collection into into, which the caller owns.
func results(into *[]saved) reader {
	return func(dec *json.Decoder, p *part) error {
		*into = (*into)[:0]
		return walkArray(dec, func() error {
			if len(*into) > collection {
				return errShape
			}
			var s saved
			if err := dec.Decode(&s); err != nil {
				return err
			}
			*into = append(*into, s)
			if e := s.apiError; e.code() != "" {
				p.errs = append(p.errs, e)
			}
			return nil
		})
	}
}
