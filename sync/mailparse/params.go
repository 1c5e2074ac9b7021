package mailparse

import (
	"bytes"
	"sort"
	"strconv"
	"strings"
)

// maxValue is how much of one structured field is read; real ones are a few hundred bytes.
const maxValue = 8 << 10

// structured reads a Content-Type or Content-Disposition value: "type/subtype; a=b; c=d" with
// RFC 2231 continuations and charsets. Whatever cannot be read is left out. The value is lower
// case; the names of the parameters are, too.
func structured(value []byte, hint string) (string, map[string]string) {
	b := unfold(value[:min(len(value), maxValue)])
	head, rest, _ := bytes.Cut(b, []byte(";"))
	if bytes.IndexByte(head, '=') >= 0 { // no semicolon after the type, or no type
		head, rest = nil, b
		if i := bytes.IndexAny(b, " \t"); i > 0 && bytes.IndexByte(b[:i], '/') > 0 {
			head, rest = b[:i], b[i:]
		}
	}
	kind, _, _ := strings.Cut(string(bytes.ToLower(bytes.TrimSpace(head))), " ")
	kind = clean(strings.Trim(kind, `"'`))
	var found map[string][]byte
	for len(rest) > 0 {
		var name string
		var val []byte
		name, val, rest = nextParam(rest)
		if name == "" {
			continue
		}
		if found == nil {
			found = make(map[string][]byte, 4)
		}
		if _, twice := found[name]; !twice {
			found[name] = val
		}
	}
	return kind, joinParams(found, hint)
}

// nextParam takes one "name=value;" from b.
func nextParam(b []byte) (name string, value, rest []byte) {
	end := bytes.IndexAny(b, "=;")
	if end < 0 {
		return "", nil, nil
	}
	if b[end] == ';' {
		return "", nil, b[end+1:]
	}
	name = string(bytes.ToLower(bytes.TrimSpace(b[:end])))
	b = bytes.TrimLeft(b[end+1:], " ")
	if len(b) > 0 && b[0] == '"' {
		if value, rest, ok := quoted(b); ok {
			if semi := bytes.IndexByte(rest, ';'); semi >= 0 {
				return name, value, rest[semi+1:]
			}
			return name, value, nil
		}
		b = b[1:] // never closed
	}
	value, rest, _ = bytes.Cut(b, []byte(";"))
	return name, bytes.TrimSpace(value), rest
}

// quoted reads the quoted string at the start of b. Only \" and \\ are escapes: Windows mailers
// write paths without doubling the backslash.
func quoted(b []byte) (value, rest []byte, ok bool) {
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] == '\\' && i+1 < len(b) && (b[i+1] == '"' || b[i+1] == '\\'):
			i++
			value = append(value, b[i])
		case b[i] == '"':
			return value, b[i+1:], true
		default:
			value = append(value, b[i])
		}
	}
	return nil, b, false
}

// joinParams puts RFC 2231 pieces ("name*0*", "name*1") together and decodes all values.
func joinParams(found map[string][]byte, hint string) map[string]string {
	params := make(map[string]string, len(found))
	pieces := map[string][]int{}
	for name, value := range found {
		base, tail, split := strings.Cut(name, "*")
		switch number, err := strconv.Atoi(strings.TrimSuffix(tail, "*")); {
		case !split:
			if _, better := params[name]; !better {
				params[name] = words(value, hint)
			}
		case tail == "":
			charset, text := extended(value)
			params[base], _ = toUTF8(text, charset)
		case err == nil && number >= 0:
			pieces[base] = append(pieces[base], number)
		}
	}
	for base, numbers := range pieces {
		params[base] = joinPieces(found, base, numbers)
	}
	return params
}

func joinPieces(found map[string][]byte, base string, numbers []int) string {
	sort.Ints(numbers)
	var text []byte
	charset := ""
	for i, number := range numbers {
		key := base + "*" + strconv.Itoa(number)
		value, plain := found[key]
		if !plain {
			value = found[key+"*"]
			if i == 0 {
				charset, value = extended(value)
			} else {
				value = unpercent(value)
			}
		}
		text = append(text, value...)
	}
	s, _ := toUTF8(text, charset)
	return oneLine(s)
}

// extended reads charset'language'percent-encoded text (RFC 2231 section 4).
func extended(b []byte) (charset string, text []byte) {
	if name, rest, ok := bytes.Cut(b, []byte("'")); ok {
		if _, text, ok := bytes.Cut(rest, []byte("'")); ok {
			return string(name), unpercent(text)
		}
	}
	return "", unpercent(b)
}

func unpercent(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && isHex(b[i+1:]) {
			out = append(out, byte(unhex(b[i+1])<<4|unhex(b[i+2])))
			i += 2
			continue
		}
		out = append(out, b[i])
	}
	return out
}
