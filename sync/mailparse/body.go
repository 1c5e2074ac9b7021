package mailparse

import (
	"bufio"
	"bytes"
	"io"
)

// body reads one part up to the boundary that ends it. The line end before a boundary belongs
// to the boundary (RFC 2046 section 5.1.1), so each line end waits until the next line is known.
type body struct {
	s     *scanner
	front []byte // to be handed out first: a line end
	chunk []byte // then this, in the reader's buffer
	eol   []byte // the line end that waits
	start bool   // at the start of a line
	err   error

	hit  int  // level of the boundary that ended the part, -1 for the end of the mail
	last bool // it was an end boundary
}

var (
	lf   = []byte("\n")
	crlf = []byte("\r\n")
	cr   = []byte("\r")
)

func (s *scanner) newBody() *body {
	return &body{s: s, start: true, hit: -1}
}

// boundary returns the level that line is a boundary of, or -1.
func (s *scanner) boundary(line []byte) (level int, last bool) {
	line = bytes.TrimRight(line, " \t\r\n")
	for i := len(s.stack) - 1; i >= 0; i-- {
		rest, ok := bytes.CutPrefix(line, s.stack[i].boundary)
		if ok && len(rest) == 0 {
			return i, false
		}
		if ok && string(rest) == "--" {
			return i, true
		}
	}
	return -1, false
}

func (b *body) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		switch {
		case len(b.front) > 0:
			c := copy(p[n:], b.front)
			b.front = b.front[c:]
			n += c
		case len(b.chunk) > 0:
			c := copy(p[n:], b.chunk)
			b.chunk = b.chunk[c:]
			n += c
		case b.err != nil:
			if n == 0 {
				return 0, b.err
			}
			return n, nil
		default:
			b.advance()
		}
	}
	return n, nil
}

// advance takes the next line. The part goes on with it, so the line end that waited is due.
func (b *body) advance() {
	line, err := b.s.br.ReadSlice('\n')
	if b.start && len(line) > 2 && line[0] == '-' && line[1] == '-' && err != bufio.ErrBufferFull {
		if level, last := b.s.boundary(line); level >= 0 {
			b.hit, b.last, b.err = level, last, io.EOF
			return
		}
	}
	if string(b.eol) == "\r" && string(line) == "\n" {
		b.eol, b.start = crlf, true // the buffer's end fell between the two
		return
	}
	b.front, b.eol = b.eol, nil
	b.start = err == nil
	switch {
	case bytes.HasSuffix(line, crlf):
		b.eol = crlf
	case bytes.HasSuffix(line, lf):
		b.eol = lf
	case err == bufio.ErrBufferFull && bytes.HasSuffix(line, cr):
		b.eol = cr
	}
	b.chunk = line[:len(line)-len(b.eol)]
	if err != nil && err != bufio.ErrBufferFull {
		b.err = err
	}
}
