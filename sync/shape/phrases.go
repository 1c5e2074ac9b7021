package shape

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The words by which mail programs introduce what they quote, in lower case.

// forwardPrefixes begin the subject of a mail that is passed on. Some begin a reply in another
// language (Finnish "VS"): such a mail keeps its history, which loses nothing.
var forwardPrefixes = set(`fw fwd wg wtr tr rv i enc pd doorst vs vb vl videresend továbbítva lt ilt yml fs προωθ 转发 轉寄 转寄 転送 전달 пересл hal`)

// forwardTitles stand above a mail that is passed on.
var forwardTitles = lines(`
forwarded message
begin forwarded message
forwarded by
weitergeleitete nachricht
weitergeleitete e-mail
anfang der weitergeleiteten nachricht
anfang der weitergeleiteten e-mail
message transféré
message réexpédié
début du message transféré
début du message réexpédié
mensaje reenviado
inicio del mensaje reenviado
messaggio inoltrato
inizio messaggio inoltrato
mensagem encaminhada
mensagem reenviada
início da mensagem reencaminhada
início da mensagem encaminhada
doorgestuurd bericht
begin doorgestuurd bericht
videresendt besked
videresendt meddelelse
videresendt melding
vidarebefordrat mail
vidarebefordrat meddelande
vidarebefordrat brev
edelleenlähetetty viesti
välitetty viesti
przekazana wiadomość
wiadomość przekazana
przesłana wiadomość
přeposlaná zpráva
preposlaná správa
пересылаемое сообщение
пересланное сообщение
пересылаемое письмо
переслане повідомлення
iletilen mesaj
iletilmiş mesaj
továbbított levél
továbbított üzenet
mesaj redirecționat
転送メッセージ
転送されたメッセージ
転送メール
转发邮件
转发的邮件
转发的信息
轉寄郵件
轉寄的郵件
전달된 메시지
전달된 메일`)

// originalTitles stand above the mail that is answered.
var originalTitles = lines(`
original message
original appointment
original mail
original email
original e-mail
reply message
ursprüngliche nachricht
ursprüngliche mail
ursprüngliche e-mail
ursprünglicher termin
urspruengliche nachricht
originalnachricht
original-nachricht
originale nachricht
originalmail
message d'origine
message d’origine
message original
message initial
courriel original
mensaje original
correo original
messaggio originale
mensagem original
oorspronkelijk bericht
oorspronkelijke bericht
oorspronkelijke e-mail
original meddelelse
oprindelig meddelelse
oprindelig besked
opprinnelig melding
opprinnelig e-post
ursprungligt meddelande
originalmeddelande
alkuperäinen viesti
oryginalna wiadomość
wiadomość oryginalna
původní zpráva
původní e-mail
pôvodná správa
исходное сообщение
оригинальное сообщение
оригінальне повідомлення
orijinal mesaj
özgün ileti
eredeti üzenet
mesajul original
mesaj original
元のメッセージ
原始邮件
原始郵件
原始信息
원본 메시지
원본 메일`)

// wroteWords end an "On ... wrote:", or stand in it where the language puts the writer last.
var wroteWords = set(`wrote schrieb schrieben écrit escribió scritto scrive escreveu schreef geschreven skrev kirjoitti napisał napisała
napisał(a) pisze napsal napsala napsal(a) napísal napísala napísal(a) написал написала написал(а) пишет пише написав yazdı írta scris следующее:
følgende 写道 寫道 のメール のメッセージ 작성:`)

// openWords begin an "On ... wrote:".
var openWords = set(`on am le el il em op den dnia w dne dňa в pe på no ter`)

// The labels above a quoted mail, as Outlook writes them.
var (
	fromLabels = set(`from von de da van fra från lähettäjä od от від kimden gönderen feladó 发件人 寄件者 差出人 送信者 보낸_사람`)
	subjLabels = set(`subject betreff objet asunto sujet oggetto assunto onderwerp emne ämne aihe temat předmět predmet тема konu tárgy subiect 主题 主旨 件名 제목`)
	restLabels = set(`sent date to cc gesendet datum an envoyé à enviado fecha para inviato data a verzonden aan sendt dato til skickat till lähetetty
päivä päiväys vastaanottaja wysłano do odesláno komu отправлено дата кому копия gönderilme gönderildi tarih kime elküldve címzett trimis către
message_du envoyé_le copie_à enviado_el 보낸_날짜 받는_사람 发送时间 日期 收件人 抄送 送信日時 日時 宛先 寄件日期 收件者`)
)

// belowWords say that the answers stand within what is quoted underneath.
var belowWords = lines(`
inline
in-line
see below
answers below
answer below
comments below
comment below
replies below
in red
in blue
in green
in bold
siehe unten
s.u.
s. u.
weiter unten
in rot
in blau
in grün
ci-dessous
en rouge
en bleu
más abajo
en rojo
en azul
em vermelho
abaixo
in rosso
in blu
qui sotto
in rood
in blauw
hieronder
zie onder
poniżej
ниже`)

// device is the signature that phones add.
var device = regexp.MustCompile(`(?i)^(` + strings.Join([]string{
	`(sent|get outlook) (from|for|with|via) .*`, `(von meinem|gesendet (mit|von|aus)|outlook für) .*`, `envoyé (de|depuis|à partir de|avec) .*`,
	`(enviado (desde|do|a partir)|obtener outlook) .*`, `(inviato da|scarica outlook) .*`, `(verzonden|verstuurd) (van|vanaf|met) .*`,
	`(sendt fra|skickat från|lähetetty) .*`, `wysłan[eo] z .*`, `отправлено (с|из) .*`,
}, `|`) + `)$`)

// clock is what an introduction has besides words in any language: a time, or an address.
var clock = regexp.MustCompile(`\d\s?[:.h]\s?\d\d|\S@\S`)

// timed is a time and an address in brackets, in any order.
var timed = regexp.MustCompile(`\d[:.h]\d\d\b.*<[^<>@\s]+@[^<>@\s]+>|<[^<>@\s]+@[^<>@\s]+>.*\d[:.h]\d\d\b`)

// sentBy ends an introduction in any language: a time, and last an address.
var sentBy = regexp.MustCompile(`\d[:.h]\d\d\b.*<[^<>@\s]+@[^<>@\s]+>\)?\s?[:：]$`)

// set returns words as a set; "_" stands for a space within one.
func set(words string) map[string]bool {
	m := make(map[string]bool)
	for _, w := range strings.Fields(words) {
		m[strings.ReplaceAll(w, "_", " ")] = true
	}
	return m
}

func lines(text string) map[string]bool {
	m := make(map[string]bool)
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			m[line] = true
		}
	}
	return m
}

// isForward reports whether a subject says that the mail is passed on.
func isForward(subject string) bool { return forwardPrefixes[subjectPrefix(subject)] }

// isReply reports whether a subject says, in whatever language, that the mail is an answer.
func isReply(subject string) bool {
	word := subjectPrefix(subject)
	return word != "" && utf8.RuneCountInString(word) <= 4 && !strings.Contains(word, " ") && !forwardPrefixes[word]
}

// subjectPrefix returns what stands before the first colon, in lower case, without what lists and
// help desks put before it ("[#12] Re") and counts ("Re[2]").
func subjectPrefix(subject string) string {
	word, _, ok := cutColon(prefix(strings.TrimSpace(subject), maxLine))
	if !ok {
		return ""
	}
	if strings.HasPrefix(word, "[") {
		_, word, _ = strings.Cut(word, "]")
	}
	word, _, _ = strings.Cut(word, "[")
	return strings.ToLower(strings.TrimSpace(word))
}

// title returns what a line says between dashes, or before a colon, in lower case; "" for other
// lines.
func title(line string) string {
	bare := strings.TrimLeft(line, "-_=*")
	if len(line)-len(bare) < 2 && !endsInColon(line) {
		return ""
	}
	return strings.ToLower(strings.Trim(bare, "-_=*:： \t\u00a0"))
}

// labelOf returns the label that a line begins with, in lower case, or "".
func labelOf(line string) string {
	word, _, ok := cutColon(line)
	if !ok || len(word) > 40 {
		return ""
	}
	return strings.ToLower(strings.Trim(word, "*_ \t\u00a0\u200e\u200f"))
}

func cutColon(s string) (before, after string, found bool) {
	if i := strings.IndexAny(s, ":："); i >= 0 {
		_, size := utf8.DecodeRuneInString(s[i:])
		return s[:i], s[i+size:], true
	}
	return s, "", false
}

func endsInColon(s string) bool {
	return strings.HasSuffix(s, ":") || strings.HasSuffix(s, "：")
}

// wrote reports whether s is a whole "On ... wrote:", in any order of words. Some programs write a
// time and an address alone, some no colon, some dashes around it.
func wrote(s string) bool {
	if len(s) > 3*maxLine || !clock.MatchString(s) {
		return false
	}
	colon := endsInColon(s)
	if colon && sentBy.MatchString(s) {
		return true
	}
	if !colon && strings.HasPrefix(s, "--") && strings.HasSuffix(s, "--") {
		s, colon = strings.Trim(s, "- "), true
	}
	words := strings.Fields(strings.ToLower(strings.TrimRight(s, ":： \u00a0")))
	if !colon {
		return len(words) > 0 && openWords[words[0]] && wroteWords[words[len(words)-1]] && strings.Contains(s, "@")
	}
	for i, word := range words {
		if i > 0 && wroteWords[strings.TrimRight(word, ":,")] {
			return true
		}
	}
	for _, end := range []string{"写道", "寫道", "のメール", "のメッセージ", "작성"} {
		if strings.HasSuffix(strings.TrimRight(s, ":： "), end) {
			return true
		}
	}
	return false
}

// introduces reports whether s may introduce a quote that follows: what wrote finds, or a line of a
// language that it does not know, with a time, an address in brackets and a colon. The writer's own
// "... at 10:30:" above a quote is none.
func introduces(s string) bool {
	return wrote(s) || len(s) <= 3*maxLine && endsInColon(s) && timed.MatchString(s)
}

// opens reports whether s may be the first of the lines of an "On ... wrote:".
func opens(s string) bool {
	word, rest, _ := strings.Cut(s, " ")
	return openWords[strings.ToLower(word)] && strings.ContainsAny(rest, "0123456789") || word != "" && isDigit(word[0]) && clock.MatchString(s)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isDevice reports whether a line is the signature of a phone, and not a sentence that begins so.
func isDevice(s string) bool {
	s, _, _ = strings.Cut(s, "<")
	return len(s) <= 80 && !strings.ContainsAny(s, ",;!?") && device.MatchString(strings.TrimSpace(s))
}

// saysBelow reports whether a line announces answers further down.
func saysBelow(s string) bool {
	s = strings.ToLower(s)
	for words := range belowWords {
		for rest := s; ; {
			at := strings.Index(rest, words)
			if at < 0 {
				break
			}
			before, _ := utf8.DecodeLastRuneInString(rest[:at])
			rest = rest[at+len(words):]
			after, _ := utf8.DecodeRuneInString(rest)
			if !unicode.IsLetter(before) && !unicode.IsLetter(after) {
				return true
			}
		}
	}
	return false
}
