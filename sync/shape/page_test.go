package shape

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"hawser/sync/capture"
)

// safe is what a mail's HTML becomes, before any limit.
func safe(source string, images map[string]string) string {
	p := page{images: images}
	return sanitise(p.rewrite(source))
}

func TestPageKeepsWhatIsRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"plain & < text", "plain &amp; &lt; text"},
		{"<p>Grüße 😊 &amp; &lt;b&gt; &nbsp;x</p>", "<p>Grüße 😊 &amp; &lt;b&gt; \u00a0x</p>"},
		{`<a href="https://x.example/a?b=1&amp;c=2#d" onclick="x()" target=_blank>l</a>`, `<a href="https://x.example/a?b=1&amp;c=2#d" rel="noreferrer">l</a>`},
		{`<a href=" https://x.example/Q1 100%/&#10;a%20b.docx?d=w1%zz ">f</a>`, `<a href="https://x.example/Q1%20100%25/a%20b.docx?d=w1%25zz" rel="noreferrer">f</a>`},
		{`<a href="https://例え.example/ü?q=é">i</a>`, `<a href="https://%E4%BE%8B%E3%81%88.example/%C3%BC?q=é" rel="noreferrer">i</a>`},
		{`<a href="mailto:a@b.example?subject=x">m</a>`, `<a href="mailto:a@b.example?subject=x" rel="noreferrer">m</a>`},
		{`<a href="javascript:alert(1)">j</a><a href="//x.example/">r</a><a href="#top">t</a>`, `<a>j</a><a>r</a><a>t</a>`},
		{`<a href="http:">a</a><a href="HTTPS:x">b</a><a href="https:/setup/x">c</a>`, `<a>a</a><a>b</a><a>c</a>`},
		{`<p style="color: red; position:fixed; font-weight:bold">s</p>`, `<p style="color: red; font-weight: bold">s</p>`},
		{`<p style="background:url(https://x.example/p.gif)">s</p>`, `<p>s</p>`},
		{`<p class=MsoNormal style="color:red">o<p class="MsoNormal">p<p class=x>q`, `<p style="margin: 0; color: red">o</p><p style="margin: 0">p</p><p>q</p>`},
		{"<p>a<p>b", "<p>a</p><p>b</p>"},
		{"<ul><li>a<li>b<ul><li>c</ul></ul>", "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>"},
		{"<table><tr><td>a<td>b<tr><td>c</table>d", "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>d"},
		{"</div></td></p>a</b>", "a"},
		{"<b><i>a</b>c</i>", "<b><i>a</i></b>c"},
		{"<div><table><tr><td></div>x</td></tr></table></div>y", "<div><table><tr><td>x</td></tr></table></div>y"},
		{"<section><form><label>a</label><input value=x><button>b</button></form></section>", "<div><div>ab</div></div>"},
		{"<!--[if mso]><p>x</p><![endif]--><![if !mso]>y<![endif]>", "y"},
		{"<o:p>&nbsp;</o:p><v:shape>z</v:shape>", "\u00a0z"},
		{"<title>t</title><style>p{}</style><script>s</script><select><option>o</select>a", "a"},
		{`<img src="https://x.example/pixel.gif" width=1 height=1>`, ""},
		{`<img src="https://x.example/logo.png" alt="  The  Logo ">`, "The Logo"},
		{`<img src="data:image/png;base64,AAAA"><img src="data:image/png;base64,AAAA" alt="chart">`, "[image][image: chart]"},
		{`<IMG SRC="CID:logo%40x" alt=l>`, "[image: logo.png]"},
		{`<img src="cid:nobody" alt="photo">`, "[image: photo]"},
		{"<font color=#ff0000 face='Arial, \"x\"'>f</font>", `<font color="#ff0000" face="Arial, &#34;x&#34;">f</font>`},
		{"<td width=\"expression(alert(1))\">x", `<td>x</td>`},
		{`<p style="color:rgb(1, 2, 3);width:calc(100% - 2px)">x`, `<p style="color: rgb(1, 2, 3)">x</p>`},
		{"<pre>a\n  b</pre>", "<pre>a\n  b</pre>"},
		{"<svg><p>x</p></svg><math><p>y</p></math>z", "z"},
		{"<span>\u200b\u202e</span>", "<span>\u200b\u202e</span>"},
	} {
		if got := safe(c.in, map[string]string{"logo@x": "logo.png"}); got != c.want {
			t.Errorf("%q\n became %q\n want   %q", c.in, got, c.want)
		}
	}
}

func TestPageLeavesOutWhatIsGone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"<div>a</div>{<div>b<p>c</div>}<div>d</div>", "<div>a</div><div>d</div>"},
		{"<div>a{</div><div>b</div>}</div>", "<div>a</div>"},
		{"<div>a{<blockquote><div>b}</blockquote><div>c</div>d</div>e", "<div>a<div>c</div>d</div>e"},
		{"<div>a{<div>b}<div>c</div>d</div>e", "<div>a<div>c</div>de</div>"},
		{"<table><tr><td>a{</td><td>b}</td></tr></table>c", "<table><tr><td>a</td></tr></table>c"},
		{"<b>a{<br>b", "<b>a</b>"},
		{"{<img src=cid:x alt=y><br>}a", "a"},
	} {
		in, gone := "", []span(nil)
		for i, part := range strings.FieldsFunc(c.in, func(r rune) bool { return r == '{' || r == '}' }) {
			inside := i%2 == 1 != strings.HasPrefix(c.in, "{")
			if inside {
				gone = append(gone, span{len(in), len(in) + len(part)})
			}
			in += part
		}
		p := page{gone: gone}
		if got := p.rewrite(in); got != c.want {
			t.Errorf("%q became %q, want %q", c.in, got, c.want)
		}
	}
}

// hostile is HTML that is made to get through: mutation XSS, foreign content, forms, refreshes,
// addresses of base, remote loads (A55).
var hostile = []string{
	`<script>alert(1)</script><p onclick=alert(1) onmouseover="alert(1)">x</p>`,
	`<scr<script>ipt>alert(1)</scr</script>ipt>`, `<SCRİPT>alert(1)</SCRİPT>`, `<script/src=https://x.example/a.js></script>`,
	`<svg><style><img src=x onerror=alert(1)></style></svg>`, `<svg/onload=alert(1)>`, `<svg><a xlink:href="javascript:alert(1)"><text>x`,
	`<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">`,
	`<math><annotation-xml encoding="text/html"><style><img src=x onerror=alert(1)></style></annotation-xml></math>`,
	`<noscript><p title="</noscript><img src=x onerror=alert(1)>">`, `<template><img src=x onerror=alert(1)></template>`,
	`<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>`, `<xmp><p title="</xmp><img src=x onerror=alert(1)>">`,
	`<select><option><style></option></select><img src=x onerror=alert(1)></style>`, `<plaintext><img src=x onerror=alert(1)>`,
	`<base href="https://x.example/"><a href="a">x</a>`, `<meta http-equiv=refresh content="0;url=https://x.example/">`, `<link rel=stylesheet href=https://x.example/a.css>`,
	`<style>@import "https://x.example/a.css"; p{background:url(https://x.example/a)}</style>`, `<form action=https://x.example/><input name=p><button formaction=javascript:alert(1)>b</button></form>`,
	`<label for=x>click</label><iframe src=https://x.example/ srcdoc="<script>alert(1)</script>"></iframe>`,
	`<img src=https://x.example/t.gif><img srcset="https://x.example/t.gif 1x"><video poster=https://x.example/p><source src=https://x.example/s></video><audio src=https://x.example/a>`,
	`<table background=https://x.example/b><td background="https://x.example/b">x`, `<body background=https://x.example/b bgcolor=red>x`,
	`<p style="background-image:url(https://x.example/a)">x`, `<p style="color:\75\72\6c(https://x.example/a)">x`, `<p style="width:expression(alert(1))">x`, `<p style="color:rgb(url(https:x.example))">x`,
	`<p style="border:1px solid;background-color:red;content:url(https://x.example/)">x`, `<p style="font-family:'x';behavior:url(#default#time2)">x`,
	`<a href="javascript:alert(1)">x</a><a href="java&#10;script:alert(1)">x</a><a href=" &#14; javascript:alert(1)">x</a><a href="data:text/html,<script>alert(1)</script>">x</a><a href="vbscript:x">x</a><a href="file:///etc/passwd">x</a>`,
	`<object data=https://x.example/><embed src=https://x.example/></object><applet code=x></applet><frameset><frame src=https://x.example/></frameset>`,
	`<a href="https://x.example/"onmouseover=alert(1)>x</a>`, `<p title='"><img src=x onerror=alert(1)>'>x`, `<!--><img src=x onerror=alert(1)>-->`,
	`<! foo="><img src=x onerror=alert(1)>">`, `<?xml <img src=x onerror=alert(1)> ?>`, `<![CDATA[><img src=x onerror=alert(1)>]]>`, `<img src="cid:x" onerror=alert(1) alt="<script>alert(1)</script>">`,
	`<textarea><img src=x onerror=alert(1)></textarea></textarea><img src=x onerror=alert(1)>`, "<a\x00 href=javascript:alert(1)>x</a>", "<a href=\"jav\tascript:alert(1)\">x</a>",
	`<div id=x name=y class=z data-x=y contenteditable autofocus tabindex=1 onfocus=alert(1)>x</div>`, `<details open ontoggle=alert(1)>x</details>`, `<marquee onstart=alert(1)>x</marquee>`,
}

// checkSafe holds HTML to what every saved HTML promises. It reads it as browsers do, not as the
// sanitiser does.
func checkSafe(t *testing.T, source, out string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type == html.CommentNode || n.Type == html.DoctypeNode {
			t.Errorf("%.200q keeps %q", source, n.Data)
		}
		if n.Type != html.ElementNode || n.DataAtom == atom.Html || n.DataAtom == atom.Head || n.DataAtom == atom.Body {
			continue
		}
		if n.Namespace != "" || !slices.Contains(kept, n.DataAtom) {
			t.Errorf("%.200q keeps element %s:%s: %.300q", source, n.Namespace, n.Data, out)
		}
		for _, a := range n.Attr {
			checkAttr(t, source, a)
		}
	}
}

// plainDeclaration is a property that places and loads nothing, and a value that is no call but of a
// colour's.
var plainDeclaration = regexp.MustCompile(`^(-[a-z]+-|mso-|prince-)?(` + strings.Join(styles, "|") + `|display): ([^()\\/<>@{}]|(rgb|hsl)a?\([0-9., %]+\))*$`)

func checkAttr(t *testing.T, source string, a html.Attribute) {
	t.Helper()
	value := strings.ToLower(a.Val)
	switch {
	case a.Key == "href":
		if !strings.HasPrefix(value, "http://") && !strings.HasPrefix(value, "https://") && !strings.HasPrefix(value, "mailto:") {
			t.Errorf("%.200q keeps a link to %q", source, a.Val)
		}
	case a.Key == "rel":
	case a.Key == "style":
		for declaration := range strings.SplitSeq(value, "; ") {
			if !plainDeclaration.MatchString(declaration) {
				t.Errorf("%.200q keeps style %q", source, a.Val)
			}
		}
	case !slices.Contains(looks, a.Key) || strings.ContainsAny(value, "<>:/\\"):
		t.Errorf("%.200q keeps %s=%q", source, a.Key, a.Val)
	}
}

func TestF08HTMLIsMadeSafe(t *testing.T) {
	t.Parallel()
	for _, source := range hostile {
		m, _ := Cut(capture.Mail{HTML: "<p>before</p>" + source}, full())
		checkSafe(t, source, m.HTML)
		if !strings.Contains(m.HTML, "<p>before</p>") {
			t.Errorf("%q took what stood before it: %q", source, m.HTML)
		}
		for _, bad := range []string{"<script", "x.example/t.gif", "x.example/b", "x.example/a.css"} {
			if strings.Contains(strings.ToLower(m.HTML), bad) {
				t.Errorf("%q keeps %q: %q", source, bad, m.HTML)
			}
		}
		if again := safe(m.HTML, nil); again != m.HTML {
			t.Errorf("made safe twice, %q becomes %q", m.HTML, again)
		}
	}
	m, _ := Cut(capture.Mail{HTML: "<p>a</p><script>alert(1)</script><p>b</p>"}, full())
	if m.HTML != "<p>a</p><p>b</p>" || m.Text != "a\n\nb" {
		t.Errorf("HTML %q, text %q", m.HTML, m.Text)
	}
}
