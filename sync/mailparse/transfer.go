package mailparse

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"io"
	"strings"
)

// decoder returns body without its Content-Transfer-Encoding (RFC 2045 section 6). known is
// false for an encoding that nobody defined: the bytes are then passed through.
func decoder(encoding string, body io.Reader) (r io.Reader, known bool) {
	encoding = strings.ToLower(strings.TrimSpace(encoding))
	if end := strings.IndexAny(encoding, " ;\t("); end > 0 {
		encoding = encoding[:end]
	}
	switch strings.Trim(encoding, `"'`) {
	case "base64":
		return &base64Reader{src: body}, true
	case "quoted-printable":
		return &qpReader{src: body}, true
	case "x-uuencode", "uuencode", "x-uue", "uue":
		return &uuReader{src: bufio.NewReaderSize(body, 1<<10)}, true
	case "", "7bit", "8bit", "binary":
		return body, true
	}
	return body, false
}

// base64Reader decodes base64 the way mail needs it: characters outside the alphabet are
// skipped, padding may be missing, and text after padding starts anew (two encoded files glued
// together by a gateway).
type base64Reader struct {
	src   io.Reader
	in    [4096]byte
	out   [3072]byte
	quad  []byte // alphabet characters waiting, in store
	have  []byte // decoded, waiting, in out
	store [4096]byte
	err   error
}

var base64Alphabet = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = true
	}
	return t
}()

// isBase64 reports whether a line may be base64: damage is forgiven, words with spaces between
// them are not.
func isBase64(line []byte) bool {
	odd := 0
	for _, c := range bytes.TrimSpace(line) {
		if !base64Alphabet[c] && c != '=' {
			odd++
		}
	}
	return odd <= 2
}

func (d *base64Reader) Read(p []byte) (int, error) {
	for len(d.have) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		d.fill()
	}
	n := copy(p, d.have)
	d.have = d.have[n:]
	return n, nil
}

// fill decodes one chunk. At most len(store)-4 characters are read, so that the up to three
// waiting from before fit too.
func (d *base64Reader) fill() {
	n, err := d.src.Read(d.in[:len(d.in)-4])
	d.err = err
	quad, out := append(d.store[:0], d.quad...), 0
	for _, c := range d.in[:n] {
		if base64Alphabet[c] {
			quad = append(quad, c)
		} else if c == '=' {
			out += d.decode(out, quad)
			quad = quad[:0]
		}
	}
	if err != nil {
		out += d.decode(out, quad)
		quad = quad[:0]
	} else {
		whole := len(quad) &^ 3
		out += d.decode(out, quad[:whole])
		quad = quad[:copy(d.store[:], quad[whole:])]
	}
	d.quad, d.have = quad, d.out[:out]
}

// decode writes the bytes of one run of characters to out; a single left-over character holds
// no byte.
func (d *base64Reader) decode(at int, quad []byte) int {
	if len(quad)%4 == 1 {
		quad = quad[:len(quad)-1]
	}
	n, _ := base64.RawStdEncoding.Decode(d.out[at:], quad) // the alphabet was checked
	return n
}

// qpReader decodes quoted-printable (RFC 2045 section 6.7). A "=" that is not followed by two
// digits or a line end stands for itself.
type qpReader struct {
	src   io.Reader
	in    [4096]byte
	rest  []byte // not decoded yet, in in
	have  []byte
	out   []byte
	blank []byte // white space that counts only if something follows it on the line
	err   error
}

func (d *qpReader) Read(p []byte) (int, error) {
	for len(d.have) == 0 {
		if d.err != nil && len(d.rest) == 0 {
			return 0, d.err
		}
		d.fill()
	}
	n := copy(p, d.have)
	d.have = d.have[n:]
	return n, nil
}

func (d *qpReader) fill() {
	kept := copy(d.in[:], d.rest)
	var n int
	if d.err == nil {
		n, d.err = d.src.Read(d.in[kept:])
	}
	b := d.in[:kept+n]
	d.out = d.out[:0]
	for len(b) > 0 {
		if b[0] == '=' && len(b) < 3 && d.err == nil && !(len(b) == 2 && b[1] == '\n') {
			break // the rest of the escape is still to come
		}
		b = b[d.step(b):]
	}
	d.rest = b
	d.have = d.out
}

// step decodes what stands at the start of b and returns how many bytes that took.
func (d *qpReader) step(b []byte) int {
	c := b[0]
	switch {
	case c == ' ' || c == '\t':
		d.blank = append(d.blank, c)
		if len(d.blank) > 1<<10 {
			d.flush() // no line end in sight: it is content
		}
		return 1
	case c == '\r' && len(b) > 1 && b[1] == '\n':
		d.blank = d.blank[:0]
		d.out = append(d.out, '\r', '\n')
		return 2
	case c == '\n':
		d.blank = d.blank[:0]
		d.out = append(d.out, '\n')
		return 1
	case c != '=':
		d.flush()
		d.out = append(d.out, c)
		return 1
	}
	d.flush()
	if isHex(b[1:]) {
		d.out = append(d.out, byte(unhex(b[1])<<4|unhex(b[2])))
		return 3
	}
	return d.softBreak(b)
}

func (d *qpReader) flush() {
	d.out = append(d.out, d.blank...)
	d.blank = d.blank[:0]
}

// softBreak takes "=" at the end of a line, with the white space that gateways add after it.
func (d *qpReader) softBreak(b []byte) int {
	i := 1
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	if i < len(b) && b[i] == '\n' {
		return i + 1
	}
	if i == len(b) && d.err != nil {
		return i // the very end
	}
	d.out = append(d.out, '=')
	return 1
}

// uuReader decodes uuencoded files, the way of attaching files before MIME (POSIX uuencode,
// historical algorithm): lines of a length character and the data, six bits a character.
type uuReader struct {
	src   *bufio.Reader
	have  []byte
	out   [64]byte
	begun bool
	err   error
}

func (d *uuReader) Read(p []byte) (int, error) {
	for len(d.have) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		d.fill()
	}
	n := copy(p, d.have)
	d.have = d.have[n:]
	return n, nil
}

// fill decodes one line. A line longer than the buffer is not uuencoded: its pieces are skipped
// like any other line that is none.
func (d *uuReader) fill() {
	line, err := d.src.ReadSlice('\n')
	if err != nil && err != bufio.ErrBufferFull {
		d.err = err
	}
	line = bytes.TrimRight(line, "\r\n")
	switch {
	case !d.begun:
		d.begun = bytes.HasPrefix(line, []byte("begin "))
	case string(line) == "end":
		d.begun = false
	case len(line) > 0 && line[0] > ' ' && line[0] < 'a' && line[0] != '`':
		d.have = d.line(int(line[0]-' ')&63, line[1:])
	}
}

func (d *uuReader) line(size int, data []byte) []byte {
	out := d.out[:0]
	for i := 0; len(out) < size; i += 4 {
		var six [4]byte // characters that are missing at the end of a line were blanks
		for k := range six {
			if i+k < len(data) {
				six[k] = (data[i+k] - ' ') & 63
			}
		}
		out = append(out, six[0]<<2|six[1]>>4, six[1]<<4|six[2]>>2, six[2]<<6|six[3])
	}
	return out[:size]
}
