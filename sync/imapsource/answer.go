package imapsource

import (
	"errors"
	"strconv"
	"strings"
)

// value is one value of a server's answer (RFC 3501 section 9): an atom, a string or a list.
type value struct {
	text   string
	quoted bool // text was a string, and "NIL" is a word
	list   []value
	isList bool
}

// null reports whether v is NIL.
func (v value) null() bool { return !v.isList && !v.quoted && strings.EqualFold(v.text, "NIL") }

// deepest is how far lists may nest: a mail with more parts within parts is refused by others.
const deepest = 200

var errAnswer = errors.New("an answer cannot be understood")

// answerOf reads the values of one untagged answer, without its "*".
func answerOf(line string) ([]value, error) {
	p := &answerReader{rest: strings.TrimPrefix(line, "*")}
	values, err := p.values(0)
	if err == nil && p.rest != "" {
		err = errAnswer
	}
	return values, err
}

type answerReader struct{ rest string }

// values reads up to the end of the line or of the list, whose parenthesis it leaves.
func (p *answerReader) values(depth int) ([]value, error) {
	if depth > deepest {
		return nil, errAnswer
	}
	var out []value
	for {
		p.rest = strings.TrimLeft(p.rest, " ")
		if p.rest == "" || p.rest[0] == ')' {
			return out, nil
		}
		v, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

func (p *answerReader) value(depth int) (value, error) {
	switch p.rest[0] {
	case '(':
		p.rest = p.rest[1:]
		list, err := p.values(depth + 1)
		if err != nil || p.rest == "" {
			return value{}, errAnswer
		}
		p.rest = p.rest[1:]
		return value{list: list, isList: true}, nil
	case '"':
		return p.quoted()
	case '{':
		return p.literal()
	}
	end := strings.IndexAny(p.rest, " ()\"")
	if open := strings.IndexByte(p.rest, '['); open >= 0 && open < end { // BODY[HEADER.FIELDS (A B)]
		if shut := strings.IndexByte(p.rest, ']'); shut > open {
			end = shut + 1 + max(0, strings.IndexAny(p.rest[shut+1:]+" ", " ()\""))
		}
	}
	if end < 0 {
		end = len(p.rest)
	}
	if end == 0 {
		return value{}, errAnswer
	}
	v := value{text: p.rest[:end]}
	p.rest = p.rest[end:]
	return v, nil
}

func (p *answerReader) quoted() (value, error) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case '"':
			p.rest = p.rest[i+1:]
			return value{text: b.String(), quoted: true}, nil
		case '\\':
			if i++; i == len(p.rest) {
				return value{}, errAnswer
			}
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return value{}, errAnswer
}

func (p *answerReader) literal() (value, error) {
	head, rest, ok := strings.Cut(p.rest, "\n")
	size, isSize := literalSize([]byte(head))
	if !ok || !isSize || size > int64(len(rest)) {
		return value{}, errAnswer
	}
	p.rest = rest[size:]
	return value{text: rest[:size], quoted: true}, nil
}

// fetched returns the items of a FETCH answer by their names in upper case; nil for any other.
func fetched(line string) map[string]value {
	values, err := answerOf(line)
	if err != nil || len(values) != 3 || !strings.EqualFold(values[1].text, "FETCH") || len(values[2].list)%2 != 0 {
		return nil
	}
	items := make(map[string]value)
	for list := values[2].list; len(list) > 0; list = list[2:] {
		items[strings.ToUpper(list[0].text)] = list[1]
	}
	return items
}

// number reads v as a number other than 0; 0: it is none.
func (v value) number() uint32 {
	n, err := strconv.ParseUint(v.text, 10, 32)
	if err != nil || v.isList {
		return 0
	}
	return uint32(n)
}
