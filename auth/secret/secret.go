// Package secret keeps tokens and keys from being printed by accident.
//
// It is a leaf with one type. Values are immutable and safe for concurrent use.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// String is a string that no fmt verb, logger or encoder prints. The value sits behind a
// pointer because fmt skips Format on another struct's private field. The zero value is empty.
type String struct{ p *string }

// New wraps s.
func New(s string) String { return String{p: &s} }

// Reveal returns the value, for the one place that must send or seal it.
func (s String) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// Empty reports whether there is no value.
func (s String) Empty() bool { return s.Reveal() == "" }

// Equal reports whether both hold the same value.
func (s String) Equal(t String) bool { return s.Reveal() == t.Reveal() }

// Format implements [fmt.Formatter] for every verb.
func (String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// LogValue implements [slog.LogValuer].
func (String) LogValue() slog.Value { return slog.StringValue("[secret]") }

// MarshalText implements [encoding.TextMarshaler], so that JSON and XML print no value either.
func (String) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }
