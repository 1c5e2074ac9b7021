package shape

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// CutHTML cuts an HTML text between two tags or within a text, ends what is open there and marks
// the place. It reports whether something is missing.
func CutHTML(source string, limit int) (string, bool) {
	if _, missing := Prefix(source, limit); !missing {
		return source, false
	}
	var (
		out     strings.Builder
		open    []string
		closing int // units that ending all that is open takes
		room    = limit - Units(markHTML)
		z       = html.NewTokenizer(strings.NewReader(source))
	)
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		raw := string(z.Raw())
		need := Units(raw)
		if kind == html.TextToken {
			if need > room-closing {
				out.WriteString(cutEntities(raw, room-closing))
				break
			}
		} else {
			name, _ := z.TagName()
			tag := string(name)
			void := slices.Contains(empty, atom.Lookup(name))
			switch {
			case kind == html.StartTagToken && !void:
				if need+len("</>")+len(tag) > room-closing {
					return finish(&out, open), true
				}
				open, closing = append(open, tag), closing+len("</>")+len(tag)
			case kind == html.EndTagToken:
				if len(open) == 0 || open[len(open)-1] != tag {
					continue // what is not balanced here would not be at the end
				}
				open, closing = open[:len(open)-1], closing-len("</>")-len(tag)
				if need > room-closing {
					return finish(&out, append(open, tag)), true
				}
			case need > room-closing:
				return finish(&out, open), true
			}
		}
		out.WriteString(raw)
		room -= need
	}
	return finish(&out, open), true
}

func finish(out *strings.Builder, open []string) string {
	for i := len(open) - 1; i >= 0; i-- {
		out.WriteString("</" + open[i] + ">")
	}
	return out.String() + markHTML
}

// cutEntities cuts a text of HTML, as it is written, before an entity rather than within one.
func cutEntities(raw string, limit int) string {
	short, missing := Prefix(raw, max(limit, 0))
	if !missing {
		return short
	}
	if at := strings.LastIndexByte(short, '&'); at >= 0 && strings.IndexByte(short[at:], ';') < 0 {
		short = short[:at]
	}
	return short
}
