package mailparse

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"mime/quotedprintable"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"hawser/sync/capture"
	"hawser/sync/costtest"
)

func readHeader(t *testing.T, s string) capture.Header {
	t.Helper()
	h, err := ReadHeader(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestSubject(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ raw, want string }{
		{"plain", "plain"},
		{"=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"},
		{"=?UTF-8?B?8J+Yig==?= ok", "😊 ok"},
		{"=?iso-2022-jp?B?GyRCRnxLXDhsGyhC?=", "日本語"},
		{"=?gb18030?B?1tDOxA==?=", "中文"},
		{"=?koi8-r?B?8NLJ18XU?=", "Привет"},
		{"=?utf-7?Q?Hi_+AOQ-?=", "Hi ä"},
		{"=?utf-8?B?w?= =?utf-8?B?6Q==?=", "é"}, // one character in two words
		{"=?utf-8?Q?a?=\r\n =?utf-8?Q?b?=", "ab"},
		{"=?utf-8?Q?a b?=", "a b"},
		{"=?utf-8?Q?=41?=", "A"},
		{"=?utf-8*de?Q?=C3=A4?=", "ä"},
		{"=?nope?Q?x?=", "x"},
		{"=?utf-8?X?x?= y", "=?utf-8?X?x?= y"},
		{"a =? b", "a =? b"},
		{"=?utf-8?Q?a=0D=0ABcc:_x?=", "a  Bcc: x"},
		{"Gr\xfc\xdfe", "Grüße"},
		{"Grüße", "Grüße"},
		{"a\x00b", "a b"},
		{"a\r\n  b", "a  b"},
		{"\x1b$BF|K\\8l\x1b(B", "日本語"},
	} {
		if got := readHeader(t, "Subject: "+c.raw+"\r\n\r\nbody").Subject; got != c.want {
			t.Errorf("subject %q = %q, want %q", c.raw, got, c.want)
		}
	}
	got := readHeader(t, "Content-Type: text/plain; charset=koi8-r\nSubject: \xf0\xd2\xc9\xd7\xc5\xd4\n").Subject
	if got != "Привет" {
		t.Errorf("raw subject in the body's charset = %q", got)
	}
}

// TestGuessesAreRepeated reads a subject that several charsets fit equally well: a mail is known by
// its subject, so each reading must be the same.
func TestGuessesAreRepeated(t *testing.T) {
	t.Parallel()
	raw := "Subject: s " + strings.Repeat("\xa4", 120) + "\n\n"
	first := readHeader(t, raw).Subject
	for range 200 {
		if again := readHeader(t, raw).Subject; again != first {
			t.Fatalf("subject %q is %q the next time", first, again)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ raw, want string }{
		{"a@b.example", "[{ a@b.example}]"},
		{"A B <a@b.example>, c@d.example", "[{A B a@b.example} { c@d.example}]"},
		{`"B, A" <a@b.example>`, "[{B, A a@b.example}]"},
		{`"a \"x\" b" <a@b.example>`, `[{a "x" b a@b.example}]`},
		{"a@b.example (Ann (the boss) B)", "[{Ann (the boss) B a@b.example}]"},
		{"Team: a@b.example, B <c@d.example>;, e@f.example", "[{ a@b.example} {B c@d.example} { e@f.example}]"},
		{"undisclosed-recipients:;", "[]"},
		{"Ann a@b.example", "[{Ann a@b.example}]"},
		{"<<a@b.example>>", "[{ a@b.example}]"},
		{"A <a@b.example, B <c@d.example>", "[{A a@b.example} {B c@d.example}]"},
		{"<@relay.example,@x.example:a@b.example>", "[{ a@b.example}]"},
		{`"john doe"@b.example`, `[{ "john doe"@b.example}]`},
		{"=?utf-8?Q?J=C3=B6rg?= <j@b.example>", "[{Jörg j@b.example}]"},
		{`"=?utf-8?Q?J=C3=B6rg?=" <j@b.example>`, "[{Jörg j@b.example}]"},
		{"用户@例え.example", "[{ 用户@例え.example}]"},
		{"just a name", "[{just a name }]"},
		{"root", "[{ root}]"},
		{"a@b.example; c@d.example", "[{ a@b.example} { c@d.example}]"},
		{"'a@b.example' <a@b.example>", "[{ a@b.example}]"},
		{", ,", "[]"},
		{`"never closed <a@b.example>`, "[{never closed a@b.example}]"},
		{"A < a@b.example >", "[{A a@b.example}]"},
	} {
		if got := fmt.Sprint(readHeader(t, "To: "+c.raw+"\n\n").To); got != c.want {
			t.Errorf("addresses of %q = %s, want %s", c.raw, got, c.want)
		}
	}
}

func TestDate(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"Wed, 17 May 2000 19:35:05 -0400":         "2000-05-17T19:35:05-04:00",
		"17 May 2000 19:35 +0200 (CEST)":          "2000-05-17T19:35:00+02:00",
		"Wed, 17 May 00 19:35:05 EDT":             "2000-05-17T19:35:05-04:00",
		"Wed May 17 19:35:05 2000":                "2000-05-17T19:35:05Z",
		"17-May-2000 19:35:05 GMT":                "2000-05-17T19:35:05Z",
		"2000-05-17T19:35:05Z":                    "2000-05-17T19:35:05Z",
		"2000-05-17 19:35:05 +0100":               "2000-05-17T19:35:05+01:00",
		"Wed, 17 May 2000 19:35:05 GMT+0200":      "2000-05-17T19:35:05+02:00",
		"Wed,17 May 100 9:5:5 +0000":              "2000-05-17T09:05:05Z",
		"=?utf-8?Q?yesterday?=":                   "",
		"32 May 2000":                             "",
		"":                                        "",
		"Mon, 1 Jan 99999999 00:00:00 +999999999": "",
	} {
		got := ""
		if d := readHeader(t, "Date: "+raw+"\n\n").Date; !d.IsZero() {
			got = d.Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("date %q = %q, want %q", raw, got, want)
		}
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	h := readHeader(t, strings.Join([]string{
		"Message-ID: <One@EXAMPLE.org>", "In-Reply-To: Your mail <p@x.example> of today",
		"References: <r1@x.example>", "\t<r2@x.example>junk<p@x.example>", "Sensitivity: Company-Confidential",
		"Auto-Submitted: auto-replied; owner-email=\"x\"", "Precedence: BULK", "List-Id: News <news.example.org>",
		"Content-Type: Multipart/Mixed; boundary=x", "From: a@b.example", "", ""}, "\r\n"))
	if h.MessageID != "<One@example.org>" || h.InReplyTo != "<p@x.example>" || len(h.References) != 3 ||
		h.ThreadID() != "<r1@x.example>" || h.Sensitivity != "company-confidential" || h.AutoSubmitted != "auto-replied" ||
		h.Precedence != "bulk" || h.ListID != "News <news.example.org>" || h.ContentType != "multipart/mixed" || h.Ambiguous {
		t.Errorf("header = %+v", h)
	}
	machine := readHeader(t, "Return-Path: < >\nList-Unsubscribe: <https://x.example>\nContent-class: urn:content-classes:calendarmessage\n\n")
	if !machine.NullReturn || !machine.Unsubscribe || !machine.Calendar || readHeader(t, "Return-Path: <a@b>\n\n").NullReturn {
		t.Errorf("signs of a machine: %+v", machine)
	}
	for _, twice := range []string{"Message-ID: <a@b>\nMessage-ID: <c@d>\n\n", "From: a@b\nFrom: c@d\n\n"} {
		if !readHeader(t, twice).Ambiguous {
			t.Errorf("%q is not ambiguous", twice)
		}
	}
	if h := readHeader(t, "From MAILER Thu Jan 1\nSubject: x\n\nSubject: y"); h.Subject != "x" {
		t.Errorf("mbox line: %+v", h)
	}
	if h := readHeader(t, ""); mustJSON(h) != mustJSON(capture.Header{}) {
		t.Errorf("empty mail: %+v", h)
	}
}

func TestReaderErrorsAreReported(t *testing.T) {
	t.Parallel()
	cut := errors.New("cut")
	bad := func() io.Reader {
		return io.MultiReader(strings.NewReader("Subject: x\r\n\r\nbody"), iotest.ErrReader(cut))
	}
	if _, err := Parse(bad(), 0); !errors.Is(err, cut) {
		t.Errorf("Parse: %v", err)
	}
	if _, err := File(bad(), 0, 0); !errors.Is(err, cut) {
		t.Errorf("File: %v", err)
	}
	if _, err := ReadHeader(iotest.ErrReader(cut)); !errors.Is(err, cut) {
		t.Errorf("ReadHeader: %v", err)
	}
	if _, err := File(strings.NewReader("Subject: x\n\nbody"), 0, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("File of a mail without one: %v", err)
	}
}

func parse(t *testing.T, raw string) capture.Mail {
	t.Helper()
	m, err := Parse(strings.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	check(t, []byte(raw), m)
	return m
}

const mixed = "Subject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n" +
	"Content-Type: multipart/alternative; boundary=bb\r\n\r\n--bb\r\n\r\nplain\r\n--bb\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--bb--\r\n" +
	"--b\r\nContent-Type: text/csv; charset=iso-8859-1; name=\"t\xe4.csv\"\r\nContent-Disposition: attachment; filename*=utf-8''%C3%A4%2F..%5Cb.csv\r\n\r\na;\xe4\r\n\r\n--b\r\n" +
	"Content-Type: message/rfc822\r\n\r\nSubject: inner: mail\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--\r\nepilogue"

func TestParts(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{mixed, strings.ReplaceAll(mixed, "\r\n", "\n")} {
		m := parse(t, raw)
		if m.Text != "plain" || m.HTML != "<p>html</p>" || len(m.Attachments) != 2 || len(m.Warnings) != 0 {
			t.Fatalf("mail = %+v", m)
		}
		if a := m.Attachments[0]; a.Name != "b.csv" || a.Type != "text/csv" {
			t.Errorf("file 0 = %+v", a)
		}
		if got := string(file(t, []byte(raw), 0)); strings.TrimRight(got, "\r\n") != "a;\xe4" {
			t.Errorf("bytes of file 0 = %q: a text file keeps its own charset", got)
		}
		if a := m.Attachments[1]; a.Name != "inner mail.eml" || a.Type != "message/rfc822" {
			t.Errorf("file 1 = %+v", a)
		}
		if got := string(file(t, []byte(raw), 1)); !strings.HasPrefix(got, "Subject: inner") || !strings.HasSuffix(got, "--c--") {
			t.Errorf("bytes of file 1 = %q", got)
		}
	}
}

func TestOddMails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, raw, text, warning string }{
		{"nothing", "", "", ""},
		{"no header", "\n\nhello", "hello", "no empty line"},
		{"no field", "// not a mail\n", "// not a mail\n", "no empty line"},
		{"no empty line", "Subject: x\nhello there\nyou: there\n", "hello there\nyou: there\n", "no empty line"},
		{"no boundary", "Content-Type: multipart/mixed\n\nhello", "hello", "no boundary"},
		{"wrong boundary", "Content-Type: multipart/mixed; boundary=x\n\n--y\n\nhello\n--y--", "--y\n\nhello\n--y--", "no parts"},
		{"no end", "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nhello\n", "hello\n", "no end"},
		{"html only", "Content-Type: text/html\n\n<style>p{}</style><p>a <b>b</b></p><ul><li>c<li>d</ul><a href='http://x.example'>e</a>",
			"a b\n\n- c\n- d\n\ne <http://x.example>", ""},
		{"html of lines", "Content-Type: text/html\n\n<pre>a  b\nc\n\n\nd</pre><p>e\nf", "a b\nc\n\nd\n\ne f", ""},
		{"html meta", "Content-Type: text/html\n\n<meta charset=koi8-r>\xf0\xd2\xc9", "При", ""},
		{"no charset", "Subject: x\n\n\xe4", "ä", "character set"},
		{"bad utf-8", "Content-Type: text/plain; charset=utf-8\n\naä\xff", "aä\uFFFD", "character set"},
		{"smime", "Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\nAAEC", "", "S/MIME"},
		{"unknown encoding", "Content-Transfer-Encoding: 8-bit-ish\n\nx", "x", "transfer encoding"},
		{"text for a header", "Content-Type: multipart/mixed; boundary=x\n\n--x\njust text\n\nmore\n--x--", "just text\n\nmore", "no empty line"},
		{"lost indent", "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain;\ncharset=koi8-r\n\n\xf0\n--x--", "П", ""},
		{"no base64", "Content-Transfer-Encoding: base64\n\nthese are just words, no code", "these are just words, no code", "base64"},
		{"no semicolon", "Content-Type: multipart/mixed\n\tboundary=x\n\n--x\n\nhello\n--x--", "hello", ""},
	} {
		m := parse(t, c.raw)
		if m.Text != c.text || c.warning == "" && len(m.Warnings) > 0 || !strings.Contains(strings.Join(m.Warnings, ";"), c.warning) {
			t.Errorf("%s: text %q, warnings %q", c.name, m.Text, m.Warnings)
		}
	}
	if m := parse(t, "Content-Type: application/pkcs7-mime\n\nAAEC"); m.Attachments[0].Name != "smime.p7m" {
		t.Errorf("sealed mail: %+v", m.Attachments)
	}
}

// TestBytesSurvive sends random files through each encoding, with lines that look like
// boundaries, and expects the same bytes back whatever the reader's chunks are.
func TestBytesSurvive(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 200 {
		want := make([]byte, rnd.IntN(200_000)>>(i%8))
		for k := range want {
			want[k] = byte(rnd.Uint32())
		}
		if i%2 == 0 {
			want = bytes.ReplaceAll(want, []byte{0}, []byte("\r\n--bx\r\n"))
		}
		var raw bytes.Buffer
		raw.WriteString("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: attachment\r\n")
		switch i % 3 {
		case 0:
			raw.WriteString("Content-Transfer-Encoding: base64\r\n\r\n")
			enc := base64.StdEncoding.EncodeToString(want)
			for len(enc) > 76 {
				raw.WriteString(enc[:76] + "\r\n")
				enc = enc[76:]
			}
			raw.WriteString(enc)
		case 1:
			raw.WriteString("Content-Transfer-Encoding: quoted-printable\r\n\r\n")
			w := quotedprintable.NewWriter(&raw)
			w.Binary = true
			if _, err := w.Write(want); err != nil {
				t.Fatal(err)
			}
			w.Close()
		default:
			raw.WriteString("Content-Transfer-Encoding: binary\r\n\r\n")
			raw.Write(want)
		}
		raw.WriteString("\r\n--b--\r\n")
		r, err := File(iotest.HalfReader(bytes.NewReader(raw.Bytes())), int64(raw.Len()), 0)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("case %d: %d bytes came back of %d, %v", i, len(got), len(want), err)
		}
	}
}

// bombs are mails made to cost much.
func bombs() map[string]string {
	var nested strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&nested, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	return map[string]string{
		"nested":    nested.String(),
		"parts":     "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\n", 500_000),
		"headers":   strings.Repeat("Subject: x\n", 400_000),
		"fold":      "Subject: x" + strings.Repeat("\n =?utf-8?Q?=41?=", 300_000),
		"to":        "To: " + strings.Repeat("a@b.example,", 300_000),
		"parens":    "To: " + strings.Repeat("(", 250_000),
		"quotes":    "To: " + strings.Repeat(`"`, 250_001),
		"words":     "Subject: " + strings.Repeat("=?", 120_000),
		"params":    "Content-Type: text/plain" + strings.Repeat(";a*0*=x;a*1=", 20_000) + "\n\nx",
		"html":      "Content-Type: text/html\n\n" + strings.Repeat("<div><a href=x><b>", 200_000),
		"tag":       "Content-Type: text/html\n\n<a " + strings.Repeat("x=y ", 900_000),
		"open tags": "Content-Type: text/html\n\n" + strings.Repeat("<", 4_000_000),
		"text":      "Subject: x\n\n" + strings.Repeat("0123456789abcde\n", 1<<18),
		"one line":  "Subject: x\n\n" + strings.Repeat("-", 8<<20),
		"dashes": "Content-Type: multipart/mixed; boundary=\"" + strings.Repeat("-", 60) + "\"\n\n" +
			strings.Repeat(strings.Repeat("-", 61)+"\n", 100_000),
		"part header": "Content-Type: multipart/mixed; boundary=b\n\n--b\n" + strings.Repeat("X-Y: z\n", 1_000_000),
		"references":  "References: " + strings.Repeat("<a@b>", 50_000),
	}
}

// TestBombsCostLittle counts what is allocated. Time is measured where it means something, in the
// fuzz targets.
func TestBombsCostLittle(t *testing.T) {
	for name, raw := range bombs() {
		for what, read := range map[string]func(){
			"Parse": func() {
				if _, err := Parse(strings.NewReader(raw), int64(len(raw))); err != nil {
					t.Error(err)
				}
			},
			"Text": func() {
				if _, _, err := Text(strings.NewReader(raw), int64(len(raw))); err != nil {
					t.Error(err)
				}
			},
			"ReadHeader": func() { readHeader(t, raw) },
		} {
			if used := costtest.Allocated(read); used > costtest.MaxBytes {
				t.Errorf("%s of %s: %d MB were allocated", what, name, used>>20)
			}
		}
	}
}

const typical = "Delivered-To: lena.brandt@nordwind.example\r\nReceived: by 10.1.2.3 with SMTP id x1234567890; Wed, 17 May 2023 19:35:05 -0400\r\n" +
	"Received: from mail.example (mail.example [192.0.2.1])\r\n by mx.example with ESMTPS id abcdef\r\n for <lena.brandt@nordwind.example>; Wed, 17 May 2023 19:35:04 -0400\r\n" +
	"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=acme.example; s=s1;\r\n h=from:to:subject; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n b=Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYmF6\r\n" +
	"From: =?utf-8?Q?J=C3=B6rg_Meyer?= <joerg@acme.example>\r\nTo: Lena Brandt <lena.brandt@nordwind.example>, \"Team, Sales\" <sales@nordwind.example>\r\nCc: a@acme.example\r\n" +
	"Subject: =?utf-8?Q?Angebot_f=C3=BCr_M=C3=A4rz?= 2023\r\nDate: Wed, 17 May 2023 19:35:05 -0400\r\nMessage-ID: <CAB1234567890@mail.acme.example>\r\n" +
	"In-Reply-To: <prev@nordwind.example>\r\nReferences: <first@nordwind.example> <prev@nordwind.example>\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: multipart/alternative; boundary=\"000000000000abcdef\"\r\n\r\n"

func BenchmarkReadHeader(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadHeader(strings.NewReader(typical)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	raw := strings.Replace(typical, "multipart/alternative; boundary=\"000000000000abcdef\"", "multipart/mixed; boundary=b", 1) +
		"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + strings.Repeat("Grüße aus dem Norden. ", 50) +
		"\r\n--b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		strings.Repeat(strings.Repeat("QUJD", 19)+"\r\n", 130) + "--b--\r\n"
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(strings.NewReader(raw), int64(len(raw))); err != nil {
			b.Fatal(err)
		}
	}
}
