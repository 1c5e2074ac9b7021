package shape

import "strings"

// cutRows are rows [from, to).
type cutRows struct{ from, to int }

// body is what stands above the history with a header of its own: new text, quoted lines, a
// signature, in any order.
type body struct {
	rows    []row
	intro   []bool    // rows that introduce a quote
	sign    []bool    // rows of a signature
	regions []cutRows // runs of quoted rows with their introductions
}

// own reports whether a row is the writer's own words.
func (b *body) own(i int) bool {
	return !b.rows[i].blank() && !b.rows[i].quoted && !b.intro[i] && !b.sign[i]
}

func (b *body) anyOwn(from, to int) bool {
	for i := from; i < to; i++ {
		if b.own(i) {
			return true
		}
	}
	return false
}

// mark finds quotes, what introduces them, and signatures.
func (b *body) mark() {
	b.intro, b.sign = make([]bool, len(b.rows)), make([]bool, len(b.rows))
	for i := 0; i < len(b.rows); i++ {
		if !b.rows[i].quoted {
			continue
		}
		from := b.introduction(i)
		last := i
		for i < len(b.rows) && (b.rows[i].quoted || b.rows[i].blank()) {
			if b.rows[i].quoted {
				last = i
			}
			i++
		}
		b.regions = append(b.regions, cutRows{from, last + 1})
	}
	from := 0
	for _, r := range b.regions {
		b.signature(from, r.from)
		from = r.to
	}
	b.signature(from, len(b.rows))
}

// forwards reports whether the first quote is a mail that is passed on, and not a part of an answer
// to such a mail, which would be introduced as any other.
func (b *body) forwards() bool {
	if len(b.regions) == 0 || b.intro[b.regions[0].from] {
		return false
	}
	for _, r := range b.rows[b.regions[0].from:] {
		if words := strings.TrimLeft(r.text, "> "); words != "" {
			return forwardTitles[title(words)]
		}
	}
	return false
}

// introduction returns where the introduction of the quote at row i begins, i if there is none: up
// to three lines.
func (b *body) introduction(i int) int {
	end := i
	for end > 0 && b.rows[end-1].blank() && i-end < maxGap {
		end--
	}
	joined := ""
	for from := end - 1; from >= max(end-3, 0); from-- {
		r := b.rows[from]
		if r.blank() || r.quoted {
			break
		}
		joined = strings.TrimSpace(r.text + " " + joined)
		if !r.intro && !introduces(joined) {
			continue
		}
		for k := from - 1; k >= max(end-3, 0) && !b.rows[k].blank() && !b.rows[k].quoted; k-- {
			if opens(b.rows[k].text) {
				from = k // its beginning stands above
				break
			}
		}
		for k := from; k < end; k++ {
			b.intro[k] = true
		}
		return from
	}
	return i
}

// signature marks the signature at the end of rows [from, to), where no quote stands.
func (b *body) signature(from, to int) {
	begin := to
	for i := from; i < to; i++ {
		if b.rows[i].sign {
			b.sign[i] = true
		}
		if b.rows[i].dashes || isRule(b.rows[i].text) && from > 0 { // under a quote: a list's footer
			begin = i
		}
	}
	lines := 0
	for i := begin; i < to; i++ {
		if !b.rows[i].blank() {
			lines++
		}
	}
	if lines <= maxSign {
		for i := begin; i < to; i++ {
			b.sign[i] = true
		}
	}
	for i := to - 1; i >= from; i-- {
		if b.rows[i].blank() || b.sign[i] {
			continue
		}
		b.sign[i] = isDevice(b.rows[i].text)
		break
	}
}

// cut returns the rows that are not the newest part. ok is false when the text has to stay whole.
func (b *body) cut() (gone []cutRows, ok bool) {
	n := len(b.rows)
	if !b.anyOwn(0, n) {
		return nil, false
	}
	for i, r := range b.rows {
		if b.own(i) && saysBelow(r.text) {
			return nil, false
		}
	}
	if len(b.regions) > 0 {
		first := b.regions[0]
		switch {
		case !b.anyOwn(first.to, n): // answered on top
			return append(b.signed(0, first.from), cutRows{first.from, n}), true
		case len(b.regions) == 1 && !b.anyOwn(0, first.from): // answered underneath
			return append([]cutRows{{0, first.to}}, b.signed(first.to, n)...), true
		default:
			return nil, false // answered in between
		}
	}
	return b.signed(0, n), true
}

// signed returns the rows of signatures within [from, to).
func (b *body) signed(from, to int) (gone []cutRows) {
	for i := from; i < to; i++ {
		if !b.sign[i] {
			continue
		}
		start := i
		for i < to && (b.sign[i] || b.rows[i].blank()) {
			i++
		}
		gone = append(gone, cutRows{start, i})
	}
	return gone
}
