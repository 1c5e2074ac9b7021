package shape

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"hawser/sync/capture"
	"hawser/sync/mailparse"
)

func TestF05InlineImages(t *testing.T) {
	t.Parallel()
	m := capture.Mail{
		Text: "Hi", HTML: `<p>Hi</p><img src="cid:logo@x" alt="Acme"><img src="cid:chart@x">`,
		Attachments: []capture.Attachment{
			{Index: 0, Name: "logo.png", Type: "image/png", ContentID: "logo@x", Inline: true, Size: 10},
			{Index: 1, Name: "chart.png", Type: "image/png", ContentID: "chart@x", Inline: true, Size: 10},
			{Index: 2, Name: "photo.jpg", Type: "image/jpeg", ContentID: "photo@x", Inline: true, Size: 10},     // shown nowhere: a phone sent it so
			{Index: 3, Name: "offer.pdf", Type: "application/pdf", ContentID: "logo@x", Inline: true, Size: 10}, // no picture, whatever its id
		},
	}
	got, left := Cut(m, full())
	if names(got.Attachments) != "photo.jpg offer.pdf" || whys(left) != "logo.png:inline chart.png:inline" {
		t.Errorf("files %q, left out %q", names(got.Attachments), whys(left))
	}
	if got.HTML != "<p>Hi</p>[image: logo.png][image: chart.png]" {
		t.Errorf("HTML %q", got.HTML)
	}
	got, left = Cut(m, content(func(c *capture.Content) { c.Inline = true }))
	if len(got.Attachments) != 4 || len(left) != 0 || !strings.Contains(got.HTML, "[image: logo.png]") {
		t.Errorf("asked for: files %q, left out %q, HTML %q", names(got.Attachments), whys(left), got.HTML)
	}
	// A signature that is cut takes its logo with it.
	m.HTML = `<p>Hi</p><div class="gmail_signature"><img src="cid:logo@x"></div><img src="cid:chart@x">`
	got, left = Cut(m, content(newestOnly))
	if !strings.Contains(whys(left), "logo.png:inline") || strings.Contains(got.HTML, "logo") {
		t.Errorf("cut signature: left out %q, HTML %q", whys(left), got.HTML)
	}
	// A mail without HTML shows no pictures: they are files.
	m.HTML = ""
	if got, _ = Cut(m, full()); len(got.Attachments) != 4 {
		t.Errorf("plain mail: files %q", names(got.Attachments))
	}
}

// TestF05SignatureLogoGivesNoFile is the whole way from the wire.
func TestF05SignatureLogoGivesNoFile(t *testing.T) {
	t.Parallel()
	raw := "Subject: x\r\nContent-Type: multipart/related; boundary=r\r\n\r\n--r\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" +
		"<p>Grüße</p><p>Ann<br><img width=120 src=\"cid:image001.png@01D9\" alt=\"Logo\"></p>\r\n--r\r\n" +
		"Content-Type: image/png; name=image001.png\r\nContent-ID: <image001.png@01D9>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--r--\r\n"
	m, err := mailparse.Parse(strings.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	got, left := Cut(m, full())
	if len(got.Attachments) != 0 || whys(left) != "image001.png:inline" {
		t.Errorf("files %v, left out %v", got.Attachments, left)
	}
	if !strings.Contains(got.HTML, "[image: image001.png]") || !strings.Contains(got.Text, "[image: image001.png]") {
		t.Errorf("HTML %q, text %q", got.HTML, got.Text)
	}
}

func TestF05CloudLinksStayAndAreCounted(t *testing.T) {
	t.Parallel()
	m := capture.Mail{
		Text: "See https://acme-my.sharepoint.com/:w:/g/personal/ann/abc?e=1, and (https://1drv.ms/u/s!abc).\nhttps://www.example.org/https://drive.google.com/",
		HTML: `<p><a href="https://acme-my.sharepoint.com/:w:/g/personal/ann/abc?e=1">Offer</a> <a href="https://drive.google.com/file/d/1/view?usp=drive_web"><img src="https://ssl.gstatic.com/i.png" alt="">Plan</a>` +
			`<a href="https://www.dropbox.com/scl/fi/x?dl=0">D</a><a href="https://app.box.com/s/x">B</a><a href="https://onedrive.live.com/?id=1">O</a><a href="https://onedrive.live.com/?id=1#x">O</a>` +
			`<a href="https://dropbox.com.evil.example/x">no</a><a href="https://notbox.com/s/x">no</a><a href="https://www.dropbox.com/">no</a><a href="ftp://box.com/x">no</a></p>`,
	}
	got, _ := Cut(m, full())
	for _, keep := range []string{`<a href="https://drive.google.com/file/d/1/view?usp=drive_web" rel="noreferrer">Plan</a>`, "https://acme-my.sharepoint.com/:w:/g/personal/ann/abc?e=1"} {
		if !strings.Contains(got.HTML, keep) {
			t.Errorf("HTML lost %q: %q", keep, got.HTML)
		}
	}
	if got.Text != m.Text {
		t.Errorf("text became %q", got.Text)
	}
	if n := Links(got); n != 6 {
		t.Errorf("%d links, want 6", n)
	}
	m.Text = ""
	if got, _ := Cut(m, full()); !strings.Contains(got.Text, "<https://www.dropbox.com/scl/fi/x?dl=0>") {
		t.Errorf("the text made of the HTML lost a link: %q", got.Text)
	}
}

// TestF08TextLimits gives texts of many kinds that are too long for their fields.
func TestF08TextLimits(t *testing.T) {
	t.Parallel()
	for name, unit := range map[string]string{
		"ascii": "Hello, this is a line of text.\n", "crlf": "line\r\n", "german": "Grüße aus Köln. ", "cjk": "日本語のテキスト。", "emoji": "👩‍👩‍👧‍👦 ", "flags": "🇩🇪🇫🇷",
		"accents": "e\u0301a\u0308", "thai": "สวัสดี", "spaces": " ", "newlines": "\n", "amps": "&", "one word": "x",
	} {
		text := strings.Repeat(unit, 200_000/len(unit)+1)
		if Units(text) < 131_072 {
			text = strings.Repeat(text, 3)
		}
		m := capture.Mail{Header: capture.Header{Subject: text}, Text: text, HTML: "<div><p>" + escape(text) + "</p></div>", RawHeaders: "A: " + text + "\nB: " + text}
		got, left := Cut(m, full())
		got = Note(got, "Not saved: "+strings.Repeat("'", 1000))
		if Units(got.Subject) > 3000 || Units(got.Text) > 131_072 || Units(got.HTML) > 131_072 || Units(got.RawHeaders) > 32_000 {
			t.Errorf("%s: %d, %d, %d, %d units", name, Units(got.Subject), Units(got.Text), Units(got.HTML), Units(got.RawHeaders))
		}
		if len(left) != 1 || left[0].Why != WhyLong || left[0].Size < 1 {
			t.Errorf("%s: left out %v", name, left)
		}
		if !strings.Contains(got.Text, "\n\n[…]\n\nNot saved") || !strings.Contains(got.HTML, "</p></div><p>[…]</p><p>Not saved") || !strings.HasSuffix(got.Subject, "…") {
			t.Errorf("%s: no visible mark: %q %q", name, got.Text[max(len(got.Text)-200, 0):], got.HTML[max(len(got.HTML)-200, 0):])
		}
		checkSafe(t, name, got.HTML)
		if body := strings.TrimSuffix(got.Text[:strings.Index(got.Text, "[…]")], "\n\n"); strings.Trim(unit, " \r\n") != "" && !wholeUnits(body, unit) {
			t.Errorf("%s: cut within a character: ...%q", name, body[max(len(body)-30, 0):])
		}
		task, left := CutTask(m, full())
		if task = Note(task, "Not saved: a.pdf"); Units(task.Text) > 31_900-TaskFoot || Units(task.Subject) > 255 || task.HTML+task.RawHeaders != "" {
			t.Errorf("%s: task of %d and %d units", name, Units(task.Text), Units(task.Subject))
		}
		if !strings.Contains(task.Text, "\n\n[…]\n\nNot saved") || !strings.HasSuffix(task.Subject, "…") || whys(left) != ":long" {
			t.Errorf("%s: no visible mark in a task: %q %q, left out %v", name, task.Subject, task.Text[max(len(task.Text)-200, 0):], left)
		}
	}
	// What is not even read is marked too.
	m := capture.Mail{HTML: "<p>begin</p><!--" + strings.Repeat("x", maxSource) + "--><p>end</p>"}
	if got, left := Cut(m, full()); got.HTML != "<p>begin</p><p>[…]</p>" || got.Text != "begin\n\n[…]" || whys(left) != ":long" {
		t.Errorf("HTML %q, text %q, left out %v", got.HTML, got.Text, left)
	}
	m = capture.Mail{Header: capture.Header{Subject: "s"}, Text: "short\r\n\r\n", HTML: "<p>short</p>", RawHeaders: "A: b\r\n"}
	if got, left := fit(m, EmailLimits); fmt.Sprint(got) != fmt.Sprint(m) || left != nil {
		t.Errorf("what fits was changed: %+v, %v", got, left)
	}
}

// wholeUnits reports whether body is made of whole characters of unit as people see them: what
// follows the last whole repetition is a prefix that ends between two of them.
func wholeUnits(body, unit string) bool {
	rest := strings.TrimSpace(body[len(body)/len(unit)*len(unit):])
	unit = strings.TrimSpace(unit)
	if rest == "" {
		return true
	}
	next, _ := utf8.DecodeRuneInString(unit[min(len(rest), len(unit)-1):])
	last, _ := utf8.DecodeLastRuneInString(rest)
	return strings.HasPrefix(unit, rest) && !joins(last, next) && !splitsFlag(rest, next)
}

func TestF08CutsBetweenCharacters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"abc", 2, "ab"}, {"a👍b", 2, "a"}, {"a👍b", 3, "a👍"}, {"ae\u0301b", 2, "a"}, {"a👍🏽b", 4, "a"}, {"a👩‍👧b", 4, "a"}, {"🇩🇪🇫🇷", 6, "🇩🇪"}, {"🇩🇪🇫🇷", 4, "🇩🇪"},
		{"a❤\ufe0fb", 2, "a"}, {"a\r\nb", 2, "a"}, {"a\nb", 2, "a"}, {"a\nb", 3, "a\n"}, {strings.Repeat("\u0301", 50), 40, strings.Repeat("\u0301", 40)}, {"x", 0, ""}, {"x", -1, ""},
	} {
		got, missing := Prefix(c.text, c.limit)
		if got != c.want || !missing {
			t.Errorf("Prefix(%q, %d) = %q, %v; want %q", c.text, c.limit, got, missing, c.want)
		}
	}
}

func TestF08HTMLIsCutBetweenTags(t *testing.T) {
	t.Parallel()
	source := `<div><p style="color: red">Tom &amp; Jerry &lt;3</p><table><tr><td>a<br>b</td></tr></table></div>` + strings.Repeat("<p>x</p>", 40)
	for limit := 60; limit < Units(source); limit++ {
		got, missing := CutHTML(source, limit)
		if !missing || Units(got) > limit || !strings.HasSuffix(got, "<p>[…]</p>") {
			t.Fatalf("limit %d: %d units, %v: %q", limit, Units(got), missing, got)
		}
		if again := safe(got, nil); again != got {
			t.Fatalf("limit %d left something open: %q, closed: %q", limit, got, again)
		}
		if strings.Contains(mailparse.HTMLText(got), "&") && !strings.Contains(mailparse.HTMLText(got), "Tom &") {
			t.Fatalf("limit %d cut an entity: %q", limit, got)
		}
	}
}

// TestM05EveryScriptSurvives sends texts of all kinds from the wire through Cut and expects the
// same characters.
func TestM05EveryScriptSurvives(t *testing.T) {
	t.Parallel()
	const all = "Grüße, 你好, こんにちは, 안녕, Привет, مرحبا, שלום, नमस्ते, ไทย, Ελληνικά, İstanbul ß ﬁ Å e\u0301 👩🏽‍💻🇩🇪🏴󠁧󠁢󠁳󠁣󠁴󠁿 \u200fx\u200e z\u200dw ¿½€™\U00020BB7"
	raw := "From: " + all[:6] + " 用户 <用户@例え.example>\r\nTo: \"名前, 👍\" <δοκιμή@παράδειγμα.example>\r\nSubject: " + all + "\r\nMessage-ID: <1@例え.example>\r\n" +
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + all +
		"\r\n--c\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>" + all + "</p>\r\n--c--\r\n--b\r\nContent-Type: application/pdf\r\n" +
		"Content-Disposition: attachment; filename=\"報告書 Ünïcode 😊.pdf\"\r\n\r\nx\r\n--b--\r\n"
	m, err := mailparse.Parse(strings.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	for _, choice := range []capture.Content{full(), content(newestOnly)} {
		got, _ := Cut(m, choice)
		if got.Subject != all || got.Text != all || got.HTML != "<p>"+all+"</p>" {
			t.Errorf("subject %q\ntext %q\nHTML %q", got.Subject, got.Text, got.HTML)
		}
		if fmt.Sprint(got.From, got.To) != "[{Grüß 用户 用户@例え.example}] [{名前, 👍 δοκιμή@παράδειγμα.example}]" || got.MessageID != "<1@例え.example>" {
			t.Errorf("people %v %v, id %q", got.From, got.To, got.MessageID)
		}
		if names(got.Attachments) != "報告書 Ünïcode 😊.pdf" {
			t.Errorf("file %q", names(got.Attachments))
		}
		if head := raw[:strings.Index(raw, "\r\n\r\n")+2]; got.RawHeaders != head {
			t.Errorf("headers %q\nwant %q", got.RawHeaders, head)
		}
	}
	got, _ := Cut(m, content(func(c *capture.Content) { c.Level = capture.LevelHeaders }))
	if fmt.Sprint(got.From, got.To) != fmt.Sprint(m.From, m.To) || !strings.Contains(got.RawHeaders, "<δοκιμή@παράδειγμα.example>") {
		t.Errorf("at the lowest level people are %v %v", got.From, got.To)
	}
}
