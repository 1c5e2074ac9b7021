package shape

import (
	"fmt"
	"strings"
	"testing"

	"hawser/sync/capture"
)

// full is the choice to save everything.
func full() capture.Content { return Default }

func content(change func(*capture.Content)) capture.Content {
	c := Default
	change(&c)
	return c
}

func whys(left []Left) string {
	var out []string
	for _, l := range left {
		out = append(out, l.Name+":"+string(l.Why))
	}
	return strings.Join(out, " ")
}

func names(files []capture.Attachment) string {
	var out []string
	for _, a := range files {
		out = append(out, a.Name)
	}
	return strings.Join(out, " ")
}

const secretHeaders = "Received: from mx.example (sentinel-host)\r\n by mx2.example for sentinel\r\nSubject: sentinel\r\n folded sentinel\r\n" +
	"From: Ann <ann@acme.example>\r\nTo: Bo <bo@nordwind.example>,\r\n\tCy <cy@nordwind.example>\r\nThread-Topic: sentinel\r\nKeywords: sentinel\r\n" +
	"comments : sentinel\r\nX-Note: sentinel\r\nDate: Wed, 17 May 2023 19:35:05 -0400\r\nMessage-ID: <1@acme.example>\r\n" +
	"stray sentinel line\r\nList-Id: sentinel list <l.acme.example>\r\nCONTENT-DESCRIPTION: sentinel\r\nsubject : sentinel\r\n"

// secretMail says "sentinel" wherever a mail can say what it is about.
func secretMail() capture.Mail {
	return capture.Mail{
		Header: capture.Header{
			MessageID: "<1@acme.example>", Subject: "sentinel", ListID: "sentinel list <l.acme.example>",
			From: []capture.Address{{Name: "Ann", Addr: "ann@acme.example"}},
		},
		RawHeaders: secretHeaders, Text: "sentinel", HTML: "<p>sentinel</p>", Warnings: []string{"sentinel"},
		Attachments: []capture.Attachment{{Index: 0, Name: "sentinel.pdf", Type: "application/pdf", Size: 10}},
	}
}

func TestF02LevelsCutBeforeAnythingLeaves(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		level            capture.Level
		subject, text, f bool
	}{
		{capture.LevelHeaders, false, false, false},
		{capture.LevelSubject, true, false, false},
		{capture.LevelText, true, true, false},
		{capture.LevelFiles, true, true, true},
		{"", false, false, false},
		{"everything", false, false, false},
	} {
		m, left := Cut(secretMail(), content(func(x *capture.Content) { x.Level = c.level }))
		if got := m.Subject != ""; got != c.subject {
			t.Errorf("%q: subject %q", c.level, m.Subject)
		}
		if got := m.Text != "" && m.HTML != "" && m.RawHeaders == secretHeaders; got != c.text {
			t.Errorf("%q: text %q, HTML %q, headers %q", c.level, m.Text, m.HTML, m.RawHeaders)
		}
		if got := len(m.Attachments) == 1; got != c.f {
			t.Errorf("%q: files %v", c.level, m.Attachments)
		}
		if !c.text {
			words := 0
			if c.subject {
				words = 4 // the subject, and its field twice, once folded
			}
			if all := fmt.Sprintf("%+v %v", m, left); strings.Count(all, "sentinel") != words {
				t.Errorf("%q says %d times what the mail is about, want %d: %s", c.level, strings.Count(all, "sentinel"), words, all)
			}
			for _, keep := range []string{"From: Ann <ann@acme.example>\r\n", "\tCy <cy@nordwind.example>\r\n", "Date: ", "Message-ID: <1@acme.example>"} {
				if !strings.Contains(m.RawHeaders, keep) {
					t.Errorf("%q: headers lost %q", c.level, keep)
				}
			}
		}
	}
}

func file(index int, name string, size int64) capture.Attachment {
	return capture.Attachment{Index: index, Name: name, Type: "application/pdf", Size: size}
}

func TestF04LimitsOfAttachments(t *testing.T) {
	t.Parallel()
	const mb = 1_000_000
	for _, c := range []struct {
		what        string
		sizes       []int64
		change      func(*capture.Content)
		files, left string
	}{
		{"9.9 MB", []int64{9_900_000}, nil, "0", ""},
		{"10.1 MB", []int64{10_100_000}, nil, "", "0:large"},
		{"3 x 9 MB", []int64{9 * mb, 9 * mb, 9 * mb}, nil, "0 1", "2:total"},
		{"a small one after the limit", []int64{9 * mb, 9 * mb, 9 * mb, mb}, nil, "0 1 3", "2:total"},
		{"empty", []int64{0, 5}, nil, "1", "0:empty"},
		{"never", []int64{5}, func(x *capture.Content) { x.Files = capture.FilesNever }, "", "0:never"},
		{"not answered", []int64{5}, func(x *capture.Content) { x.Files = capture.FilesAsk }, "", "0:never"},
		{"text only", []int64{5}, func(x *capture.Content) { x.Level = capture.LevelText }, "", "0:level"},
		{"limits of 0", []int64{10_100_000, 5}, func(x *capture.Content) { x.FileMax, x.FilesMax = 0, 0 }, "1", "0:large"},
		{"own limits", []int64{3, 4, 2}, func(x *capture.Content) { x.FileMax, x.FilesMax = 3, 5 }, "0 2", "1:large"},
		{"sizes beyond numbers", []int64{1 << 62, 1 << 62}, func(x *capture.Content) { x.FileMax, x.FilesMax = 1<<62, 1<<62 }, "0", "1:total"},
	} {
		m := capture.Mail{Text: "x"}
		for i, size := range c.sizes {
			m.Attachments = append(m.Attachments, file(i, fmt.Sprint(i), size))
		}
		choice := full()
		if c.change != nil {
			c.change(&choice)
		}
		got, left := Cut(m, choice)
		if names(got.Attachments) != c.files || whys(left) != c.left {
			t.Errorf("%s: files %q, left out %q; want %q and %q", c.what, names(got.Attachments), whys(left), c.files, c.left)
		}
		if len(m.Attachments) != len(c.sizes) {
			t.Errorf("%s: Cut changed the mail it was given", c.what)
		}
	}
}

func TestF04LineNamesWhatWasLeftOut(t *testing.T) {
	t.Parallel()
	left := []Left{
		{"logo.png", 10, WhyInline}, {"no.pdf", 10, WhyNever}, {"no.doc", 10, WhyLevel}, {"a.pdf", 10_100_000, WhyLarge}, {"", 5, WhyLong},
		{strings.Repeat("ä", 300), 1, WhyTotal}, {"c", 1, WhyTotal},
	}
	named, more := Line(left, 2)
	if len(named) != 2 || named[0] != left[3] || more != 1 {
		t.Fatalf("Line = %v, %d more", named, more)
	}
	if len(named[1].Name) > 2*lineName {
		t.Errorf("a name of %d bytes stands in a line", len(named[1].Name))
	}
	m := Note(capture.Mail{Text: "Hi\r\n", HTML: "<p>Hi</p>"}, "Not saved: <a.pdf>")
	if m.Text != "Hi\n\nNot saved: <a.pdf>" || m.HTML != "<p>Hi</p><p>Not saved: &lt;a.pdf&gt;</p>" {
		t.Errorf("Note = %q, %q", m.Text, m.HTML)
	}
	if m := Note(capture.Mail{}, "Not saved: a.pdf"); m.Text != "Not saved: a.pdf" || m.HTML != "" {
		t.Errorf("Note of a mail without text = %+v", m)
	}
}
