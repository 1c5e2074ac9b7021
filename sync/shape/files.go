package shape

import (
	"net/url"
	"strings"

	"golang.org/x/net/html"

	"hawser/sync/capture"
)

// pick chooses the attachments that are saved, in the order of the mail: a file is taken when it
// fits what those before it left. The order is the sender's, it is the same at each attempt, and a
// person can tell from it which file was left out.
func pick(all []capture.Attachment, images map[string]string, c capture.Content) (files []capture.Attachment, left []Left) {
	each, total := c.FileMax, c.FilesMax
	if each <= 0 {
		each = Default.FileMax
	}
	if total <= 0 {
		total = Default.FilesMax
	}
	var sum int64
	for _, a := range all {
		why := Why("")
		switch {
		case !c.Inline && isPicture(a) && images[a.ContentID] != "":
			why = WhyInline
		case rank(c.Level) < rank(capture.LevelFiles):
			why = WhyLevel
		case c.Files != capture.FilesAlways:
			why = WhyNever
		case a.Size <= 0:
			why = WhyEmpty
		case a.Size > each:
			why = WhyLarge
		case a.Size > total-sum:
			why = WhyTotal
		}
		if why != "" {
			left = append(left, Left{Name: a.Name, Size: a.Size, Why: why})
			continue
		}
		sum += a.Size
		files = append(files, a)
	}
	return files, left
}

func isPicture(a capture.Attachment) bool { return strings.HasPrefix(a.Type, "image/") }

// imagesOf returns the names of the pictures that the HTML shows, by Content-ID. A picture that
// came "inline" and is shown nowhere in the text is a file like any other: phones send photos so.
func imagesOf(m capture.Mail) map[string]string {
	byID := make(map[string]string)
	for _, a := range m.Attachments {
		if a.ContentID != "" && isPicture(a) {
			byID[a.ContentID] = a.Name
		}
	}
	if len(byID) == 0 || m.HTML == "" {
		return nil
	}
	shown := make(map[string]string)
	z := html.NewTokenizer(strings.NewReader(m.HTML))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return shown
		case html.StartTagToken, html.SelfClosingTagToken:
			for _, more := z.TagName(); more; {
				var value []byte
				_, value, more = z.TagAttr()
				if id, ok := contentID(string(value)); ok && byID[id] != "" {
					shown[id] = byID[id]
				}
			}
		}
	}
}

// contentID returns the Content-ID that a cid: address names (RFC 2392).
func contentID(address string) (string, bool) {
	address = strings.TrimSpace(address)
	if len(address) < 4 || !strings.EqualFold(address[:4], "cid:") {
		return "", false
	}
	id := address[4:]
	if plain, err := url.PathUnescape(id); err == nil {
		id = plain
	}
	return id, true
}

// Line returns the files that one line about what was left out should name, at most the given
// number, and how many more there are. It is about files that were wanted: what a person chose not
// to save is not named either, and the text itself shows where pictures were. Names are cut to a
// length that fits a line.
func Line(left []Left, most int) (named []Left, more int) {
	for _, l := range left {
		switch {
		case l.Why != WhyLarge && l.Why != WhyTotal && l.Why != WhyEmpty:
		case len(named) < most:
			l.Name, _ = Prefix(l.Name, lineName)
			named = append(named, l)
		default:
			more++
		}
	}
	return named, more
}

// lineName is how many characters of a file's name a line repeats.
const lineName = 80
