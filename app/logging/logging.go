// Package logging sets up the agent's log: one rotated file only its user can read, lines at the
// chosen level, and the last lines in memory for diagnostics.
//
// What is logged never holds content, addresses or tokens; that is every caller's duty, and the
// redactor here is the second wall: what looks like an address or a token is replaced. Handlers are safe for concurrent use.
package logging

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"

	"gopkg.in/natefinch/lumberjack.v2"
)

// Options says where and how much is logged.
type Options struct {
	File  string // rotated at 5 MB, three old ones kept; "" logs to Writer alone
	Level slog.Level
	// Also receives every line when not nil, such as standard error of a run in the foreground.
	Also io.Writer
}

// New returns the logger and what closes its file.
func New(o Options) (*slog.Logger, io.Closer) {
	file := &lumberjack.Logger{Filename: o.File, MaxSize: 5, MaxBackups: 3}
	var w io.Writer = file
	switch {
	case o.File == "" && o.Also != nil:
		w = o.Also
	case o.Also != nil:
		w = io.MultiWriter(file, o.Also)
	}
	h := slog.NewTextHandler(w, &slog.HandlerOptions{Level: o.Level, ReplaceAttr: redact})
	return slog.New(h), file
}

// personal matches mail addresses and Message-IDs; bearer matches what tokens look like: long
// runs without spaces (Salesforce's hold a "!", JWTs two dots).
var (
	personal = regexp.MustCompile(`[^\s<>"']+@[^\s<>"']+`)
	bearer   = regexp.MustCompile(`[A-Za-z0-9_\-+/=.!]{40,}`)
)

// redact replaces what looks personal or secret in every text value.
func redact(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.SourceKey {
		return a
	}
	var text string
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		text = v.String()
	case slog.KindAny:
		text = fmt.Sprint(v.Any())
	default:
		return a
	}
	text = personal.ReplaceAllString(text, "[address]")
	a.Value = slog.StringValue(bearer.ReplaceAllString(text, "[token]"))
	return a
}
