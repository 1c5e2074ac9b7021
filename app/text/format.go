package text

import (
	"strconv"
	"strings"
	"time"
)

// Moment returns t as a person would say it at now, in now's time zone: the time alone on the same
// day, else with its date, else, in another year, the date alone. The zero time is "never".
func (l *Localizer) Moment(t, now time.Time) string {
	if t.IsZero() {
		return l.T("time.never", nil)
	}
	t = t.In(now.Location())
	clock := t.Format("15:04")
	switch {
	case t.YearDay() == now.YearDay() && t.Year() == now.Year():
		return clock
	case t.Year() == now.Year():
		return l.T("time.date-clock", map[string]any{"Date": l.day(t), "Clock": clock})
	}
	return l.T("time.date-year", map[string]any{"Date": l.day(t), "Year": t.Year()})
}

func (l *Localizer) day(t time.Time) string {
	month := l.T("time.month-"+strconv.Itoa(int(t.Month())), nil)
	return l.T("time.date", map[string]any{"Day": t.Day(), "Month": month})
}

// Ago returns how long before now t was, up to a day, and the moment beyond that.
func (l *Localizer) Ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero() || d < 0 || d >= 24*time.Hour:
		return l.Moment(t, now)
	case d < time.Minute:
		return l.T("time.just-now", nil)
	case d < time.Hour:
		return l.T("time.minutes-ago", map[string]any{"Count": int(d.Minutes())})
	}
	return l.T("time.hours-ago", map[string]any{"Count": int(d.Hours())})
}

// Number returns n with its thousands apart.
func (l *Localizer) Number(n int) string {
	digits := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	group := l.T("number.group", nil)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString(group)
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

// Size returns a number of bytes in the largest fitting decimal unit, such as "4.7 MB".
func (l *Localizer) Size(bytes int64) string {
	units := strings.Fields(l.T("number.units", nil))
	v, u := float64(bytes), 0
	for v >= 999.5 && u < len(units)-1 {
		v /= 1000
		u++
	}
	digits := 0
	if u > 0 && v < 9.95 {
		digits = 1
	}
	s := strconv.FormatFloat(v, 'f', digits, 64)
	return strings.Replace(s, ".", l.T("number.decimal", nil), 1) + " " + units[u]
}
