package salesforcetest

import "strings"

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// makeID builds the n-th 18-character id of a key prefix.
func makeID(prefix string, n int) string {
	var b [15]byte
	copy(b[:], prefix+"Hw0")
	for i := len(b) - 1; i >= 6; i-- {
		b[i] = base62[n%62]
		n /= 62
	}
	return id18(string(b[:]))
}

// id18 appends the three characters that make a 15-character id independent of case: each
// stands for the capitals among five characters.
func id18(id15 string) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
	out := []byte(id15)
	for block := 0; block < 15; block += 5 {
		bits := 0
		for i := range 5 {
			if c := id15[block+i]; c >= 'A' && c <= 'Z' {
				bits |= 1 << i
			}
		}
		out = append(out, digits[bits])
	}
	return string(out)
}

// validID says whether s has the shape of an id: 15 characters, or 18 with the right ending.
func validID(s string) bool {
	if len(s) != 15 && len(s) != 18 {
		return false
	}
	for i := range len(s) {
		if strings.IndexByte(base62, s[i]) < 0 {
			return false
		}
	}
	return len(s) == 15 || strings.EqualFold(id18(s[:15])[15:], s[15:])
}

// key15 is the part of an id that tells records apart.
func key15(id string) string {
	if len(id) == 18 {
		return id[:15]
	}
	return id
}
