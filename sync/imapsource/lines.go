package imapsource

import (
	"bytes"
	"strconv"
	"strings"
)

const (
	maxHead   = 64      // bytes that are held back at most before a line is judged
	maxTail   = 32      // enough for "{18446744073709551615} \r\n"
	maxNotice = 400     // bytes of a server's last words that are kept
	maxOwn    = 1 << 20 // bytes of an answer that is kept apart; a longer one is cut
)

// lineKind is what happens to one answer of the server, literals included.
type lineKind int

const (
	undecided  lineKind = iota
	dataLine            // passed on, may hold literals
	textLine            // passed on, holds none: "{5}" at its end is text
	noticeLine          // the same, and kept
	dropLine            // removed, may hold literals
	dropText            // removed, holds none
	ownLine             // removed and kept apart: an answer to a command that the library did not send
	ownData             // the same, may hold literals
)

// ownTag begins the tags of such commands; the library's begin with T.
const ownTag = 'W'

// lineFilter goes through the server's answers line by line. It removes the untagged answers
// that the library treats as the end of the connection (unknown ones such as VANISHED or XLIST)
// or may die of without needing them (FLAGS and PERMANENTFLAGS, where some servers list names
// that are no atoms), and keeps the text of BYE, NO, BAD and ALERT. The zero value expects a greeting.
type lineFilter struct {
	kind    lineKind
	greeted bool
	head    []byte // start of a line not judged yet
	tail    []byte // end of the line so far
	lit     int64  // bytes left of a literal
	notice  []byte
	ready   bool // notice is a whole line
	split   bool // there are answers for others than the library
	whole   bool // untagged answers are for them, too
	mine    []byte
	own     []string
}

// passing returns how many of n bytes may go straight from the connection to the reader.
func (f *lineFilter) passing(n int) int {
	if f.lit == 0 || f.kind != dataLine {
		return 0
	}
	return int(min(int64(n), f.lit))
}

func (f *lineFilter) passed(n int) { f.lit -= int64(n) }

// feed appends to out what of in the library shall see.
func (f *lineFilter) feed(out, in []byte) []byte {
	for len(in) > 0 {
		if f.lit > 0 {
			n := int(min(int64(len(in)), f.lit))
			switch f.kind {
			case dataLine:
				out = append(out, in[:n]...)
			case ownData:
				f.keep(in[:n])
			}
			f.lit -= int64(n)
			in = in[n:]
			continue
		}
		part, ended := in, false
		if i := bytes.IndexByte(in, '\n'); i >= 0 {
			part, ended = in[:i+1], true
		}
		in = in[len(part):]
		if f.kind == undecided {
			f.head = append(f.head, part...)
			if f.kind = f.judge(ended); f.kind == undecided {
				continue
			}
			out = f.line(out, f.head, ended)
			f.head = f.head[:0]
			continue
		}
		out = f.line(out, part, ended)
	}
	return out
}

// line handles a judged line's next part.
func (f *lineFilter) line(out, part []byte, ended bool) []byte {
	switch f.kind {
	case dataLine, textLine:
		out = append(out, part...)
	case noticeLine:
		out = append(out, part...)
		if f.ready {
			f.notice, f.ready = f.notice[:0], false
		}
		f.notice = append(f.notice, part[:min(len(part), maxNotice-len(f.notice))]...)
	case ownLine, ownData:
		f.keep(part)
	}
	if !ended {
		f.tail = append(f.tail, part[max(0, len(part)-maxTail):]...)
		f.tail = f.tail[max(0, len(f.tail)-maxTail):]
		return out
	}
	f.tail = append(f.tail, part[max(0, len(part)-maxTail):]...)
	size, literal := literalSize(f.tail)
	f.tail = f.tail[:0]
	if literal && (f.kind == dataLine || f.kind == dropLine || f.kind == ownData) {
		f.lit = size // the line goes on behind it
		return out
	}
	if f.kind == ownLine || f.kind == ownData {
		f.own = append(f.own, strings.TrimRight(string(f.mine), "\r\n"))
		f.mine = nil
	}
	f.ready = f.kind == noticeLine || f.ready
	f.kind, f.greeted = undecided, true
	return out
}

func (f *lineFilter) keep(part []byte) {
	f.mine = append(f.mine, part[:min(len(part), maxOwn-len(f.mine))]...)
}

// takeNotice returns the last whole notice and forgets it.
func (f *lineFilter) takeNotice() string {
	if !f.ready {
		return ""
	}
	text := strings.ToValidUTF8(strings.TrimSpace(string(f.notice)), "?")
	f.notice, f.ready = f.notice[:0], false
	return text
}

// takeOwn returns the answers that are not for the library, and forgets them.
func (f *lineFilter) takeOwn() []string {
	own := f.own
	f.own = nil
	return own
}

// literalSize reads the "{123}" at the end of a line. One space behind it is tolerated, as the
// library does.
func literalSize(line []byte) (int64, bool) {
	line = bytes.TrimSuffix(line, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	line = bytes.TrimSuffix(line, []byte(" "))
	if !bytes.HasSuffix(line, []byte("}")) {
		return 0, false
	}
	open := bytes.LastIndexByte(line, '{')
	if open < 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(line[open+1:len(line)-1]), 10, 63)
	return int64(n), err == nil
}

// judge decides over the line in head by its start, or returns undecided when more of it is needed.
func (f *lineFilter) judge(ended bool) lineKind {
	head := f.head
	switch {
	case f.split && (head[0] == '+' || head[0] == ownTag):
		return ownLine
	case head[0] != '*':
		return textLine // tagged, a continuation, or no IMAP at all
	}
	ended = ended || len(head) >= maxHead
	words := strings.FieldsFunc(string(head), isSeparator)
	if !ended && !isSeparator(rune(head[len(head)-1])) {
		words = words[:len(words)-1] // it may go on
	}
	missing := undecided
	switch {
	case ended && f.whole:
		missing = ownLine
	case ended:
		missing = textLine
	}
	if len(words) < 2 {
		return missing
	}
	switch kind := strings.ToUpper(words[1]); {
	case kind == "BYE" || kind == "NO" || kind == "BAD":
		return noticeLine
	case kind == "OK" || kind == "PREAUTH":
		if len(words) < 3 {
			return missing
		}
		if judged := judgeStatus(strings.ToUpper(words[2])); judged == noticeLine || !f.whole {
			return judged
		}
		return ownLine
	case !f.greeted:
		return textLine
	case f.whole:
		return ownData
	case kind[0] >= '0' && kind[0] <= '9':
		if len(words) < 3 {
			return missing
		}
		return judgeNumbered(strings.ToUpper(words[2]))
	}
	return judgeData(strings.ToUpper(words[1]))
}

func isSeparator(r rune) bool { return r == ' ' || r == '(' || r == '\r' || r == '\n' }

func judgeStatus(code string) lineKind {
	switch code {
	case "[PERMANENTFLAGS":
		return dropText
	case "[ALERT]":
		return noticeLine
	}
	return textLine
}

func judgeNumbered(what string) lineKind {
	switch what {
	case "EXISTS", "RECENT", "EXPUNGE", "FETCH":
		return dataLine
	}
	return dropLine
}

func judgeData(what string) lineKind {
	switch what {
	case "ID", "CAPABILITY", "ENABLED", "NAMESPACE", "LIST", "STATUS", "SEARCH", "ESEARCH":
		return dataLine
	}
	return dropLine
}
