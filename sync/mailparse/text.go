package mailparse

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"hawser/sync/capture"
)

// Text returns the words of the mail in r, all that a person can read of it without opening a file,
// and the media types of its parts, each once. It is for finding words, not for showing: what both
// the plain text and the HTML say stands there twice, and marks that split words unseen are gone.
//
// r is read once, to its end unless the mail has too many parts; files are passed over undecoded.
// size is as in [Parse]. The error is r's own.
func Text(r io.Reader, size int64) (text string, types []string, err error) {
	s, err := newScanner(r, size)
	if err != nil {
		return "", nil, fmt.Errorf("read header: %w", err)
	}
	c := collector{mail: &capture.Mail{}, scan: s}
	types, err = c.words()
	if err != nil {
		return "", nil, fmt.Errorf("read part: %w", err)
	}
	both := []string{c.text.String(), HTMLText(c.html.String())}
	return unsplit(strings.TrimSpace(strings.Join(both, "\n\n"))), types, nil
}

// words reads the texts. As in collect, a panic costs the rest of this mail alone.
func (c *collector) words() (types []string, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.scan.warn("the mail could not be read to its end")
		}
	}()
	for {
		p, err := c.scan.next()
		if err == io.EOF {
			return types, nil
		}
		if err != nil {
			return types, err
		}
		if p.within != "" && !slices.Contains(types, "multipart/"+p.within) {
			types = append(types, "multipart/"+p.within)
		}
		if !slices.Contains(types, p.mediaType) {
			types = append(types, p.mediaType)
		}
		if p.isText() {
			if err := c.addText(p); err != nil {
				return types, err
			}
		}
	}
}

// unsplit takes out what is not seen and only keeps a word from being found: soft hyphens and
// spaces without width.
func unsplit(s string) string {
	if !strings.ContainsAny(s, "\u00ad\u200b\u2060\ufeff") {
		return s
	}
	return strings.NewReplacer("\u00ad", "", "\u200b", "", "\u2060", "", "\ufeff", "").Replace(s)
}
