package desktop

import (
	"fmt"
	"strings"
	"testing"
)

const goodLink = "hawser://enrol?code=ABCDEF-ABCDEF&server=https%3A%2F%2Fhawserd.example.com"

// evilLinks are what a page or a mail could ask a desktop to open.
var evilLinks = []string{
	"", "hawser:", "hawser://", "hawser://enrol", "hawser://enrol?", "hawser:enrol?code=A&server=https://a.example",
	"http://enrol?code=A&server=https://a.example", "file:///etc/passwd", "hawser://run?code=A&server=https://a.example",
	"hawser://enrol/../run?code=A&server=https://a.example", "hawser://u@enrol?code=A&server=https://a.example",
	"hawser://enrol?code=A", "hawser://enrol?server=https://a.example", "hawser://enrol?code=&server=https://a.example",
	"hawser://enrol?code=A&code=B&server=https://a.example", "hawser://enrol?code=A&server=https://a.example&x=1",
	"hawser://enrol?code=A&server=http://a.example", "hawser://enrol?code=A&server=javascript:alert(1)", "hawser://enrol?code=A&server=https://",
	"hawser://enrol?code=A&server=https://u:p@a.example", "hawser://enrol?code=A&server=https://a.example#x", "hawser://enrol?code=A;server=https://a.example",
	"hawser://enrol?code=A&server=https://a.example --help", "--config=/tmp/x", "-c", "hawser://enrol?code=A&server=https://a.example\nExec=id",
	"hawser://enrol?code=A&server=https%3A%2F%2F%D0%B0.example", "hawser://enrol?code=A&server=https://a.example\x00", "hawser://enrol?code=Ä&server=https://a.example",
	"hawser://enrol?server=https://a.example&code=" + strings.Repeat("A", maxLink),
}

func TestLinks(t *testing.T) {
	t.Parallel()
	if link, err := ParseLink(goodLink); err != nil || link.Reveal() != goodLink {
		t.Errorf("%v", err)
	}
	for _, raw := range evilLinks {
		if _, err := ParseLink(raw); err == nil {
			t.Errorf("%.100q passed", raw)
		} else if raw != "" && strings.Contains(err.Error(), raw) {
			t.Errorf("the error repeats the link: %v", err)
		}
	}
	if link, _ := ParseLink(goodLink); strings.Contains(fmt.Sprintf("%v %+v", link, Request{Link: link}), "ABCDEF") {
		t.Error("the code is printed")
	}
}

func FuzzLink(f *testing.F) {
	for _, raw := range append(evilLinks, goodLink) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		link, err := ParseLink(raw)
		if err == nil && (!strings.HasPrefix(link.Reveal(), "hawser://enrol") || strings.ContainsAny(raw, " \n\x00")) {
			t.Errorf("%q passed", raw)
		}
	})
}
