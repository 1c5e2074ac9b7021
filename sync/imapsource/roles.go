package imapsource

import (
	"strings"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/text/unicode/norm"

	"hawser/sync/capture"
)

// specialUse are the roles that servers tell by themselves (RFC 6154).
var specialUse = map[imap.MailboxAttr]string{
	imap.MailboxAttrSent:   "sent",
	imap.MailboxAttrDrafts: "drafts",
	imap.MailboxAttrJunk:   "junk",
	imap.MailboxAttrTrash:  "trash",
	imap.MailboxAttrAll:    "all",
}

// usualNames are the names that mail programs give to folders where the server tells no roles
// (Outlook does not), in lower case.
var usualNames = func() map[string]string {
	names := make(map[string]string)
	for role, list := range map[string][]string{
		"sent": {"sent", "sent items", "sent mail", "sent messages", "gesendet", "gesendete elemente", "gesendete objekte",
			"envoyés", "éléments envoyés", "messages envoyés", "enviados", "elementos enviados", "itens enviados",
			"inviata", "posta inviata", "verzonden", "verzonden items", "skickat", "sendt", "sendt post", "sendte elementer",
			"lähetetyt", "wysłane", "elementy wysłane", "odeslaná pošta", "odoslaná pošta", "elküldött elemek",
			"отправленные", "надіслані", "gönderilmiş öğeler", "απεσταλμένα", "elemente trimise", "poslane stavke", "poslano", "送信済みアイテム", "送信済みトレイ", "送信済み", "已发送邮件", "已发送", "寄件備份", "보낸 편지함"},
		"drafts": {"drafts", "draft", "entwürfe", "brouillons", "borradores", "rascunhos", "bozze", "concepten", "utkast",
			"kladder", "luonnokset", "kopie robocze", "wersje robocze", "koncepty", "piszkozatok", "черновики", "чернетки", "taslaklar",
			"πρόχειρα", "schițe", "skice", "下書き", "草稿", "草稿箱", "임시 보관함"},
		"junk": {"junk", "junk email", "junk e-mail", "spam", "bulk mail", "junk-e-mail", "spamverdacht", "courrier indésirable",
			"correo no deseado", "lixo eletrônico", "lixo electrónico", "posta indesiderata", "ongewenste e-mail", "skräppost", "uønsket e-mail",
			"søppelpost", "roskaposti", "wiadomości-śmieci", "nevyžádaná pošta", "levélszemét", "нежелательная почта", "спам",
			"gereksiz e-posta", "ανεπιθύμητη αλληλογραφία", "e-mail nedorit", "uønsket mail", "迷惑メール", "迷惑メールフォルダー", "垃圾邮件", "垃圾郵件", "정크 메일"},
		"trash": {"trash", "deleted", "deleted items", "deleted messages", "papierkorb", "gelöscht", "gelöschte elemente", "gelöschte objekte",
			"corbeille", "éléments supprimés", "papelera", "elementos eliminados", "lixeira", "itens excluídos", "itens eliminados", "cestino",
			"posta eliminata", "prullenbak", "verwijderde items", "papperskorgen", "borttaget", "slettet post", "slettede elementer",
			"poistetut", "kosz", "elementy usunięte", "odstraněná pošta", "törölt elemek", "удаленные", "корзина", "видалені",
			"silinmiş öğeler", "διαγραμμένα", "elemente șterse", "izbrisane stavke", "削除済みアイテム", "削除済みトレイ", "ごみ箱", "已删除邮件", "刪除的郵件", "지운 편지함"},
	} {
		for _, name := range list {
			names[name] = role
		}
	}
	return names
}()

// withRoles turns the server's list into folders. A role by name is only guessed when no folder
// has it by the server's word, and given to one folder, the one nearest to the top.
func withRoles(found []imap.ListData) []capture.Folder {
	taken := make(map[string]bool)
	guess := make(map[string]int) // role to index in folders
	depth := make(map[string]int)
	folders := []capture.Folder{}
	for _, d := range found {
		role, holdsMail := roleOf(d)
		if !holdsMail || taken["inbox"] && role == "inbox" {
			continue
		}
		if role != "" {
			taken[role] = true
		}
		name := strings.ToValidUTF8(d.Mailbox, "?")
		folders = append(folders, capture.Folder{Name: name, Role: role})
		if role != "" {
			continue
		}
		path := strings.Split(name, string(d.Delim))
		if d.Delim == 0 {
			path = []string{name}
		}
		if byName := usualNames[norm.NFC.String(strings.ToLower(path[len(path)-1]))]; byName != "" {
			if d, ok := depth[byName]; !ok || len(path) < d {
				guess[byName], depth[byName] = len(folders)-1, len(path)
			}
		}
	}
	for role, i := range guess {
		if !taken[role] {
			folders[i].Role = role
		}
	}
	if !taken["inbox"] {
		folders = append([]capture.Folder{{Name: "INBOX", Role: "inbox"}}, folders...)
	}
	return folders
}

func roleOf(d imap.ListData) (role string, holdsMail bool) {
	for _, a := range d.Attrs {
		if a == imap.MailboxAttrNoSelect || a == imap.MailboxAttrNonExistent {
			return "", false
		}
		if r := specialUse[a]; r != "" {
			role = r
		}
	}
	if strings.EqualFold(d.Mailbox, "INBOX") {
		role = "inbox"
	}
	return role, true
}
