package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestNoVerbPrintsTheValue(t *testing.T) {
	const canary = "CANARY-TOKEN"
	s := New(canary)
	shapes := []any{s, &s, struct{ S String }{s}, struct{ s String }{s}, []String{s}, map[string]String{"a": s}, &struct{ s *String }{&s}}
	for _, shape := range shapes {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%T"} {
			if got := fmt.Sprintf(verb, shape); strings.Contains(got, canary) || strings.Contains(got, fmt.Sprintf("%x", canary)) {
				t.Errorf("%s of %T prints the value", verb, shape)
			}
		}
		var buf bytes.Buffer
		slog.New(slog.NewJSONHandler(&buf, nil)).Info("x", "v", shape)
		slog.New(slog.NewTextHandler(&buf, nil)).Info("x", "v", shape)
		b, _ := json.Marshal(shape)
		buf.Write(b)
		if strings.Contains(buf.String(), canary) {
			t.Errorf("a logger or JSON prints the value of %T", shape)
		}
	}
	if s.Reveal() != canary || !(String{}).Empty() || !s.Equal(New(canary)) {
		t.Error("the value itself is lost")
	}
}
