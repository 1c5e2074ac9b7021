package sourcetest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// NewMail returns a mail that one of [DemoPeople] sends to the demo user at now. Different n
// make different mails.
func NewMail(n int, now time.Time) []byte {
	from := customers[n%len(customers)]
	subjects := []string{"Neue Anfrage", "Delivery slot", "Question sur la commande", "見積もりのお願い", "Short call today?", "Bestellung ✔"}
	l := letter{from: from, to: lena, date: now,
		subject: fmt.Sprintf("%s (%d)", subjects[n%len(subjects)], n+1),
		id:      fmt.Sprintf("new.%d.%d@%s", now.UnixNano(), n, "mail.acme.example"),
		text:    fmt.Sprintf("Hello Lena,\r\n\r\nthis is number %d today. Can you answer by tomorrow?\r\n\r\n%s\r\n", n+1, from.Name),
	}
	if n%3 == 2 {
		l.files = []attachment{{fmt.Sprintf("request-%d.pdf", n+1), "application/pdf", pdf(fmt.Sprintf("Request %d", n+1))}}
	}
	return l.raw()
}

var customers = []Person{joerg, claire, ken, layla, eleni, ivan, sam, priya, tom, nora, zoe}

// The spread of real mailboxes: the size of a mail is log-normal, with this mean in bytes.
const (
	meanSize = 13_600
	sigma    = 1.2
	maxSize  = 2 << 20
)

// Generate yields n mails for load tests, the same ones for the same seed: sizes log-normal
// around 13.6 KB, one in twenty with attachments, one in a hundred hostile. Each has a
// Message-ID of its own, <seed.index@load.example>, and most come from [DemoPeople].
func Generate(seed int64, n int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		g := generator{rnd: rand.New(rand.NewPCG(uint64(seed), 1)), seed: seed}
		for i := range n {
			if !yield(g.mail(i)) {
				return
			}
		}
	}
}

type generator struct {
	rnd  *rand.Rand
	seed int64
}

var loadStart = time.Date(2025, 1, 6, 8, 0, 0, 0, time.UTC)

func (g *generator) mail(i int) []byte {
	size := int(math.Exp(g.rnd.NormFloat64()*sigma + math.Log(meanSize) - sigma*sigma/2))
	size = min(max(size, 900), maxSize)
	from := customers[g.rnd.IntN(len(customers))].Email
	if g.rnd.IntN(8) == 0 {
		from = fmt.Sprintf("stranger%d@elsewhere.example", g.rnd.IntN(500))
	}
	var b bytes.Buffer
	b.Grow(size + 1<<10)
	fmt.Fprintf(&b, "Received: from mx%d.load.example by mail.nordwind.example with ESMTPS id %08x\r\n for <%s>; %s\r\n", i%7, g.rnd.Uint32(),
		DemoUser, loadStart.Add(time.Duration(i)*time.Minute).Format(time.RFC1123Z))
	fmt.Fprintf(&b, "From: Customer <%s>\r\nTo: Lena Brandt <%s>\r\nDate: %s\r\nMessage-ID: <%d.%d@load.example>\r\nMIME-Version: 1.0\r\n",
		from, DemoUser, loadStart.Add(time.Duration(i)*time.Minute).Format(time.RFC1123Z), g.seed, i)
	switch kind := g.rnd.IntN(100); {
	case kind == 0:
		g.hostile(&b, i)
	case kind <= 5:
		g.withFiles(&b, i, size)
	default:
		fmt.Fprintf(&b, "Subject: Load %d: %s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n", i, g.words(4))
		g.text(&b, size)
	}
	return b.Bytes()
}

var (
	plainWords = strings.Fields("rope harbour quay mooring line berth ship order offer delivery length metre invoice price tomorrow thanks please confirm")
	vocabulary = append(strings.Fields("Liefertermin Größe Klampe câble amarre quai ロープ канат σχοινί 🚢"), plainWords...)
)

// words returns n words of ASCII.
func (g *generator) words(n int) string {
	words := make([]string, n)
	for i := range words {
		words[i] = plainWords[g.rnd.IntN(len(plainWords))]
	}
	return strings.Join(words, " ")
}

// text fills b with lines of words up to about the given size.
func (g *generator) text(b *bytes.Buffer, size int) {
	for b.Len() < size {
		for range 10 {
			b.WriteString(vocabulary[g.rnd.IntN(len(vocabulary))])
			b.WriteByte(' ')
		}
		b.WriteString("\r\n")
	}
}

func (g *generator) withFiles(b *bytes.Buffer, i, size int) {
	fmt.Fprintf(b, "Subject: Load %d with files\r\nContent-Type: multipart/mixed; boundary=\"load-%d\"\r\n\r\n", i, i)
	fmt.Fprintf(b, "--load-%d\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nPlease see the files.\r\n", i)
	for f := range 1 + g.rnd.IntN(3) {
		data := make([]byte, max(size/2, 500))
		for k := range data {
			data[k] = byte(g.rnd.Uint32())
		}
		fmt.Fprintf(b, "--load-%d\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"file-%d-%d.bin\"\r\nContent-Transfer-Encoding: base64\r\n\r\n", i, i, f)
		for line := data; len(line) > 0; {
			n := min(57, len(line))
			b.WriteString(base64.StdEncoding.EncodeToString(line[:n]) + "\r\n")
			line = line[n:]
		}
	}
	fmt.Fprintf(b, "--load-%d--\r\n", i)
}

// hostile writes what careless or malicious senders do.
func (g *generator) hostile(b *bytes.Buffer, i int) {
	switch g.rnd.IntN(7) {
	case 0: // raw 8-bit, a NUL and a lone surrogate in the header
		fmt.Fprintf(b, "Subject: hostile \xff\xfe\x00 %d \xed\xa0\x80\r\n\r\n\xff\xfe\x00 body\r\n", i)
	case 1: // a boundary that never comes
		fmt.Fprintf(b, "Subject: hostile %d\r\nContent-Type: multipart/mixed; boundary=nowhere\r\n\r\nno part at all\r\n", i)
	case 2: // deep nesting
		fmt.Fprintf(b, "Subject: hostile %d\r\n", i)
		for d := range 60 {
			fmt.Fprintf(b, "Content-Type: multipart/mixed; boundary=d%d\r\n\r\n--d%d\r\n", d, d)
		}
		b.WriteString("\r\ninnermost\r\n")
	case 3: // many parts
		fmt.Fprintf(b, "Subject: hostile %d\r\nContent-Type: multipart/mixed; boundary=p\r\n\r\n%s--p--\r\n", i, strings.Repeat("--p\r\n\r\nx\r\n", 2_000))
	case 4: // broken base64 and a name that climbs
		fmt.Fprintf(b, "Subject: hostile %d\r\nContent-Type: application/pdf; name=\"../../../etc/passwd\"\r\nContent-Transfer-Encoding: base64\r\n\r\n!!AA=A\r\nBB\r\n", i)
	case 5: // no body, a subject that breaks lines
		fmt.Fprintf(b, "Subject: =?utf-8?Q?hostile_%d=0D=0ABcc:_evil@elsewhere.example?=\r\n", i)
	default: // lies about its charset
		fmt.Fprintf(b, "Subject: hostile %d\r\nContent-Type: text/html; charset=iso-2022-kr-x\r\n\r\n<script>alert(1)</script><p>\xb0\xa1\xb0\xa2</p><img src=\"https://track.example/%d\">\r\n", i, i)
	}
}
