package shape

import (
	"net/url"
	"strings"

	"golang.org/x/net/html"

	"hawser/sync/capture"
)

// clouds are the hosts, with all below them, that files are shared from instead of being attached:
// OneDrive and SharePoint, Google Drive, Dropbox, Box.
var clouds = []string{
	"1drv.ms", "onedrive.live.com", "sharepoint.com", "sharepoint.us", "sharepoint.cn", "drive.google.com", "docs.google.com",
	"dropbox.com", "db.tt", "box.com",
}

// Links counts the different links to files in the cloud in the texts of m. Such links stay in the
// text; what they lead to is never fetched.
func Links(m capture.Mail) int {
	seen := make(map[string]bool)
	note := func(address string) {
		u, err := url.Parse(strings.TrimSpace(address))
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || len(u.Path) < 2 && u.RawQuery == "" {
			return
		}
		host := strings.ToLower(u.Hostname())
		for _, c := range clouds {
			if host == c || strings.HasSuffix(host, "."+c) {
				u.Fragment = ""
				seen[u.String()] = true
			}
		}
	}
	targets(m.HTML, note)
	addresses(m.Text, note)
	return len(seen)
}

// targets calls yield with what each link of an HTML text leads to.
func targets(source string, yield func(string)) {
	z := html.NewTokenizer(strings.NewReader(source))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return
		case html.StartTagToken:
			name, more := z.TagName()
			if string(name) != "a" {
				continue
			}
			for more {
				var key, value []byte
				key, value, more = z.TagAttr()
				if string(key) == "href" {
					yield(string(value))
				}
			}
		}
	}
}

// addresses calls yield with each web address in a plain text.
func addresses(text string, yield func(string)) {
	for {
		at := strings.Index(text, "http")
		if at < 0 {
			return
		}
		text = text[at:]
		end := strings.IndexAny(text, " \t\r\n<>\"\u00a0")
		if end < 0 {
			end = len(text)
		}
		if rest := text[:end]; strings.HasPrefix(rest, "http://") || strings.HasPrefix(rest, "https://") {
			yield(strings.TrimRight(rest, ".,;:!?)]}'"))
		}
		text = text[max(end, 1):]
	}
}
