package salesforcetest

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// kind is what a SOQL token is.
type kind int

const (
	tokEnd kind = iota
	tokName
	tokString
	tokNumber
	tokDate // date or datetime literal
	tokSign // ( ) , = != < > <= >= :
)

// token is one word of a statement; text is unescaped for strings, raw is as written.
type token struct {
	kind kind
	text string
	pos  int // byte offset
	raw  string
}

func (t token) is(word string) bool { return t.kind == tokName && strings.EqualFold(t.text, word) }

func (t token) sign(s string) bool { return t.kind == tokSign && t.text == s }

// soqlError is a refusal with the place it concerns.
type soqlError struct {
	code, text string
	pos        int
	bare       bool // the message has no statement and caret
}

func malformed(pos int, format string, args ...any) *soqlError {
	return &soqlError{code: "MALFORMED_QUERY", text: fmt.Sprintf(format, args...), pos: pos}
}

// api builds the message as Salesforce does: the surrounding statement, a caret, row and column.
func (e *soqlError) api(statement string) *apiError {
	if e.bare {
		return fail(400, e.code, e.text)
	}
	pos := min(e.pos, len(statement))
	row := 1 + strings.Count(statement[:pos], "\n")
	lineStart := strings.LastIndexByte(statement[:pos], '\n') + 1
	col := utf8.RuneCountInString(statement[lineStart:pos]) + 1
	from, to := max(lineStart, pos-40), min(len(statement), pos+40)
	for from < pos && !utf8.RuneStart(statement[from]) {
		from++
	}
	for to < len(statement) && !utf8.RuneStart(statement[to]) {
		to--
	}
	line, _, _ := strings.Cut(statement[from:to], "\n")
	caret := strings.Repeat(" ", utf8.RuneCountInString(statement[from:pos])) + "^"
	return fail(400, e.code, fmt.Sprintf("\n%s\n%s\nERROR at Row:%d:Column:%d\n%s", line, caret, row, col, e.text))
}

// lex splits a statement into tokens; the last one is tokEnd.
func lex(s string) ([]token, *soqlError) {
	out := make([]token, 0, 32+len(s)/24)
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '\'':
			text, n, err := lexString(s, i)
			if err != nil {
				return nil, err
			}
			out = append(out, token{tokString, text, i, s[i+1 : i+n-1]})
			i += n
		case isLetter(c):
			n := span(s[i:], func(c byte) bool { return isLetter(c) || isDigit(c) || c == '.' })
			out = append(out, token{kind: tokName, text: s[i : i+n], pos: i})
			i += n
		case isDigit(c) || (c == '-' || c == '+') && i+1 < len(s) && isDigit(s[i+1]):
			t, err := lexNumber(s, i)
			if err != nil {
				return nil, err
			}
			out = append(out, t)
			i += len(t.text)
		default:
			t, err := lexSign(s, i)
			if err != nil {
				return nil, err
			}
			out = append(out, t)
			i += len(t.text)
		}
	}
	return append(out, token{kind: tokEnd, pos: len(s)}), nil
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func span(s string, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

// lexString reads a quoted string from s[at]; n counts its bytes, quotes included.
func lexString(s string, at int) (text string, n int, err *soqlError) {
	end := at + 1
	for end < len(s) && s[end] != '\'' && s[end] != '\\' {
		end++
	}
	if end < len(s) && s[end] == '\'' {
		return s[at+1 : end], end + 1 - at, nil // nothing to unescape
	}
	var b strings.Builder
	for i := at + 1; i < len(s); i++ {
		switch s[i] {
		case '\'':
			return b.String(), i + 1 - at, nil
		case '\\':
			used, ok := unescape(s[i+1:], &b)
			if !ok {
				return "", 0, malformed(i, "Invalid string literal '%s'. Illegal character sequence", clip(s[i:], 4))
			}
			i += used
		default:
			b.WriteByte(s[i])
		}
	}
	return "", 0, malformed(at, "line 1:%d mismatched character '<EOF>' expecting '''", len(s))
}

// unescape reads what follows a backslash.
func unescape(s string, b *strings.Builder) (used int, ok bool) {
	if s == "" {
		return 0, false
	}
	switch s[0] {
	case 'n', 'N':
		b.WriteByte('\n')
	case 'r', 'R':
		b.WriteByte('\r')
	case 't', 'T':
		b.WriteByte('\t')
	case 'b', 'B':
		b.WriteByte('\b')
	case 'f', 'F':
		b.WriteByte('\f')
	case '"', '\'', '\\', '%', '_':
		b.WriteByte(s[0])
	case 'u':
		if len(s) < 5 {
			return 0, false
		}
		n, err := strconv.ParseUint(s[1:5], 16, 16)
		if err != nil {
			return 0, false
		}
		b.WriteRune(rune(n))
		return 5, true
	default:
		return 0, false
	}
	return 1, true
}

// lexNumber reads a number, a date or a datetime.
func lexNumber(s string, at int) (token, *soqlError) {
	n := 1 + span(s[at+1:], func(c byte) bool {
		return isDigit(c) || c == '.' || c == '-' || c == ':' || c == '+' || c == 'T' || c == 'Z' || c == 'z'
	})
	text := s[at : at+n]
	if !strings.ContainsAny(text[1:], "-:TZz+") {
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			return token{}, malformed(at, "unexpected token: '%s'", text)
		}
		return token{kind: tokNumber, text: text, pos: at}, nil
	}
	if _, _, ok := dateLiteral(text); !ok {
		return token{}, malformed(at, "unexpected token: '%s'", text)
	}
	return token{kind: tokDate, text: text, pos: at}, nil
}

func lexSign(s string, at int) (token, *soqlError) {
	for _, sign := range []string{"!=", "<>", "<=", ">=", "(", ")", ",", "=", "<", ">", ":"} {
		if strings.HasPrefix(s[at:], sign) {
			return token{kind: tokSign, text: sign, pos: at}, nil
		}
	}
	r, _ := utf8.DecodeRuneInString(s[at:])
	return token{}, malformed(at, "unexpected token: '%c'", r)
}
