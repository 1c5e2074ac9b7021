package mailparse

import (
	"bufio"
	"bytes"
	"io"
)

// readBlock reads the header block, up to and without the empty line that ends it, into buf
// and leaves br at the body. At most limit bytes are kept; cut says that more were there.
// ended is false when the input was over before an empty line came. err comes from br alone.
func readBlock(br *bufio.Reader, buf []byte, limit int) (block []byte, cut, ended bool, err error) {
	start := true // at the start of a line
	for {
		line, err := br.ReadSlice('\n')
		if start && isEmptyLine(line) && err == nil {
			if len(buf) == 0 && !cut {
				continue // empty lines before the first field
			}
			return buf, cut, true, nil
		}
		if room := limit - len(buf); len(line) > room {
			line, cut = line[:room], true
		}
		buf = append(buf, line...)
		start = err == nil
		switch err {
		case nil, bufio.ErrBufferFull:
		case io.EOF:
			return buf, cut, false, nil
		default:
			return buf, cut, false, err
		}
	}
}

func isEmptyLine(line []byte) bool {
	return len(line) == 1 && line[0] == '\n' || len(line) == 2 && line[0] == '\r' && line[1] == '\n'
}

// fields calls yield with each field of a header block: its name as written and its value with
// the folding still in it. A line that is neither field nor continuation belongs to the field
// before it, as when a mailer wrapped a line and forgot the space; before the first field it is
// skipped (the "From " line of an mbox).
func fields(block []byte, yield func(name, value []byte)) {
	var name, value []byte
	var from int // where value starts in block
	for at := 0; at < len(block); {
		end := len(block)
		if i := bytes.IndexByte(block[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if n, ok := fieldName(block[at:end]); ok {
			if name != nil {
				yield(name, value)
			}
			name = block[at : at+n]
			from = at + bytes.IndexByte(block[at:end], ':') + 1
		}
		if name != nil {
			value = block[from:end]
		}
		at = end
	}
	if name != nil {
		yield(name, value)
	}
}

// fieldName returns the length of the field name that line starts with (RFC 5322 section
// 3.6.8: printable ASCII before a colon; white space before the colon is obsolete but seen).
func fieldName(line []byte) (int, bool) {
	for i, c := range line {
		switch {
		case c == ':':
			return i, i > 0
		case c == ' ' || c == '\t':
			rest := bytes.TrimLeft(line[i:], " \t")
			return i, i > 0 && len(rest) > 0 && rest[0] == ':'
		case c <= ' ' || c >= 0x7f:
			return 0, false
		}
	}
	return 0, false
}

// firstStray returns the offset of the first line after the first field that is neither a field
// nor a continuation, 0 where there is no field at all, or -1. Where the empty line is missing, the
// body starts there.
func firstStray(block []byte) int {
	seen := false
	for at := 0; at < len(block); {
		end := len(block)
		if i := bytes.IndexByte(block[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		line := block[at:end]
		if _, ok := fieldName(line); ok {
			seen = true
		} else if seen && line[0] != ' ' && line[0] != '\t' {
			return at
		}
		at = end
	}
	if !seen && len(block) > 0 {
		return 0
	}
	return -1
}

// unfold returns a field's value as one line without the white space around it: line ends and
// other control characters become spaces.
func unfold(value []byte) []byte {
	value = bytes.TrimSpace(value)
	for i, c := range value {
		if c < ' ' || c == 0x7f {
			return unfoldFrom(value, i)
		}
	}
	return value
}

func unfoldFrom(value []byte, i int) []byte {
	out := make([]byte, i, len(value))
	copy(out, value)
	for ; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\r' || c == '\n':
			// Folding adds the line end only: the white space after it is the writer's own.
			if c == '\n' && i+1 < len(value) && value[i+1] != ' ' && value[i+1] != '\t' {
				out = append(out, ' ')
			}
		case c == 0x1b:
			out = append(out, c) // ESC of a raw ISO-2022-JP text
		case c < ' ' || c == 0x7f:
			out = append(out, ' ')
		default:
			out = append(out, c)
		}
	}
	return out
}
