package window

import (
	"testing"
)

// TestScreens draws every page; HAWSER_SHOTS keeps the pictures.
func TestScreens(t *testing.T) {
	for _, s := range []struct {
		name string
		stage
	}{
		{"home", stage{lang: "en"}},
		{"home-dark", stage{lang: "en", shade: shadeDark}},
		{"home-de-200", stage{lang: "de", text: 2}},
	} {
		t.Run(s.name, func(t *testing.T) {
			s.agent = busyAgent()
			if s.shade == "" {
				s.shade = shadeLight
			}
			r := newRig(t, s.stage)
			r.settle()
			r.shot(s.name)
		})
	}
}
