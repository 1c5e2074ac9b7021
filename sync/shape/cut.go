package shape

import (
	"slices"

	"hawser/sync/capture"
	"hawser/sync/mailparse"
)

// Why says why something of a mail is not saved.
type Why string

// The reasons, each about one file but for WhyLong.
const (
	WhyLevel  Why = "level"  // the level leaves files out
	WhyNever  Why = "never"  // no files are wanted, or not for this mail
	WhyLarge  Why = "large"  // it alone is over the limit of one file
	WhyTotal  Why = "total"  // with those before it, it is over the limit of one mail
	WhyEmpty  Why = "empty"  // there is nothing in it, and Salesforce refuses such files
	WhyInline Why = "inline" // a picture within the text
	WhyLong   Why = "long"   // the end of the text: no field holds it
)

// Left is one thing of a mail that is not saved.
type Left struct {
	Name string // of the file; "" for a text
	Size int64  // bytes, decoded; of a text those that are missing, 0 where nobody counted
	Why  Why
}

// Default is how a mail is cut where nobody chose otherwise: everything, within limits.
var Default = capture.Content{
	Level:    capture.LevelFiles,
	Files:    capture.FilesAlways,
	FileMax:  10_000_000,
	FilesMax: 25_000_000,
}

var levels = []capture.Level{capture.LevelHeaders, capture.LevelSubject, capture.LevelText, capture.LevelFiles}

// rank orders levels. One that does not exist counts as the lowest, so that a mistake shows less
// and not more.
func rank(l capture.Level) int { return max(slices.Index(levels, l), 0) }

// Cut returns what is saved of m, and what is not. m itself is not changed. Attachments keep their
// Index. FilesAsk must have been answered: it counts as FilesNever. Limits of 0 are those of
// [Default].
//
// The texts fit an EmailMessage with room for a [Note]. Below the level of texts nothing is said to
// be left out, since names of files are content too.
func Cut(m capture.Mail, c capture.Content) (capture.Mail, []Left) { return cutTo(m, c, EmailLimits) }

// CutTask is [Cut] for a mail that is saved as a task, which has neither HTML nor header blocks.
func CutTask(m capture.Mail, c capture.Content) (capture.Mail, []Left) {
	return cutTo(m, c, TaskLimits)
}

func cutTo(m capture.Mail, c capture.Content, lim Limits) (capture.Mail, []Left) {
	level := rank(c.Level)
	if level < rank(capture.LevelText) {
		m, _ = fit(headersOnly(m, level >= rank(capture.LevelSubject)), lim)
		return m, nil
	}
	images := imagesOf(m)
	files, left := pick(m.Attachments, images, c)
	m.Attachments = files
	m, short := texts(m, images, c.NewestOnly)
	if lim.HTML == 0 {
		m.HTML = ""
	}
	m, long := fit(m, lim)
	if short && long == nil {
		long = []Left{{Why: WhyLong}}
	}
	return m, append(left, long...)
}

// texts makes the HTML safe and, where only the newest part is wanted, cuts both texts. It reports
// whether the HTML was too long to be read to its end; then a mark stands there.
func texts(m capture.Mail, images map[string]string, newest bool) (capture.Mail, bool) {
	if m.HTML == "" {
		if newest {
			m.Text = newestText(m.Text, m.Subject)
		}
		return m, false
	}
	// A text that was made from the HTML is made again, so that both say the same.
	again := m.Text == "" || m.Text == mailparse.HTMLText(m.HTML)
	var gone []span
	if newest {
		gone = historyOfHTML(m.HTML, m.Subject)
	}
	if len(gone) > 0 && !again {
		// So it is where the history is not found in the text.
		newer := newestText(m.Text, m.Subject)
		m.Text, again = newer, newer == m.Text
	}
	p := page{images: images, gone: gone}
	m.HTML = sanitise(p.rewrite(m.HTML))
	if p.short {
		m.HTML += markHTML
	}
	if again {
		m.Text = mailparse.HTMLText(m.HTML)
	}
	return m, p.short
}
