package shape

import (
	"strings"
	"testing"

	"hawser/sync/capture"
	"hawser/sync/costtest"
)

// bombs are texts made to cost much.
func bombs() map[string]string {
	repeat := func(s string) string { return strings.Repeat(s, (1<<20)/len(s)) }
	return map[string]string{
		"divs": repeat("<div>"), "ends": repeat("</div>"), "pairs": repeat("<b></b>"), "breaks": repeat("<br>"), "anchors": repeat("<a href=https://x.example/>"),
		"paragraphs": repeat("<p>x"), "cells": repeat("<table><tr><td>"), "lists": repeat("<ul><li>"), "tags": repeat("<"), "attributes": "<p " + repeat("a=b ") + ">x",
		"attribute": "<p title='" + repeat("x") + "'>x", "styles": repeat("<p style='color:red;margin:0;padding:0'>x</p>"), "style": "<p style='" + repeat("color:red;") + "'>x",
		"styles of escapes": repeat(`<p style="color:\75 \72 \6c">`), "styles of parens": "<p style=\"color:" + strings.Repeat("rgb(", 240) + "\">x", "entities": repeat("&amp;"), "bare amps": repeat("&"),
		"comments": repeat("<!--"), "comment": "<!--" + repeat("x"), "pictures": repeat("<img src=cid:a alt=b>"), "quotes": repeat("<blockquote type=cite>"), "quoted": repeat("> x\n"),
		"colons": repeat("On 5.5. at 10:00 a@b:\n"), "labels": repeat("From: a\n"), "labels 2": repeat("From: a<br>Subject: b<br>"), "dashes": repeat("-- \n"), "rules": repeat("_____\n"), "lines": repeat("\n"),
		"titles": repeat("-----Original Message----\n"), "inline": repeat("in re in re\n"), "wrote": repeat("On 5 May 10:00 he wrote\n"), "links": repeat("https://box.com/s/x "), "no links": repeat("http"),
		"cjk": repeat("日本"), "accents": repeat("\u0301"), "joiners": repeat("\u200d"), "flags": repeat("🇩"), "svg": repeat("<svg>"), "raw": repeat("<textarea>"), "plaintext": "<plaintext>" + repeat("<b>"),
		"signatures": repeat("<div class=gmail_signature>x</div>"), "long lines": repeat(strings.Repeat("x", 5000) + ":\n"), "quotes and own": repeat("> a\nb\n"), "spaces": repeat(" \n"),
	}
}

// TestA55BombsCostLittle counts what is allocated. Time is measured where it means something, in
// the fuzz targets.
func TestA55BombsCostLittle(t *testing.T) {
	for name, text := range bombs() {
		m := capture.Mail{Text: text, HTML: text, RawHeaders: text, Header: capture.Header{Subject: text[:min(len(text), 1<<16)]}}
		used := costtest.Allocated(func() {
			got, _ := Cut(m, content(newestOnly))
			Links(got)
			checkLimits(t, got)
		})
		if used > costtest.MaxBytes {
			t.Errorf("%s: %d MB were allocated", name, used>>20)
		}
	}
}

func checkLimits(t *testing.T, m capture.Mail) {
	t.Helper()
	if Units(m.Text) > EmailLimits.Text || Units(m.HTML) > EmailLimits.HTML || Units(m.Subject) > EmailLimits.Subject || Units(m.RawHeaders) > EmailLimits.Headers {
		t.Errorf("more than its fields hold: %d, %d, %d, %d", Units(m.Text), Units(m.HTML), Units(m.Subject), Units(m.RawHeaders))
	}
}
