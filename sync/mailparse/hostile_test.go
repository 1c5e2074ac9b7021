package mailparse

import (
	"fmt"
	"strings"
)

// The inputs here are made to do harm (A54 to A57). They are small, so that a fuzzing run gets from
// them to many others; what costs by its size alone is in bombs.

// hostileHeaders are header blocks: doubled fields, ids that claim to be others, quadratic values,
// encoded words that lie, dates of nowhere.
func hostileHeaders() []string {
	repeat := strings.Repeat
	return []string{
		"From: a@b.example\nFrom: c@d.example\nSubject: x\nSubject: y\nMessage-ID: <a@b>\nMessage-ID: <c@d>\n\n",
		"From a@b.example Wed May 17 19:35:05 2023\n>From: x\nFrom: y\n\n", "\n\n", ": x\n", " folded first\n\tand again\nFrom: a", "From\x00: a@b\nSubject\x00: b\n",
		"Message-ID: <>\nMessage-ID: <a b@c>\nMessage-ID: <" + repeat("a", 4000) + "@b>\nIn-Reply-To: x <a@b> y <c\nReferences: " + repeat("<a@b> ", 300) + "\n",
		"Message-ID: a@b\r\nMessage-ID:\r\n <c@d>\r\nReferences:<<a@b>><\r\n", "Message-ID: <A@B.example>(comment)<a@b.example>\n", "Message-ID: =?utf-8?Q?=3Ca=40b=3E?=\n",
		"Subject: " + repeat("=?utf-8?Q?=C3?= ", 200) + "\n", "Subject: =?utf-8?B?" + repeat("A", 4000) + "\n", "Subject: =?x?Q?" + repeat("=", 500) + "?=\n",
		"Subject: =?utf-16?B?/v8AQQ==?= =?utf-7?Q?+AD0?= =?iso-2022-jp?B?GyRC?= =?hz-gb-2312?Q?~{?= =?unknown-8bit?Q?=FF?= =?utf-8*de?Q?x?=\n",
		"Subject: =?utf-8?Q?=0D=0ABcc:_x=40y=00?=\n", "Subject: \u202egpj.exe \u2066x\nFrom: \xff\xfe <\xe9@b.example>\n", "Subject: a\rBcc: b@c\r\n\rFrom: d\n", "Subject:" + repeat("\n ", 1000) + "x\n",
		"Content-Type: ;;;=;\nContent-Type: text/html;charset\nContent-Type: " + repeat("multipart/mixed; boundary=\"", 50) + "\n", "Content-Type: multipart/mixed; boundary*0=a; boundary*1*=''b; boundary*9999999999=c\n",
		"Content-Type: text/plain; charset=\"" + repeat("utf-", 300) + "\"\n", "Date: Wed, 99 Foo 99999 99:99:99 +9999 (x(y\n", "Date: 1 Jan 0000 00:00:00 -0000\nDate: 31 Feb 2023\n", "Date: 2023-05-17T19:35:05Z\nReceived: ;;\nReceived: x; Wed, 17 May 2023 19:35:05 -0400\n",
		"List-Id: <>\nList-Id: x <a.b" + repeat(".c", 500) + ">\nSensitivity: private\nSensitivity: Company-Confidential\nX-Sensitivity: x\nKeywords: " + repeat("a,", 500) + "\n", "Auto-Submitted: auto-replied; x\nPrecedence: bulk\nX-Loop: \nReturn-Path: <>\n",
		"To: undisclosed-recipients:;\nCc: " + repeat("a@b.example, ", 400) + "\nBcc: x\n", "Subject: ' OR 1=1 -- %_{}?\\\nFrom: \"%_' {} ? \\\" <o'brien%_{}?\\@x.example>\n", repeat("X: y\n", 2000) + "From: late@b.example\n", repeat("x", 8000), repeat("From: a@b\r\n\tc\r\n", 300),
	}
}

// hostileAddresses are values of address fields, among them what a careless reader reads again and
// again, and what a query or an address of Salesforce would take for its own (A57).
func hostileAddresses() []string {
	list := []string{
		"o'brien@x.example", `"a\"b'c%_{}?\\"@x.example`, "a/../b%2F@x.example", "a.inc@x.example", "'; SELECT Id FROM User --@x", "@{mails0[0].id}@x.example", "<a@b>@c.example", "a@b@c@d", "a@[127.0.0.1]", "a@[IPv6:::1]",
		"A: B: C: a@b;;; d@e", ":;:;:;", "=?utf-8?Q?a=40b.example?= <c@d.example>", "=?utf-8?Q?=3Ca=40b=3E?=", "\u202ea@b.example", "a\u200b@b\u00ad.example", "a@b\u3002example", "a@xn--.example", "a@xn--" + strings.Repeat("a", 70), "\xff\xfe@\x80", "a\x00@b\x00",
		"<@a,@b,@c", "<@a:@b:c@d>", "\"\\", "\"\\\"", "(\\", "a(b)c(d)@(e)f(g)", "a @ b . example", "<mailto:a@b.example>", "'a@b.example'", "[a@b.example]", "a@b.example <a@b.example> <c@d.example>",
	}
	for _, piece := range []string{"(", ")", "\"", "\\\"", "<", ">", "@", ",", ";", ":", "a,", "a@b,", "(a", "\"a", "<a", "=?", "=?utf-8?Q?a?= ", "a:;", "\r\n ", "()", "\"\"", "<>", " ", "\xc3"} {
		list = append(list, strings.Repeat(piece, 1200), "a@b.example "+strings.Repeat(piece, 300)+" c@d.example")
	}
	return list
}

// hostilePages are pages that are made to get through, or to be read again and again (A55).
func hostilePages() []string {
	list := []string{
		`<script>alert(1)</script><p onclick=alert(1)>x</p>`, `<scr<script>ipt>alert(1)</scr</script>ipt>`, `<svg><style><img src=x onerror=alert(1)></style></svg>`, `<noscript><p title="</noscript><img src=x>">`,
		`<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1&gt;">`, `<form><math><mtext></form><form><mglyph><style></math><img src>`, `<base href="https://x.example/"><meta http-equiv=refresh content=0>`,
		`<textarea></textarea></textarea><title></title><xmp></xmp><iframe></iframe><noembed></noembed><plaintext>x`, `<!--><!--->--!><!-`, `<! x="><b>`, `<?xml ?>`, `<![CDATA[><b>]]>`, "<a\x00 href=x>", `<a href="jav&#9;ascript:alert(1)">x`, `<p title='"><b>'>x`,
		"&#x80;&#xD800;&#xFFFFFFFFFF;&#1114112;&#0;&notanentity;&amp", "&" + strings.Repeat("a", 3000), "&#" + strings.Repeat("1", 3000) + ";", "<a href=" + strings.Repeat("x", 3000), "<p " + strings.Repeat("a=b ", 800) + ">", "<" + strings.Repeat("a", 3000),
		"<pre>\n\n\n a\n\tb</pre><p>\u00a0\u200b\u202ex</p>", "<br>" + strings.Repeat("\n", 500) + "<br>", "<li>" + strings.Repeat("<ul><li>", 300), "<style>" + strings.Repeat("</styl", 300), "<script>" + strings.Repeat("<!--<script", 300) + "</script>x",
	}
	for _, piece := range []string{"<div>", "</div>", "<table><tr><td>", "<b></b>", "<p>x", "<br>", "<!--", "<svg>", "<a href=http://x.example/>y", "<", ">", "&", "&amp;", "<ul><li>", "<blockquote>", "<td>", "<template>", "<select><option>", "\u0301", "</p>"} {
		list = append(list, strings.Repeat(piece, 600))
	}
	return list
}

// hostileMails are whole mails: parts in parts, boundaries that contain each other, encodings that
// stop in the middle, charsets that change size, names of files that lead elsewhere.
func hostileMails() []string {
	repeat := strings.Repeat
	var nested strings.Builder
	for i := range 60 {
		fmt.Fprintf(&nested, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	list := []string{
		nested.String(), "Content-Type: multipart/mixed; boundary=b\n\n" + repeat("--b\n\nx\n", 700), "Content-Type: multipart/mixed; boundary=b\n\n" + repeat("--b\nContent-Type: message/rfc822\n\n", 60) + "Subject: x\n\ny",
		repeat("Content-Type: message/rfc822\n\n", 60), "Content-Type: multipart/mixed\n\n--\n\nx\n----\n", "Content-Type: multipart/mixed; boundary=\"\"\n\n--\nx\n", "Content-Type: multipart/mixed; boundary=\"" + repeat("b", 200) + "\"\n\n--" + repeat("b", 200) + "\n\nx",
		"Content-Type: multipart/mixed; boundary=b\n\n--bb\n\nx\n--b\n\ny\n--b--\n--b\n\nz\n--b-\n", "Content-Type: multipart/mixed; boundary=\"b \"\n\n--b \n\nx\n--b--\n", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n--b--\n",
		"Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nx\n--b\nContent-Type: text/html\n\n<p>y\n--b\nContent-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\n--b--\n", "Content-Type: multipart/mixed; boundary=b\r\rFrom: x\r\r--b\r\rx\r--b--\r",
		"Content-Type: text/html; charset=utf-16\nContent-Transfer-Encoding: base64\n\n" + repeat("PABwAD4A", 200), "Content-Transfer-Encoding: base64\n\n" + repeat("A", 997) + "=\n" + repeat("=A=\n", 50), "Content-Transfer-Encoding: base64\n\n!!!\xff\xfe====AAAA=BB",
		"Content-Transfer-Encoding: quoted-printable\n\na=\nb==\n=4\n=ZZ=\r=3D" + repeat("=", 500), "Content-Transfer-Encoding: x-uuencode\n\nbegin 644 ../../x\nM\n#AAAA\n`\nend\nbegin 644 CON\n" + repeat("M"+repeat("x", 60)+"\n", 20), "Subject: x\n\nbegin 644 \nend\nbegin 644 a\nend\n", "\n=ybegin line=128 size=5 name=x\nabc\n=yend\n",
		"Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\neJ8+Ig==", "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n\n\x00", "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n\n\nAction: failed\n--b--",
		"Content-Type: multipart/encrypted; boundary=b\n\n--b\n\nx", "Content-Type: multipart/appledouble; boundary=b\n\n--b\n\nx", "Content-Type: message/partial; number=1; total=99\n\nx", "Content-Type: message/external-body; access-type=URL; URL=\"http://x.example/\"\n\n\n",
	}
	for _, charset := range []string{"utf-7", "utf-16", "utf-32", "iso-2022-jp", "iso-2022-kr", "hz-gb-2312", "gb18030", "big5", "shift_jis", "euc-kr", "koi8-r", "x-unknown", "utf-8\x00", "=?utf-8?Q?utf-8?="} {
		list = append(list, "Content-Type: text/plain; charset="+charset+"\n\n+AD0-\x1b$B\x1b(B~{<:~}\xff\xfe\x00\x81\x30\x81\xa1\xa1"+repeat("\x1b$)C\x0e!!", 100))
	}
	for _, name := range []string{"../../x", "CON", "a\u202efdp.exe", "a\x00b", "..", ".", "C:\\x", "\\\\x\\y", "=?utf-8?B?Li4vLi4veA==?=", repeat("a", 2000), "a.exe ", "NUL.txt", "a:b", "-", "\xff"} {
		list = append(list, "Content-Type: application/octet-stream; name=\""+name+"\"\nContent-Disposition: attachment; filename=\""+name+"\"; filename*=utf-8''"+name+"; filename*0*=x''%2e%2e%2; filename*1=/; filename*7=z\n\nx")
	}
	for _, block := range hostileHeaders() {
		list = append(list, block+"Content-Type: text/html\n\n<p>x")
	}
	return list
}
