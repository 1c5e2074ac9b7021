package salesforcetest

import (
	"strconv"
	"strings"
	"time"
)

// dateLiteral reads 2026-11-23 and 2026-11-23T09:00:00Z; the span is empty for a moment.
func dateLiteral(s string) (from, to time.Time, ok bool) {
	if t, err := time.Parse("2006-01-02", s); err == nil {
		return t, t.AddDate(0, 0, 1), true
	}
	t, ok := parseTime(s)
	return t, t, ok
}

var unitNames = map[string]string{"DAY": "d", "DAYS": "d", "WEEK": "w", "WEEKS": "w", "MONTH": "m", "MONTHS": "m", "YEAR": "y", "YEARS": "y"}

func relativeDate(s string) bool {
	_, _, ok := relativeSpan(s, time.Unix(0, 0).UTC())
	return ok
}

// relativeSpan reads TODAY, LAST_WEEK, LAST_N_DAYS:7 and their kin as a half-open span of days in UTC.
func relativeSpan(s string, now time.Time) (from, to time.Time, ok bool) {
	name, num, hasNum := strings.Cut(strings.ToUpper(s), ":")
	n := 1
	if hasNum {
		v, err := strconv.Atoi(num)
		if err != nil || v < 0 || v > 40_000 {
			return from, to, false
		}
		n = v
	}
	today := now.Truncate(24 * time.Hour)
	switch name {
	case "TODAY", "YESTERDAY", "TOMORROW":
		day := today.AddDate(0, 0, map[string]int{"TODAY": 0, "YESTERDAY": -1, "TOMORROW": 1}[name])
		return day, day.AddDate(0, 0, 1), !hasNum
	}
	when, unit, _ := strings.Cut(name, "_")
	if counted, isN := strings.CutPrefix(unit, "N_"); isN != hasNum {
		return from, to, false
	} else if isN {
		unit = counted
	}
	u, known := unitNames[unit]
	if !known || (strings.HasSuffix(unit, "S") != hasNum) {
		return from, to, false
	}
	start := startOf(u, today)
	switch when {
	case "THIS":
		return start, advance(u, start, 1), !hasNum
	case "LAST":
		if hasNum && u == "d" {
			return today.AddDate(0, 0, -n), today.AddDate(0, 0, 1), true // today is included
		}
		return advance(u, start, -n), start, true
	case "NEXT":
		return advance(u, start, 1), advance(u, start, 1+n), true
	}
	return from, to, false
}

func startOf(unit string, day time.Time) time.Time {
	switch unit {
	case "w":
		return day.AddDate(0, 0, -int(day.Weekday()))
	case "m":
		return time.Date(day.Year(), day.Month(), 1, 0, 0, 0, 0, time.UTC)
	case "y":
		return time.Date(day.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return day
}

func advance(unit string, t time.Time, n int) time.Time {
	switch unit {
	case "w":
		return t.AddDate(0, 0, 7*n)
	case "m":
		return t.AddDate(0, n, 0)
	case "y":
		return t.AddDate(n, 0, 0)
	}
	return t.AddDate(0, 0, n)
}
