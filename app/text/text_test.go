package text_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"hawser/app/text"
	"hawser/assets"
	"hawser/sync/fault"
)

// catalogue reads one language's files as they are.
func catalogue(t *testing.T, lang string) map[string]any {
	t.Helper()
	parts, err := fs.Glob(assets.Translations, "translation/"+lang+"/*.json")
	if err != nil || len(parts) == 0 {
		t.Fatalf("%s: %q, %v", lang, parts, err)
	}
	all := map[string]any{}
	for _, part := range parts {
		raw, err := assets.Translations.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatalf("%s: %v", part, err)
		}
		for id, v := range m {
			if _, twice := all[id]; twice {
				t.Errorf("%s: %s stands in another part too", part, id)
			}
			all[id] = v
		}
	}
	return all
}

// forms returns all texts of an entry: one, or one per plural form.
func forms(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	var all []string
	for _, s := range v.(map[string]any) {
		all = append(all, s.(string))
	}
	return all
}

// plurals are the forms that CLDR asks for, of languages that ask for others than English does.
var plurals = map[string][]string{
	"es": {"many", "one", "other"},
	"fr": {"many", "one", "other"},
	"ja": {"other"},
}

// samePlurals says whether an entry of lang has plural forms where the English one has, and all
// that the language needs.
func samePlurals(lang string, en, other any) bool {
	_, wanted := en.(map[string]any)
	got, ok := other.(map[string]any)
	if !wanted || !ok {
		return wanted == ok
	}
	want, special := plurals[lang]
	if !special {
		want = []string{"one", "other"}
	}
	return slices.Equal(slices.Sorted(maps.Keys(got)), want)
}

func TestEveryLanguageIsComplete(t *testing.T) {
	t.Parallel()
	en := catalogue(t, "en")
	placeholder := regexp.MustCompile(`{{\.\w+}}`)
	used := func(v any) []string {
		found := map[string]bool{}
		for _, s := range forms(v) {
			for _, p := range placeholder.FindAllString(s, -1) {
				found[p] = true
			}
		}
		return slices.Sorted(maps.Keys(found))
	}
	if len(text.Languages()) < 2 {
		t.Fatalf("languages %q", text.Languages())
	}
	for _, lang := range text.Languages() {
		other := catalogue(t, lang)
		for id, v := range en {
			w, ok := other[id]
			switch {
			case !ok:
				t.Errorf("%s: no text for %s", lang, id)
			case !samePlurals(lang, v, w):
				t.Errorf("%s: %s has not the plural forms of its language", lang, id)
			case !slices.Equal(used(v), used(w)):
				t.Errorf("%s: %s uses %q, English %q", lang, id, used(w), used(v))
			}
			for _, s := range forms(w) {
				if strings.TrimSpace(s) == "" && (s == "" || id != "number.group") { // a space, in Spanish and French
					t.Errorf("%s: %s is empty", lang, id)
				}
			}
		}
		for id := range other {
			if _, ok := en[id]; !ok {
				t.Errorf("%s: %s is not in English", lang, id)
			}
		}
	}
}

func TestEveryFaultHasItsThreeTexts(t *testing.T) {
	t.Parallel()
	for _, lang := range text.Languages() {
		l := text.New(lang)
		unknown, _, _ := l.Fault("no-such-code")
		if !strings.Contains(unknown, "no-such-code") {
			t.Errorf("%s: an unknown code is not shown: %q", lang, unknown)
		}
		titles := map[string]fault.Code{}
		for _, code := range fault.Codes() {
			for part, id := range map[string]string{"title": "", "body": "", "fix": ""} {
				id = "fault." + string(code) + "." + part
				s := l.T(id, nil)
				if s == id || !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "。") && part != "title" {
					t.Errorf("%s: %s = %q, want sentences", lang, id, s)
				}
			}
			title, _, _ := l.Fault(code)
			if other, taken := titles[title]; taken {
				t.Errorf("%s: %s and %s have the same title", lang, code, other)
			}
			titles[title] = code
		}
	}
}

// TestTone keeps the words of programmers, and blame, out of what people read.
func TestTone(t *testing.T) {
	t.Parallel()
	never := map[string][]string{
		"":   {"failed to", "error:", "invalid", "exception", "null", "http ", "json:", "token", "oauth"},
		"de": {"fehlgeschlagen", "ungültig", "fehler:"},
		"es": {"falló", "fallid", "fallo", "error:", "inválid", "no válid", "excepción"},
		"fr": {"échoué", "échec", "erreur :", "erreur\u00a0:", "invalide", "jeton"},
		"ja": {"失敗", "エラー:", "エラー：", "無効", "不正", "例外", "トークン"},
	}
	for _, lang := range text.Languages() {
		for id, v := range catalogue(t, lang) {
			for _, s := range forms(v) {
				for _, word := range slices.Concat(never[""], never[lang]) {
					if strings.Contains(strings.ToLower(s), word) {
						t.Errorf("%s: %s says %q: %s", lang, id, word, s)
					}
				}
			}
		}
	}
}

// TestIDsInSourcesExist reads the sources of everything that shows texts: every id written there
// has a text, and every text is asked for.
func TestIDsInSourcesExist(t *testing.T) {
	t.Parallel()
	var sources strings.Builder
	for _, dir := range []string{"../cli", "../tray", "../notice", "../desktop", "../window", "../control", "../agent", "."} {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			sources.Write(raw)
		}
	}
	src := sources.String()
	en := catalogue(t, "en")
	for _, m := range regexp.MustCompile(`(?:\bt|\bT|\busage)\("([a-z][a-z0-9.-]+)"[,)]`).FindAllStringSubmatch(src, -1) {
		if _, ok := en[m[1]]; !ok {
			t.Errorf("a source asks for %q, which has no text", m[1])
		}
	}
	// Ids that are put together from a prefix and a word, or from a word and a suffix.
	var prefixes []string
	for _, m := range regexp.MustCompile(`"([a-z][a-z0-9.-]*[.-])"`).FindAllStringSubmatch(src, -1) {
		prefixes = append(prefixes, m[1])
	}
	suffix := regexp.MustCompile(`^(resume|check|stop)\.done$`)
	for id := range en {
		built := slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(id, p) })
		if !strings.Contains(src, `"`+id+`"`) && !built && !suffix.MatchString(id) {
			t.Errorf("nothing asks for %q", id)
		}
	}
}

func TestLanguageChoice(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "en", "C": "en", "C.UTF-8": "en", "POSIX": "en", "de": "de", "de_DE.UTF-8": "de", "de-AT": "de", "DE": "de",
		"en_GB": "en", "es_MX.UTF-8": "es", "ja": "ja", "ja_JP.UTF-8": "ja", "ko": "en", "no such": "en", "de_DE@euro": "en",
	} {
		if got := text.New(in).Lang(); got != want {
			t.Errorf("New(%q) speaks %q, want %q", in, got, want)
		}
	}
}

func TestPlurals(t *testing.T) {
	t.Parallel()
	for lang, want := range map[string][2]string{
		"en": {"1 mail needs you", "3 mails need you"},
		"de": {"1 E-Mail braucht Sie", "3 E-Mails brauchen Sie"},
		"es": {"1 correo por revisar", "3 correos por revisar"},
		"fr": {"1 e-mail à traiter", "3 e-mails à traiter"},
		"ja": {"1 件のメールに対応が必要です", "3 件のメールに対応が必要です"},
	} {
		l := text.New(lang)
		for i, n := range []int{1, 3} {
			if got := l.T("state.needs-you", map[string]any{"Count": n}); got != want[i] {
				t.Errorf("%s: %q, want %q", lang, got, want[i])
			}
		}
	}
	if got := text.New("en").T("no.such-id", nil); got != "no.such-id" {
		t.Errorf("unknown id gives %q", got)
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", 3600)
	now := time.Date(2026, 11, 25, 10, 0, 0, 0, zone)
	for _, lang := range []string{"en", "de", "es", "fr", "ja"} {
		l := text.New(lang)
		got := []string{
			l.Moment(time.Time{}, now),
			l.Moment(now.Add(-time.Hour).UTC(), now),
			l.Moment(now.Add(-24*time.Hour), now),
			l.Moment(now.AddDate(-1, 0, 0), now),
			l.Ago(now.Add(-10*time.Second), now), l.Ago(now.Add(-time.Minute), now), l.Ago(now.Add(-5*time.Hour), now), l.Ago(now.Add(time.Hour), now),
			l.Number(0), l.Number(999), l.Number(-1234567),
			l.Size(0), l.Size(999), l.Size(1000), l.Size(4711), l.Size(9949), l.Size(9950), l.Size(999_499), l.Size(999_500), l.Size(62_914_560),
		}
		want := map[string][]string{
			"en": {"never", "09:00", "24 Nov, 10:00", "25 Nov 2025", "just now", "1 minute ago", "5 hours ago", "11:00",
				"0", "999", "-1,234,567", "0 B", "999 B", "1.0 kB", "4.7 kB", "9.9 kB", "10 kB", "999 kB", "1.0 MB", "63 MB"},
			"de": {"noch nie", "09:00", "24. Nov., 10:00", "25. Nov. 2025", "gerade eben", "vor 1 Minute", "vor 5 Stunden", "11:00",
				"0", "999", "-1.234.567", "0 B", "999 B", "1,0 kB", "4,7 kB", "9,9 kB", "10 kB", "999 kB", "1,0 MB", "63 MB"},
			"es": {"nunca", "09:00", "24 nov, 10:00", "25 nov 2025", "ahora mismo", "hace 1 minuto", "hace 5 horas", "11:00",
				"0", "999", "-1\u00a0234\u00a0567", "0 B", "999 B", "1,0 kB", "4,7 kB", "9,9 kB", "10 kB", "999 kB", "1,0 MB", "63 MB"},
			"fr": {"jamais", "09:00", "24 nov., 10:00", "25 nov. 2025", "à l’instant", "il y a 1 minute", "il y a 5 heures", "11:00",
				"0", "999", "-1\u00a0234\u00a0567", "0 o", "999 o", "1,0 ko", "4,7 ko", "9,9 ko", "10 ko", "999 ko", "1,0 Mo", "63 Mo"},
			"ja": {"なし", "09:00", "11月24日 10:00", "2025年11月25日", "たった今", "1 分前", "5 時間前", "11:00",
				"0", "999", "-1,234,567", "0 B", "999 B", "1.0 KB", "4.7 KB", "9.9 KB", "10 KB", "999 KB", "1.0 MB", "63 MB"},
		}[lang]
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", lang, got, want)
		}
	}
}

// TestM04MissingTextFallsBack speaks a language of which one text is there: the rest is English.
func TestM04MissingTextFallsBack(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{
		"translation/en/a.json": {Data: []byte(`{"yes": "Yes", "no": "No", "mails": {"one": "{{.Count}} mail", "other": "{{.Count}} mails"}}`)},
		"translation/nl/a.json": {Data: []byte(`{"yes": "Ja"}`)},
	}
	l := text.From(files, "nl_NL.UTF-8")
	if l.Lang() != "nl" {
		t.Fatalf("speaks %q", l.Lang())
	}
	for id, want := range map[string]string{"yes": "Ja", "no": "No", "mails": "3 mails", "none": "none"} {
		if got := l.T(id, map[string]any{"Count": 3}); got != want {
			t.Errorf("%s is %q, want %q", id, got, want)
		}
	}
}
