// Package fault names everything that can go wrong, so that one place decides what happens next
// and one catalogue tells people about it.
//
// A fault has a [Code]; the code's [Class] alone decides what happens next; its texts (what
// happened, what it means for the data, what to do) stand in the translation files under
// "fault.<code>". People never see Error(): it is for logs and carries no content, no address
// and no token. The package is a leaf without I/O; values are safe for concurrent use.
package fault

import (
	"errors"
	"time"
)

// Class says what happens after a fault.
type Class int

const (
	Retry Class = iota + 1 // goes away by itself: wait and try again
	User                   // needs the person at the keyboard
	Admin                  // needs the Salesforce or company administrator
	Bug                    // must not happen: report it
)

// Code is the stable name of a fault, lower case with dashes; it is shown to people and used in
// --json output, so it never changes its meaning.
type Code string

// Error is a fault that happened. Err may hold technical detail for the log, never content.
type Error struct {
	Code Code
	Op   string // what was being done, lower case: "create records"
	Err  error

	// Unknown says that the effect may have happened although no answer came: verify before a retry.
	Unknown bool
	// After is how long the other side asked to wait; 0 when it did not say.
	After time.Duration
	// Detail is text for the person alone, such as an administrator's validation message. It may
	// repeat content: it is stored sealed, shown, and never logged.
	Detail string
}

// New returns a fault of the given code. err may be nil.
func New(code Code, op string, err error) *Error {
	return &Error{Code: code, Op: op, Err: err}
}

// Error returns "op: code: cause", without Detail.
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Of returns the fault in err's chain, or one with code [Internal] wrapping err. Of(nil) is nil.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	var f *Error
	if errors.As(err, &f) {
		return f
	}
	return New(Internal, "", err)
}

// Is reports whether err's fault has the given code.
func Is(err error, code Code) bool {
	var f *Error
	return errors.As(err, &f) && f.Code == code
}

// Class returns what happens after a fault of this code; an unknown code is a [Bug].
func (c Code) Class() Class {
	if class, ok := classes[c]; ok {
		return class
	}
	return Bug
}
