package sourcetest

import (
	"encoding/base64"
	"fmt"
	"mime"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
)

// DemoMail is a mail and where it lies.
type DemoMail struct {
	Folder string
	Flags  []string
	Raw    []byte
	Date   time.Time
}

// DemoMailbox returns the demo user's mails as of now, oldest first: conversations with
// customers in several languages, and the rest of what a mailbox holds. Eight lie in
// [CaptureFolder], four in INBOX carry [CaptureKeyword].
func DemoMailbox(now time.Time) []DemoMail {
	b := box{now: now.Truncate(time.Second)}
	for _, t := range demoThreads() {
		b.thread(t)
	}
	b.singles()
	b.oldCharsets()
	slices.SortStableFunc(b.mails, func(x, y DemoMail) int { return x.Date.Compare(y.Date) })
	return b.mails
}

// thread is a conversation: the customer begins, then they take turns.
type thread struct {
	with     Person
	cc       []Person
	subject  string
	reply    string // what the customer's language puts before an answer's subject
	days     int    // ago, of the first mail
	turns    []string
	folder   string             // of the customer's mails
	captured bool               // the whole conversation lies in CaptureFolder
	keyword  bool               // the customer's last mail carries CaptureKeyword
	files    map[int]attachment // by turn
}

type box struct {
	now   time.Time
	mails []DemoMail
	count int
}

func (b *box) add(folder string, l letter, flags ...string) {
	if l.date.Before(b.now.AddDate(0, 0, -2)) {
		flags = append(flags, `\Seen`)
	}
	b.mails = append(b.mails, DemoMail{Folder: folder, Flags: flags, Raw: l.raw(), Date: l.date})
}

// id makes a Message-ID that is the same for the same day, so that a sandbox that is started
// again shows the same mails.
func (b *box) id(p Person) string {
	b.count++
	_, host, _ := strings.Cut(p.Email, "@")
	return fmt.Sprintf("%s.%03d@mail.%s", b.now.UTC().Format("20060102"), b.count, host)
}

func (b *box) thread(t thread) {
	var refs []string
	for i, text := range t.turns {
		l := letter{from: t.with, to: lena, cc: t.cc, subject: t.subject, text: text + "\r\n", refs: slices.Clone(refs),
			date: b.now.AddDate(0, 0, -t.days).Add(time.Duration(i) * 7 * time.Hour)}
		folder, flags := t.folder, []string{}
		if i%2 == 1 {
			l.from, l.to, folder = lena, t.with, "Sent"
			flags = append(flags, `\Seen`)
			l.text += "\r\n-- \r\nLena Brandt · Nordwind GmbH\r\n"
		}
		if i > 0 {
			l.subject = t.reply + t.subject
		}
		if i%3 == 2 {
			l.html = "<html><body><p>" + strings.ReplaceAll(text, "\n", "<br>") + "</p></body></html>"
		}
		if f, ok := t.files[i]; ok {
			l.files = []attachment{f}
		}
		if t.captured {
			folder = CaptureFolder
		}
		if t.keyword && i == (len(t.turns)-1)&^1 {
			folder, flags = "INBOX", append(flags, CaptureKeyword)
		}
		l.id = b.id(l.from)
		refs = append(refs, l.id)
		b.add(folder, l, flags...)
	}
}

// singles are the mails that belong to no conversation.
func (b *box) singles() {
	news := Person{Name: "Sea Trade Weekly", Email: "news@seatrade.example"}
	for week := range 3 {
		b.add("INBOX", letter{from: news, to: lena, subject: fmt.Sprintf("Sea Trade Weekly: issue %d", 48-week), id: b.id(news),
			date: b.now.AddDate(0, 0, -1-7*week), text: "Freight rates, port news, one long read.\r\n",
			html:    "<html><head><style>td{padding:8px}</style></head><body><table><tr><td><h1>Sea Trade Weekly</h1></td></tr><tr><td>Freight rates, port news, <a href=\"https://seatrade.example/read\">one long read</a>.</td></tr></table></body></html>",
			headers: [][2]string{{"List-Id", "Sea Trade Weekly <weekly.seatrade.example>"}, {"List-Unsubscribe", "<https://seatrade.example/out>"}, {"Precedence", "bulk"}}})
	}
	start := b.now.AddDate(0, 0, 3).UTC()
	b.add("INBOX", letter{from: sam, to: lena, cc: []Person{priya}, subject: "Invitation: berth planning", id: b.id(sam), date: b.now.Add(-26 * time.Hour),
		text: "Please join us to plan the berths for spring.\r\n", html: "<p>Please join us to plan the berths for spring.</p>",
		invite: "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Acme Ports//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:berths-1@acme-ports.example\r\nDTSTAMP:" +
			b.now.UTC().Format("20060102T150405Z") + "\r\nDTSTART:" + start.Format("20060102T090000Z") + "\r\nDTEND:" + start.Format("20060102T100000Z") +
			"\r\nSUMMARY:Berth planning\r\nORGANIZER;CN=Sam O'Neil:mailto:" + sam.Email + "\r\nATTENDEE;RSVP=TRUE:mailto:" + lena.Email + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"})
	friend := Person{Name: "Mira", Email: "mira@home.example"}
	b.add("INBOX", letter{from: friend, to: lena, subject: "Saturday? 🎉", id: b.id(friend), date: b.now.Add(-20 * time.Hour),
		text: "Cake at ours at four. Bring nothing but yourself 🍰\r\n", headers: [][2]string{{"Sensitivity", "private"}}})
	b.add("INBOX", letter{from: nora, to: lena, subject: "Out of office: Re: Ferry moorings", id: b.id(nora), date: b.now.Add(-50 * time.Hour),
		text: "I am away until Monday and read no mail.\r\n", headers: [][2]string{{"Auto-Submitted", "auto-replied"}, {"Precedence", "junk"}}})
	daemon := Person{Name: "Mail Delivery System", Email: "mailer-daemon@nordwind.example"}
	b.add("INBOX", letter{from: daemon, to: lena, subject: "Undelivered Mail Returned to Sender", id: b.id(daemon), date: b.now.Add(-73 * time.Hour),
		text:    "Your message could not be delivered to info@acme-gone.example: no such host.\r\n",
		headers: [][2]string{{"Auto-Submitted", "auto-replied"}, {"X-Failed-Recipients", "info@acme-gone.example"}}})
	max := Person{Name: "Max Vogel", Email: "max.vogel@nordwind.example"}
	b.add("INBOX", letter{from: max, to: lena, subject: "Lunch menu", id: b.id(max), date: b.now.Add(-4 * time.Hour), text: "Soup or fish today?\r\n"})
	b.add("INBOX", letter{from: tom, to: lena, subject: "Anfrage Festmacherleinen 🚢", id: b.id(tom), date: b.now.Add(-3 * time.Hour),
		text: "Guten Tag Frau Brandt,\r\nwas kosten 400 m Ihrer 48er Leine, geliefert nach Bremerhaven?\r\nViele Grüße, Tom Becker\r\n"}, CaptureKeyword)
	b.add("Archive", letter{from: zoe, to: lena, subject: "Photo du gréement", id: b.id(zoe), date: b.now.AddDate(0, 0, -30),
		text: "Voici la photo promise.\r\nZoé\r\n", files: []attachment{{"gréement.png", "image/png", picture(96)}}})
}

// oldCharsets are mails as old programs still write them.
func (b *box) oldCharsets() {
	for i, m := range []struct {
		from          Person
		charset       string
		enc           encoding.Encoding
		subject, text string
	}{
		{ken, "iso-2022-jp", japanese.ISO2022JP, "係船ロープの見積もり", "レナ様\r\nお見積もりをお願いいたします。\r\n田中\r\n"},
		{ivan, "koi8-r", charmap.KOI8R, "Вопрос по канатам", "Здравствуйте, Лена!\r\nКогда будет отгрузка?\r\nИван\r\n"},
		{joerg, "iso-8859-1", charmap.ISO8859_1, "Rückfrage zur Lieferung", "Hallo Frau Brandt,\r\nfür März gilt das Gleiche?\r\nGrüße, Jörg Meyer\r\n"},
	} {
		date := b.now.AddDate(0, 0, -12-i)
		word := func(s string) string { return mime.BEncoding.Encode(m.charset, must(m.enc.NewEncoder().String(s))) }
		raw := "From: " + word(m.from.Name) + " <" + m.from.Email + ">\r\nTo: <" + lena.Email + ">\r\nSubject: " + word(m.subject) +
			"\r\nDate: " + date.Format(time.RFC1123Z) + "\r\nMessage-ID: <" + b.id(m.from) + ">\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=" + m.charset +
			"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString([]byte(must(m.enc.NewEncoder().String(m.text)))) + "\r\n"
		b.mails = append(b.mails, DemoMail{Folder: "Archive", Flags: []string{`\Seen`}, Raw: []byte(raw), Date: date})
	}
}
