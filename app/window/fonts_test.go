package window

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/fontscan"

	"hawser/app/control"
	"hawser/app/text"
	"hawser/assets"
)

// needFont skips where this computer has no font for a language.
func needFont(t *testing.T, lang string) {
	t.Helper()
	if hasFont(lang) {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("no font for %s", lang)
	}
	t.Skipf("no font for %s", lang)
}

// TestEveryLetterIsDrawn: the letters of every language are in Fyne's own fonts, or together in one
// of the system.
func TestEveryLetterIsDrawn(t *testing.T) {
	own, err := font.ParseTTF(bytes.NewReader(theme.DefaultTextFont().Content()))
	if err != nil {
		t.Fatal(err)
	}
	fonts, err := fontscan.SystemFonts(silent{}, "")
	if err != nil {
		t.Log(err) // none at all
	}
	for _, lang := range text.Languages() {
		t.Run(lang, func(t *testing.T) {
			lacks := map[rune]bool{}
			for _, r := range letters(t, lang) {
				if _, ok := own.NominalGlyph(r); !ok && unicode.IsPrint(r) {
					lacks[r] = true
				}
			}
			if (len(lacks) > 0) != (scripts[lang].letters != "") {
				t.Fatalf("Fyne's own font lacks %d letters: %q", len(lacks), slices.Collect(maps.Keys(lacks)))
			}
			if len(lacks) == 0 {
				return
			}
			needFont(t, lang)
			if !slices.ContainsFunc(fonts, func(f fontscan.Footprint) bool {
				for r := range lacks {
					if !f.Runes.Contains(r) {
						return false
					}
				}
				return true
			}) {
				t.Errorf("no font has all %d letters", len(lacks))
			}
		})
	}
}

// letters are all that a catalogue has.
func letters(t *testing.T, lang string) string {
	t.Helper()
	parts, err := fs.Glob(assets.Translations, "translation/"+lang+"/*.json")
	if err != nil || len(parts) == 0 {
		t.Fatal(parts, err)
	}
	var all strings.Builder
	for _, p := range parts {
		raw, err := assets.Translations.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		for _, v := range m {
			switch v := v.(type) {
			case string:
				all.WriteString(v)
			case map[string]any:
				for _, form := range v {
					all.WriteString(form.(string))
				}
			}
		}
	}
	return all.String()
}

// TestWithoutFont: where a language cannot be drawn the window is in English, and says why; another
// language that can be drawn is spoken at once.
func TestWithoutFont(t *testing.T) {
	agent := busyAgent()
	agent.Options[2].Value, agent.Options[2].Values = "ja", []string{"", "de", "en", "ja"}
	r := newRig(t, stage{lang: "ja", page: control.PageSettings, agent: agent, noFont: true})
	r.settle()
	if r.a.loc.Lang() != "en" {
		t.Errorf("the window speaks %s", r.a.loc.Lang())
	}
	var all strings.Builder
	for _, one := range texts(r.a.win.Content()) {
		all.WriteString(one.text + "\n")
	}
	if shown := all.String(); strings.Count(shown, "no font for Japanese") != 2 || strings.ContainsFunc(shown, isWide) {
		t.Errorf("the window says\n%s", shown)
	}
	r.a.current().(*settings).choose(control.SetLanguage, "de")
	r.told("set language de")
	r.until("German", func() bool { return r.a.loc.Lang() == "de" })
	r.a.current().(*settings).choose(control.SetLanguage, "ja")
	r.told("set language ja")
	r.until("English", func() bool { return r.a.loc.Lang() == "en" })
}

func TestBreakable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "Nothing is lost.": "Nothing is lost.", "Größe – 3 MB …": "Größe – 3 MB …",
		"何も。":                  "何|も。",
		"「保存」を選ぶ":              "「保|存」|を|選|ぶ",
		"Hawser のメニュー":         "Hawser の|メ|ニュー",
		"次は「hawser run -x」です。": "次|は|「hawser run -x」|で|す。",
		"一\n二":                 "一\n二",
		"（3）件":                 "（3）|件",
	} {
		if got := strings.ReplaceAll(breakable(in), string(softBreak), "|"); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		if got := strings.ReplaceAll(breakable(in), string(softBreak), ""); got != in {
			t.Errorf("%q became %q", in, got)
		}
	}
}

// TestSoftBreak holds Fyne to what softBreak relies on: it has no width, and a line may end there.
func TestSoftBreak(t *testing.T) {
	needFont(t, "ja")
	test.NewTempApp(t)
	const plain = "Hawser が動いていない間、メールは取り込まれません。すでに待機しているものは、そのまま保たれます。"
	measure := func(s string) float32 { return fyne.MeasureText(s, 14, fyne.TextStyle{}).Width }
	if a, b := measure(plain), measure(breakable(plain)); a != b {
		t.Errorf("%.1f wide, with breaks %.1f", a, b)
	}
	l := label(plain)
	for width := float32(90); width < 500; width += 7 {
		l.Resize(fyne.NewSize(width, 400))
		all := drawn(l)
		if got := strings.NewReplacer(string(softBreak), "", " ", "").Replace(strings.Join(all, "")); got != strings.ReplaceAll(plain, " ", "") {
			t.Fatalf("%.0f: lines are %q", width, all)
		}
		for i, s := range all {
			s = strings.Trim(s, string(softBreak))
			if i > 0 && (s == "" || strings.ContainsAny(s[:len("。")], "。、っー")) {
				t.Errorf("%.0f: line %d begins with %q", width, i, s)
			}
			if room := width - 4*theme.InnerPadding(); i < len(all)-1 && measure(s) < room-4*14 {
				t.Errorf("%.0f: line %d is only %.0f wide: %q", width, i, measure(s), s)
			}
		}
	}
}

// drawn are the lines of a label.
func drawn(l *widget.Label) []string {
	var out []string
	walk(l, func(o fyne.CanvasObject) bool {
		if one, ok := o.(*canvas.Text); ok {
			out = append(out, one.Text)
		}
		return true
	})
	return out
}

func TestSentences(t *testing.T) {
	t.Parallel()
	for want, in := range map[string][]string{"": nil, "One. Two.": {"One.", "Two."}, "一。二。": {"一。", "二。"}, "見出し 本文。次。": {"見出し", "本文。", "次。"}} {
		if got := sentences(in...); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
