// Package logging sets up the agent's log: one rotated file only its user can read, lines at the
// chosen level, and the last lines in memory for diagnostics.
//
// What is logged never holds content, addresses or tokens; that is every caller's duty, and the
// redactor here is the second wall: what looks like an address or a token is replaced. Handlers are safe for concurrent use.
package logging

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"unicode"

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

var (
	// personal matches mail addresses and Message-IDs.
	personal = regexp.MustCompile(`[^\s<>"']+@[^\s<>"']+`)
	// named are the places where protocols put a secret: in a form or a query, in JSON (quoted once
	// more or not), after the word that announces it in a header or in IMAP.
	named = []place{
		{regexp.MustCompile(`(?i)\b(?:` + secretNames + `)(?:=|%3D)`), regexp.MustCompile(`^[^\s&"'<>]+`)},
		{regexp.MustCompile(`(?i)\\*["'](?:` + secretNames + `)\\*["']\s*:\s*\\*["']`), regexp.MustCompile(`^(?:[^"'\\]|\\[^"'\\])+`)},
		{regexp.MustCompile(`(?i)\b(?:bearer|xoauth2|oauthbearer)\s+`), regexp.MustCompile(`^[^\s"'<>]{6,}`)},
		{regexp.MustCompile(`(?i)\b(?:basic|oauth)\s+`), regexp.MustCompile(`^[^\s"'<>]{16,}`)},
	}
	// long matches what tokens look like wherever they stand: long runs without spaces (Salesforce's
	// hold a "!", Microsoft's "*" and "$", JWTs two dots, and any of them may be percent-encoded).
	long = regexp.MustCompile(`[A-Za-z0-9_\-+/=.!*$~%]{40,}`)
	// short matches what may be a shorter one; tokenLike decides.
	short = regexp.MustCompile(`[A-Za-z0-9_\-+=!*$~%]{24,}`)
)

const secretNames = `code|code_verifier|client_secret|state|nonce|assertion|password|passphrase|passwd|pass|secret|sid|auth|` +
	`authorization|token|access_token|refresh_token|id_token|oauth_token|device_code`

// place is where a secret begins, and how far it goes.
type place struct{ before, secret *regexp.Regexp }

// clean takes out what stands in such places. The words before are looked for on their own, so that
// one which is part of what is taken out still counts for what follows it.
func (p place) clean(text string) string {
	var out strings.Builder
	done := 0
	for _, at := range p.before.FindAllStringIndex(text, -1) {
		if at[1] < done {
			continue
		}
		if n := len(p.secret.FindString(text[at[1]:])); n > 0 {
			out.WriteString(text[done:at[1]] + "[secret]")
			done = at[1] + n
		}
	}
	return out.String() + text[done:]
}

// tokenLike reports whether a run is random rather than a word or a number: it has digits and
// letters of both cases.
func tokenLike(run string) bool {
	return strings.ContainsAny(run, "0123456789") && strings.ContainsFunc(run, unicode.IsUpper) && strings.ContainsFunc(run, unicode.IsLower)
}

// redact replaces what looks personal or secret in every text value.
func redact(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.SourceKey {
		return a
	}
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(clean(v.String()))
	case slog.KindAny:
		a.Value = slog.StringValue(clean(printed(v.Any())))
	}
	return a
}

// printed is fmt.Sprint, which however writes bytes as numbers that nobody would find a secret in.
func printed(v any) string {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case json.RawMessage:
		return string(v)
	}
	return fmt.Sprint(v)
}

func clean(text string) string {
	for _, n := range named {
		text = n.clean(text)
	}
	text = personal.ReplaceAllString(text, "[address]")
	text = long.ReplaceAllString(text, "[token]")
	return short.ReplaceAllStringFunc(text, func(run string) string {
		if tokenLike(run) {
			return "[token]"
		}
		return run
	})
}
