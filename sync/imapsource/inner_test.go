package imapsource

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-imap/v2"

	"hawser/sync/capture"
	"hawser/sync/fault"
)

func TestStart(t *testing.T) {
	t.Parallel()
	box := folderState{validity: 7, next: 100, modSeq: 50}
	for name, tt := range map[string]struct {
		cur  capture.Cursor
		box  folderState
		want beginning
	}{
		"empty":                {capture.Cursor{}, box, beginning{uid: 1, first: true}},
		"goes on":              {capture.Cursor{Validity: 7, Next: 40, ModSeq: 9}, box, beginning{uid: 40, modSeq: 9}},
		"at the end":           {capture.Cursor{Validity: 7, Next: 100}, box, beginning{uid: 100}},
		"renumbered":           {capture.Cursor{Validity: 6, Next: 40, ModSeq: 9}, box, beginning{uid: 1, renumbered: true, first: true}},
		"UIDNEXT went back":    {capture.Cursor{Validity: 7, Next: 101}, box, beginning{uid: 1, renumbered: true, first: true}},
		"UIDNEXT is not told":  {capture.Cursor{Validity: 7, Next: 101}, folderState{validity: 7}, beginning{uid: 101}},
		"cursor without place": {capture.Cursor{Validity: 7}, box, beginning{uid: 1}},
	} {
		if got := start(tt.cur, tt.box); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	folder := func(name string, attrs ...imap.MailboxAttr) imap.ListData {
		return imap.ListData{Mailbox: name, Delim: '/', Attrs: attrs}
	}
	for name, tt := range map[string]struct {
		found []imap.ListData
		want  string
	}{
		"nothing":       {nil, "INBOX=inbox"},
		"by attribute":  {[]imap.ListData{folder("inbox"), folder("Sent"), folder("[Gmail]", imap.MailboxAttrNoSelect), folder("[Gmail]/Gesendet", imap.MailboxAttrSent), folder("[Gmail]/Alle", imap.MailboxAttrAll)}, "inbox=inbox Sent= [Gmail]/Gesendet=sent [Gmail]/Alle=all"},
		"by name":       {[]imap.ListData{folder("INBOX"), folder("Archiv/Gesendete Elemente"), folder("Gesendete Elemente"), folder("Gelöschte Elemente"), folder("Entwürfe"), folder("Junk-E-Mail")}, "INBOX=inbox Archiv/Gesendete Elemente= Gesendete Elemente=sent Gelöschte Elemente=trash Entwürfe=drafts Junk-E-Mail=junk"},
		"below INBOX":   {[]imap.ListData{folder("INBOX"), folder("INBOX/Sent")}, "INBOX=inbox INBOX/Sent=sent"},
		"not there":     {[]imap.ListData{folder("INBOX"), folder("Gone", imap.MailboxAttrNonExistent)}, "INBOX=inbox"},
		"broken letter": {[]imap.ListData{folder("INBOX"), folder("a\xff")}, "INBOX=inbox a?="},
	} {
		var got []string
		for _, f := range withRoles(tt.found) {
			got = append(got, f.Name+"="+f.Role)
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: got %q, want %q", name, s, tt.want)
		}
	}
}

// TestRolesInOtherLanguages: where the server tells no roles, as Outlook does not, the names that mail
// programs use do.
func TestRolesInOtherLanguages(t *testing.T) {
	t.Parallel()
	for language, names := range map[string][4]string{ // sent, drafts, junk, trash
		"English":    {"Sent Items", "Drafts", "Junk Email", "Deleted Items"},
		"German":     {"Gesendete Elemente", "Entwürfe", "Junk-E-Mail", "Gelöschte Elemente"},
		"German NFD": {"Gesendete Objekte", "Entwu\u0308rfe", "Spam", "Gelo\u0308schte Objekte"},
		"French":     {"Éléments envoyés", "Brouillons", "Courrier indésirable", "Éléments supprimés"},
		"Spanish":    {"Elementos enviados", "Borradores", "Correo no deseado", "Elementos eliminados"},
		"Portuguese": {"Itens Enviados", "Rascunhos", "Lixo Eletrônico", "Itens Excluídos"},
		"Italian":    {"Posta inviata", "Bozze", "Posta indesiderata", "Posta eliminata"},
		"Dutch":      {"Verzonden items", "Concepten", "Ongewenste e-mail", "Verwijderde items"},
		"Swedish":    {"Skickat", "Utkast", "Skräppost", "Borttaget"},
		"Danish":     {"Sendt post", "Kladder", "Uønsket mail", "Slettet post"},
		"Finnish":    {"Lähetetyt", "Luonnokset", "Roskaposti", "Poistetut"},
		"Polish":     {"Elementy wysłane", "Wersje robocze", "Wiadomości-śmieci", "Elementy usunięte"},
		"Czech":      {"Odeslaná pošta", "Koncepty", "Nevyžádaná pošta", "Odstraněná pošta"},
		"Hungarian":  {"Elküldött elemek", "Piszkozatok", "Levélszemét", "Törölt elemek"},
		"Romanian":   {"Elemente trimise", "Schițe", "E-mail nedorit", "Elemente șterse"},
		"Greek":      {"Απεσταλμένα", "Πρόχειρα", "Ανεπιθύμητη αλληλογραφία", "Διαγραμμένα"},
		"Russian":    {"Отправленные", "Черновики", "Нежелательная почта", "Удаленные"},
		"Turkish":    {"Gönderilmiş Öğeler", "Taslaklar", "Gereksiz E-posta", "Silinmiş Öğeler"},
		"Japanese":   {"送信済みアイテム", "下書き", "迷惑メール", "削除済みアイテム"},
		"Chinese":    {"已发送邮件", "草稿", "垃圾邮件", "已删除邮件"},
		"Korean":     {"보낸 편지함", "임시 보관함", "정크 메일", "지운 편지함"},
	} {
		found := []imap.ListData{{Mailbox: "INBOX", Delim: '/'}, {Mailbox: "Kunden", Delim: '/'}}
		for _, name := range names {
			found = append(found, imap.ListData{Mailbox: name, Delim: '/'})
		}
		for i, f := range withRoles(found) {
			if want := []string{"inbox", "", "sent", "drafts", "junk", "trash"}[i]; f.Role != want {
				t.Errorf("%s: %q is %q, want %q", language, f.Name, f.Role, want)
			}
		}
	}
}

// TestPaceOfABrokenLink plays a day of a server that hangs up at once, watched by three folders.
func TestPaceOfABrokenLink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPace(time.Now)
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		begin := time.Now()
		var times []time.Duration
		for p.enter(ctx) == nil {
			times = append(times, time.Since(begin))
			p.login()
			p.leave()
			p.lost(0, 0)
			p.lost(0, 0) // the other folders' connections ended at the same moment
			p.lost(0, 0)
		}
		minute := 0
		for _, d := range times {
			if d < time.Minute {
				minute++
			}
		}
		if minute < 3 || minute > 5 {
			t.Errorf("%d attempts in the first minute", minute)
		}
		if max := 24*60 + loginBurst; len(times) > max || len(times) < max/2 {
			t.Errorf("%d attempts in a day, at most %d are wanted", len(times), max)
		}
	})
}

// TestPaceOfAFlappingLink: connections that come about and die soon do not make more sign-ins
// than one per minute in the long run.
func TestPaceOfAFlappingLink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPace(time.Now)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Hour)
		defer cancel()
		n := 0
		for p.enter(ctx) == nil {
			n++
			p.login()
			p.leave()
			time.Sleep(time.Second)
			if n%2 == 0 {
				p.lost(steadyAfter, 0) // even when each second one looked steady
			}
		}
		if n > 10*60+loginBurst+1 {
			t.Errorf("%d sign-ins in ten hours", n)
		}
		before := time.Now()
		p.lost(time.Hour, 0)
		if d := p.next.Sub(before); d > time.Second {
			t.Errorf("after a steady connection it waits %v", d)
		}
		p.lost(0, time.Hour) // still within the pause: the same failure
		p.next = time.Now()
		p.lost(0, time.Hour)
		if d := p.delay(); d < time.Hour || d > 80*time.Minute {
			t.Errorf("the server asked for an hour, it waits %v", d)
		}
	})
}

func TestStatesAreSummedUp(t *testing.T) {
	t.Parallel()
	var told []fault.Code
	st := &states{tell: func(c fault.Code) { told = append(told, c) }, bad: map[string]fault.Code{}}
	st.set("a", "")
	st.set("a", fault.Offline)
	st.set("b", fault.Offline)
	st.set("a", "")
	st.set("b", "")
	st.set("b", "")
	if !slices.Equal(told, []fault.Code{fault.Offline, ""}) {
		t.Errorf("told %v", told)
	}
}

func TestSliced(t *testing.T) {
	t.Parallel()
	full := strings.Repeat("x", sliceSize)
	from := func(parts ...string) func(int64) ([]byte, error) {
		return func(offset int64) ([]byte, error) {
			if len(parts) == 0 {
				return nil, errors.New("asked beyond the end")
			}
			p := parts[0]
			parts = parts[1:]
			return []byte(p), nil
		}
	}
	long := make([]string, 300)
	for i := range long {
		long[i] = full
	}
	for name, tt := range map[string]struct {
		s    sliced
		n    int
		code fault.Code
	}{
		"short last slice":      {sliced{size: sliceSize + 3, next: from(full, "abc")}, sliceSize + 3, ""},
		"whole last slice":      {sliced{size: sliceSize, next: from(full, "")}, sliceSize, ""},
		"short slice between":   {sliced{size: 6, next: from("abc", "def")}, 6, ""},
		"smaller than promised": {sliced{size: 100, next: from("abc", "", "")}, 3, ""},
		"larger than promised":  {sliced{size: 3, next: from(full, full, "ab")}, 2*sliceSize + 2, ""},
		"a lie about the end":   {sliced{size: 6, next: from("abc", "", "def")}, 6, ""},
		"over the limit":        {sliced{size: 3, most: sliceSize, next: from(full, full, "")}, sliceSize, fault.MailTooLarge},
		"never ends":            {sliced{size: 3, next: from(long...)}, -1, fault.MailUnreadable},
	} {
		b, err := io.ReadAll(&tt.s)
		if tt.code == "" && err != nil || tt.code != "" && !fault.Is(err, tt.code) || tt.n >= 0 && len(b) != tt.n {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
}

func TestSearchText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"  Jürgen ": "Jürgen", "a\r\nb\x00": "a  b", "\xffx": "x", strings.Repeat("ü", 150): strings.Repeat("ü", 100),
	} {
		if got := searchText(in); got != want {
			t.Errorf("%q: got %q", in, got)
		}
	}
}

// TestWirePatience: a server that sends one byte now and then is silent in the end, one that is
// slow but steady is not.
func TestWirePatience(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		bytes int // each second
		want  error
	}{
		"a byte now and then": {1, errStalled},
		"slow but steady":     {512, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				var wg sync.WaitGroup
				wg.Go(func() {
					for {
						if _, err := server.Write(make([]byte, tt.bytes)); err != nil {
							return
						}
						time.Sleep(time.Second)
					}
				})
				w := newWire(client, client, newMeter(Config{Now: time.Now}))
				w.expect(10 * time.Second)
				var err error
				buf := make([]byte, 4096)
				for begin := time.Now(); err == nil && time.Since(begin) < 10*time.Minute; {
					_, err = w.read(buf)
				}
				if !errors.Is(err, tt.want) {
					t.Errorf("got %v", err)
				}
				_ = client.Close()
				wg.Wait()
			})
		})
	}
}
