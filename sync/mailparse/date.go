package mailparse

import (
	"strings"
	"time"
)

// zones of RFC 5322 section 4.3, in minutes east. Other names say nothing reliable: UTC.
var zones = map[string]int{
	"EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420,
	"CET": 60, "MET": 60, "CEST": 120, "MEST": 120, "BST": 60, "JST": 540, "MSK": 180,
}

const monthNames = "janfebmaraprmayjunjulaugsepoctnovdec"

// date reads a Date field. It looks at what each word is rather than where it stands, so that
// "Wed, 17 May 2000 19:35:05 -0400", "17-May-00 19:35", "Wed May 17 19:35:05 2000" and ISO 8601
// are all read. The zero time means that no date could be made of it.
func date(value []byte) time.Time {
	s := string(unfold(value[:min(len(value), 200)]))
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t
	}
	if i := strings.IndexByte(s, '('); i > 0 {
		s = s[:i] // a comment with the zone's name
	}
	d := parts{year: -1, day: -1, hour: -1}
	for len(s) > 0 {
		n := strings.IndexAny(s, " ,\t")
		if n < 0 {
			n = len(s)
		}
		d.word(s[:n])
		s = strings.TrimLeft(s[n:], " ,\t")
	}
	return d.time()
}

type parts struct {
	year, month, day, hour, min, sec int
	zone                             int // minutes east
}

func (d *parts) word(w string) {
	switch {
	case w == "":
	case strings.IndexByte(w, ':') > 0:
		d.clock(w)
	case (w[0] == '+' || w[0] == '-') && d.hour >= 0:
		d.offset(w)
	case strings.Count(w, "-") == 2 || strings.Count(w, "/") == 2:
		pieces := strings.FieldsFunc(w, func(r rune) bool { return r == '-' || r == '/' })
		if len(pieces) == 3 && len(pieces[0]) == 4 { // 2000-05-17
			pieces[1], pieces[2] = pieces[2], pieces[1]
		}
		for _, piece := range pieces {
			d.word(piece)
		}
	case w[0] >= '0' && w[0] <= '9':
		d.number(w)
	default:
		d.name(w)
	}
}

func (d *parts) name(w string) {
	if len(w) >= 3 && d.month == 0 {
		if i := strings.Index(monthNames, strings.ToLower(w[:3])); i >= 0 && i%3 == 0 {
			d.month = i/3 + 1
			return
		}
	}
	name := strings.ToUpper(w)
	if minutes, ok := zones[name]; ok && d.hour >= 0 {
		d.zone = minutes
		return
	}
	for _, prefix := range []string{"GMT", "UTC", "UT"} { // GMT+0200
		if rest, ok := strings.CutPrefix(name, prefix); ok && len(rest) > 1 && d.hour >= 0 {
			d.offset(rest)
			return
		}
	}
}

func (d *parts) number(w string) {
	n, digits := leading(w)
	switch {
	case d.day < 0 && digits <= 2 && n >= 1 && n <= 31:
		d.day = n
	case d.month == 0 && digits <= 2 && d.year >= 0:
		d.month = n // only after a year, as in an ISO date
	case d.year >= 0:
	case digits >= 4:
		d.year = n
	case digits == 3: // RFC 5322 section 4.3
		d.year = 1900 + n
	case n < 50:
		d.year = 2000 + n
	default:
		d.year = 1900 + n
	}
}

func (d *parts) clock(w string) {
	var out [3]int
	for i := range out {
		n, digits := leading(w)
		if digits == 0 {
			break
		}
		out[i] = n
		w = w[digits:]
		if w == "" || w[0] != ':' && w[0] != '.' {
			break
		}
		w = w[1:]
	}
	if d.hour < 0 && out[0] < 24 && out[1] < 60 && out[2] < 61 {
		d.hour, d.min, d.sec = out[0], out[1], min(out[2], 59)
		if len(w) > 1 && (w[0] == '+' || w[0] == '-') {
			d.offset(w)
		}
	}
}

func (d *parts) offset(w string) {
	sign := 1
	if w[0] == '-' {
		sign = -1
	}
	n, digits := leading(strings.Replace(w[1:], ":", "", 1))
	if digits > 0 && digits <= 2 {
		n *= 100
	}
	if minutes := n/100*60 + n%100; minutes < 24*60 && w[0] != ':' {
		d.zone = sign * minutes
	}
}

func (d *parts) time() time.Time {
	if d.year < 0 || d.month < 1 || d.month > 12 || d.day < 1 || d.year > 9999 {
		return time.Time{}
	}
	hour := max(d.hour, 0)
	zone := time.UTC
	if d.zone != 0 {
		zone = time.FixedZone("", d.zone*60)
	}
	return time.Date(d.year, time.Month(d.month), d.day, hour, d.min, d.sec, 0, zone)
}

// leading reads the digits at the start of w, at most six.
func leading(w string) (n, digits int) {
	for digits < len(w) && digits < 6 && w[digits] >= '0' && w[digits] <= '9' {
		n = n*10 + int(w[digits]-'0')
		digits++
	}
	return n, digits
}
