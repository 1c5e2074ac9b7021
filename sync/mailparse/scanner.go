package mailparse

import (
	"bufio"
	"bytes"
	"io"
	"strings"
)

// scanner walks the parts of a mail in the order in which they stand, in one pass and without
// holding any of them. A boundary line of any open multipart ends whatever is inside it, so a
// missing end boundary costs nothing (RFC 2046 section 5.1.2).
type scanner struct {
	br    *bufio.Reader
	stack []level
	body  *body // of the part handed out last
	parts int
	block []byte
	done  bool

	header []byte // of the mail, as far as it is considered
	warned map[string]bool
	warns  []string
}

// level is one open multipart.
type level struct {
	boundary []byte // with the two dashes before it
	subtype  string // "alternative", "related"...
}

// part is one leaf: something that is not a multipart.
type part struct {
	known
	mediaType   string
	params      map[string]string
	disposition string
	fileName    string
	within      string // subtype of the multipart it stands in, "" for none
	content     io.Reader
}

// newScanner reads the header block of the mail in r. size is the expected size in bytes.
func newScanner(r io.Reader, size int64) (*scanner, error) {
	buffer := 32 << 10
	if size > 0 && size < int64(buffer) {
		buffer = max(int(size), 4<<10)
	}
	s := &scanner{br: bufio.NewReaderSize(r, buffer), warned: map[string]bool{}}
	block, cut, ended, err := readBlock(s.br, nil, maxHeader)
	if err != nil {
		return nil, err
	}
	if cut {
		s.warn("the header is too long: its end was left out")
	}
	if !ended && !cut {
		if at := firstStray(block); at >= 0 {
			s.warn("no empty line ends the header")
			s.br = bufio.NewReader(bytes.NewReader(block[at:]))
			block = block[:at:at]
		}
	}
	s.header = block
	return s, nil
}

// warn notes something that could not be understood, once.
func (s *scanner) warn(text string) {
	if !s.warned[text] {
		s.warned[text] = true
		s.warns = append(s.warns, text)
	}
}

// next returns the next leaf, whose content is valid until the following call. io.EOF ends the
// mail; other errors are the reader's.
func (s *scanner) next() (*part, error) {
	if s.done {
		return nil, io.EOF
	}
	if s.body == nil {
		if p, err := s.open(s.header); p != nil || err != nil {
			return p, err
		}
	}
	return s.following()
}

// following skips the rest of the part before and opens the one after it.
func (s *scanner) following() (*part, error) {
	for {
		if _, err := io.Copy(io.Discard, s.body); err != nil {
			return nil, err
		}
		hit := s.body.hit
		if hit < 0 {
			if len(s.stack) > 0 {
				s.warn("a multipart has no end")
			}
			s.done = true
			return nil, io.EOF
		}
		s.stack = s.stack[:hit+1]
		if s.body.last {
			s.stack = s.stack[:hit]
			if hit == 0 {
				s.done = true
				return nil, io.EOF
			}
			s.body = s.newBody() // what stands after an end boundary belongs to nobody
			continue
		}
		if s.parts >= maxParts {
			s.warn("too many parts: the rest was left out")
			s.done = true
			return nil, io.EOF
		}
		block, err := s.partHeader()
		if err != nil {
			return nil, err
		}
		p, err := s.open(block)
		if p != nil || err != nil {
			return p, err
		}
	}
}

// partHeader reads a part's header block. A boundary within it ends the part: it is left for
// the body reader, which then finds an empty body. A line of text ends the header.
func (s *scanner) partHeader() ([]byte, error) {
	block, start := s.block[:0], true
	for {
		if start {
			line := s.peekLine()
			if level, _ := s.boundary(line); level >= 0 {
				break
			}
			if isStray(line, len(block) > 0) {
				s.warn("a part has no empty line after its header")
				break
			}
		}
		line, err := s.br.ReadSlice('\n')
		if start && isEmptyLine(line) && err == nil {
			break
		}
		if room := maxPartHeader - len(block); len(line) > room {
			line = line[:room]
			s.warn("the header of a part is too long: its end was left out")
		}
		block = append(block, line...)
		if err == io.EOF {
			break
		}
		if err != nil && err != bufio.ErrBufferFull {
			return nil, err
		}
		start = err == nil
	}
	s.block = block
	return block, nil
}

// isStray reports whether a line in a part's header must be text already: it is no field, no
// continuation, and not the rest of a parameter list that lost its indentation either.
func isStray(line []byte, after bool) bool {
	if len(line) == 0 || isEmptyLine(line) || line[0] == ' ' || line[0] == '\t' {
		return false
	}
	if _, ok := fieldName(line); ok {
		return false
	}
	return !after || bytes.IndexByte(line, '=') < 0 && bytes.IndexByte(line, ';') < 0
}

// peekLine returns the line that comes next as far as it can matter as a boundary.
func (s *scanner) peekLine() []byte {
	peek, _ := s.br.Peek(min(1<<10, s.br.Size()))
	if i := bytes.IndexByte(peek, '\n'); i >= 0 {
		peek = peek[:i+1]
	}
	return peek
}

// open begins the part with the given header block. For a multipart it returns the first leaf
// within, or nil when following has to look for it.
func (s *scanner) open(block []byte) (*part, error) {
	s.parts++
	p := &part{known: knownFields(block), mediaType: "text/plain"}
	if n := len(s.stack); n > 0 {
		p.within = s.stack[n-1].subtype
		if p.within == "digest" {
			p.mediaType = "message/rfc822" // RFC 2046 section 5.1.5
		}
	}
	if v := p.first[contentType]; v != nil {
		kind, params := structured(v, "")
		p.params = params
		if strings.Count(kind, "/") == 1 && !strings.HasPrefix(kind, "/") && !strings.HasSuffix(kind, "/") {
			p.mediaType = kind
		} else if kind != "text" && params["name"] != "" {
			p.mediaType = "application/octet-stream"
		}
	}
	p.disposition, p.fileName = s.named(p)
	if subtype, ok := strings.CutPrefix(p.mediaType, "multipart/"); ok {
		switch boundary := strings.TrimRight(p.params["boundary"], " "); {
		case boundary == "":
			s.warn("a multipart names no boundary: it was read as text")
			p.mediaType = "text/plain"
		case len(s.stack) >= maxDepth:
			s.warn("parts are nested too deeply: the innermost were kept as one file")
			p.mediaType = "application/octet-stream"
		default:
			return s.descend(boundary, subtype)
		}
	}
	s.body = s.newBody()
	encoding := string(p.first[transferEncoding])
	if p.isText() && strings.Contains(strings.ToLower(encoding), "base64") && !isBase64(s.peekLine()) {
		s.warn("a text claims to be base64 and is not")
		encoding = ""
	}
	content, ok := decoder(encoding, s.body)
	if !ok {
		s.warn("a part has an unknown transfer encoding")
	}
	p.content = content
	return p, nil
}

// named reads how the part is to be shown and the file name that it claims.
func (s *scanner) named(p *part) (disposition, name string) {
	if v := p.first[dispositionField]; v != nil {
		var params map[string]string
		disposition, params = structured(v, "")
		if name = params["filename"]; name == "" {
			name = params["name"]
		}
	}
	if name == "" {
		name = p.params["name"]
	}
	if name == "" {
		name = p.params["filename"]
	}
	return disposition, name
}

// descend begins a multipart. It returns nil, so that following opens the first part, unless
// there is none: then what stands in the place of the parts is handed out as text.
func (s *scanner) descend(boundary, subtype string) (*part, error) {
	own := len(s.stack)
	s.stack = append(s.stack, level{[]byte("--" + boundary), subtype})
	s.body = s.newBody()
	preamble, err := io.ReadAll(io.LimitReader(s.body, maxText))
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, s.body); err != nil {
		return nil, err
	}
	if s.body.hit == own && !s.body.last || len(bytes.TrimSpace(preamble)) == 0 {
		return nil, nil
	}
	s.warn("a multipart has no parts: it was read as text")
	return &part{mediaType: "text/plain", content: bytes.NewReader(preamble)}, nil
}
