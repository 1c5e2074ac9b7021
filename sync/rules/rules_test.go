package rules

import (
	"testing"

	"hawser/sync/capture"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		h    capture.Header
		size int64
		mark capture.Mark
		want Decision
	}{
		{"in the folder", capture.Header{}, 1000, capture.MarkFolder, Decision{Save, "folder"}},
		{"with the keyword", capture.Header{}, 1000, capture.MarkKeyword, Decision{Save, "keyword"}},
		{"picked", capture.Header{}, 1000, capture.MarkHand, Decision{Save, "hand"}},
		{"thread", capture.Header{}, 1000, capture.MarkThread, Decision{Save, "thread"}},
		{"private but marked", capture.Header{Sensitivity: "private"}, 1000, capture.MarkFolder, Decision{Save, "folder"}},
		{"newsletter but marked", capture.Header{ListID: "<n.example>"}, 1000, capture.MarkKeyword, Decision{Save, "keyword"}},
		{"just fits", capture.Header{}, MaxMail, capture.MarkFolder, Decision{Save, "folder"}},
		{"too large", capture.Header{}, MaxMail + 1, capture.MarkFolder, Decision{Hold, "mail-too-large"}},
		{"nobody chose it", capture.Header{}, 1000, "", Decision{Filter, "not-marked"}},
		{"large and not chosen", capture.Header{}, MaxMail + 1, "", Decision{Filter, "not-marked"}},
	} {
		if got := Decide(c.h, c.size, c.mark); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
