package window

import (
	"fmt"
	"time"

	"hawser/app/control"
	"hawser/app/control/controltest"
	"hawser/sync/capture"
)

// busyAgent is a healthy agent in the middle of a working week.
func busyAgent() *controltest.Agent {
	a := &controltest.Agent{}
	a.Set(busyStatus())
	people := []string{"Nadia Okafor <nadia@brightharbour.example>", "Jürgen Möller <j.moeller@werft-nord.example>", "佐藤 花子 <hanako@sato.example>", "Priya Raman <priya@lumenfield.example>", "Tom Ashby <tom.ashby@quayside.example>"}
	subjects := []string{"Renewal for the spring season", "Angebot Nr. 2231: Rückfragen zu den Fristen", "見積書のご送付", "Minutes of Tuesday's call and next steps for the rollout in the northern region", "Re: Delivery window"}
	for i := range 40 {
		a.Mailbox = append(a.Mailbox, control.Mail{Ref: fmt.Sprint("ref-", i), Folder: "INBOX", Date: now.Add(-time.Duration(i*i+3) * 17 * time.Minute),
			From: people[i%5], To: "ann@example.com", Subject: subjects[(i*3)%5], Size: int64(18_000 + i*i*2100), State: []string{"", "", "captured", "", "held", "", "filtered"}[i%7]})
		a.Sent = append(a.Sent, control.JournalItem{ID: int64(400 - i), At: now.Add(-time.Duration(i*i*11+7) * time.Minute), Object: "EmailMessage",
			RecordID: fmt.Sprintf("02s5g00000Ab%04dAAA", i), URL: fmt.Sprintf("https://acme.my.site.com/partners/s/detail/02s5g00000Ab%04dAAA", i),
			Bytes: int64(21_000 + 977*i*i), Files: i % 3, LeftOut: i % 5 / 4, Mark: []string{"hand", "folder", "rule", "thread"}[i%4], Level: "files",
			Matched: []control.Record{{Type: "Contact", ID: "0035g00000X", Name: "Nadia Okafor", Address: "nadia@brightharbour.example", Field: "Contact.Email"}}})
	}
	a.Sent[5].Removed = now.Add(-time.Hour)
	a.Sent[6].Matched = nil
	a.Places = []capture.Folder{{Name: "INBOX", Role: "inbox"}, {Name: "Sent", Role: "sent"}, {Name: "Projekte/Werft Nord"}, {Name: "Archive", Role: "all"}}
	return a
}

func busyStatus() control.Status {
	return control.Status{
		State: control.UpToDate, Since: now.Add(-time.Hour), Version: "0.1.0",
		Company:    control.Company{Stage: control.StageActive, Name: "Acme Marine", Server: "hawserd.acme.example", Group: "Partners", Policy: 7, LastSuccess: now.Add(-11 * time.Minute)},
		Salesforce: control.Side{SignedIn: true, Account: "ann@example.com.partners", Host: "acme.my.site.com", LastSuccess: now.Add(-2 * time.Minute)},
		Mail:       control.Side{SignedIn: true, Account: "ann@example.com", Host: "imap.example.com", LastSuccess: now.Add(-time.Minute)},
		Counts:     control.Counts{Seen: 1284, Captured: 411, Filtered: 861, Held: 5, Waiting: 7, NeedsYou: 3},
		Calls:      control.Calls{Used: 37, Budget: 100, OrgUsed: 8_112, OrgMax: 100_000},
	}
}
