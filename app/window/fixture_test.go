package window

import (
	"fmt"
	"time"

	"hawser/app/control"
	"hawser/app/control/controltest"
	"hawser/sync/capture"
	"hawser/sync/fault"
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
	a.Items = []control.QueueItem{
		{ID: 71, State: "needs-you", Date: now.Add(-26 * time.Minute), From: people[0], Subject: subjects[0], Size: 41_000, Mark: "rule", Why: fault.ChoosePerson,
			Question: &capture.Question{Kind: capture.AskPerson, Subject: "nadia@brightharbour.example", Options: []capture.Option{
				{ID: "0031", Type: "Contact", Name: "Nadia Okafor", About: "Bright Harbour Ltd"}, {ID: "0032", Type: "Contact", Name: "Nadia Okafor", About: "Okafor Consulting"}, {ID: "00Q1", Type: "Lead", Name: "N. Okafor", About: "Trade fair 2025"}}}},
		{ID: 72, State: "needs-you", Date: now.Add(-3 * time.Hour), From: people[1], Subject: subjects[1], Size: 12_000, Mark: "hand", Why: fault.ValidationFailed, Detail: "Region: choose a value", Tries: 8},
		{ID: 73, State: "needs-you", Date: now.Add(-5 * time.Hour), From: people[3], Subject: subjects[4], Size: 33_000, Mark: "thread", Why: fault.Unmatched, Unlinked: true},
		{ID: 74, State: "held", Date: now.Add(-50 * time.Hour), From: people[4], Subject: "Salary review", Size: 9_000, Mark: "folder", Why: fault.SensitiveWord, Detail: "salary"},
		{ID: 75, State: "waiting", Date: now.Add(-2 * time.Minute), From: people[2], Subject: subjects[2], Size: 9_000, Mark: "hand", Tries: 2, Next: now.Add(4 * time.Minute), Why: fault.Offline},
		{ID: 76, State: "filtered", Date: now.Add(-9 * time.Hour), Mark: "rule", Why: "kind-list"},
	}
	a.Followed = []control.Thread{{ID: 1, Title: "Renewal for the spring season", Since: now.AddDate(0, 0, -3), Saved: 4}, {ID: 2, Title: "Delivery window", Since: now.Add(-5 * time.Hour), Saved: 1}}
	a.Causes = map[string]control.Why{"<canary@example.com>": {State: "filtered", Cause: "no-rule-allows", Fix: "rules", Rule: "Partners only"}}
	a.Choices = sampleChosen()
	a.Tried = control.DryRun{Days: 7, Seen: 214, Saved: 31, Held: 4, Hits: a.Choices.Hits}
	for i, m := range a.Mailbox {
		it := control.DryRunItem{Mail: m, Verdict: []string{"save", "filtered", "filtered", "held"}[i%4], Why: []string{"", "no-rule-allows", "kind-list", "sensitive-word"}[i%4]}
		a.Tried.Items = append(a.Tried.Items, it)
	}
	a.Apps = map[string]control.App{
		"salesforce": {Side: "salesforce", Site: "https://acme.my.site.com/partners", ClientID: "3MVG9lKcPoNINVBKb4", Scopes: []string{"api", "openid", "refresh_token"}},
		"mail":       {Side: "mail", Site: "https://login.mail.example", ClientID: "hawser", Scopes: []string{"openid", "mail"}, AdminLink: "https://login.mail.example/approve"}}
	a.Options = []control.Setting{
		{Key: control.SetStartAtLogin, Value: "on", Values: []string{"on", "off"}, Origin: control.OriginCompany, Locked: true, By: "Acme Marine"},
		{Key: control.SetNotices, Value: "on", Values: []string{"on", "off"}, Origin: control.OriginYou},
		{Key: control.SetLanguage, Value: "", Values: []string{"", "de", "en"}, Origin: control.OriginDefault}}
	a.Known = []control.Alias{{Address: "ann@example.com", Primary: true, On: true, Source: control.FromSignIn}, {Address: "ann.smith@example.com", On: true, Source: control.FromProvider}, {Address: "sales@example.com", Source: control.FromSent}}
	a.Sent[5].Removed = now.Add(-time.Hour)
	a.Sent[6].Matched = nil
	a.Previews = map[string]control.Preview{}
	for _, m := range a.Mailbox {
		a.Previews[m.Ref] = samplePreview(m)
	}
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

func samplePreview(m control.Mail) control.Preview {
	return control.Preview{
		Mail: m, Cc: "Ben Ortiz <ben@example.com>", Object: "EmailMessage", Verdict: "save", Level: capture.LevelFiles, Bytes: 148_220, Seen: "record",
		Records: []control.Record{
			{Type: "Contact", ID: "0031", Name: "Nadia Okafor", Address: "nadia@brightharbour.example", Field: "Contact.Email"},
			{Type: "Account", ID: "0011", Name: "Bright Harbour Ltd"}},
		Related:     &control.Record{Type: "Opportunity", ID: "0061", Name: "Spring season 2027"},
		Unmatched:   []string{"ben@example.com"},
		Attachments: []control.Attachment{{Name: "Angebot-2231.pdf", Size: 96_400}, {Name: "fotos.zip", Size: 31_000_000, Why: "file-large"}},
		Text:        "Hello Ann,\n\nthank you for the call. The renewal can start on 1 March; please send the form back by Friday.\n\nKind regards\nNadia\n\n> On Monday Ann wrote:\n> could you tell me when the season starts?",
		Newest:      "Hello Ann,\n\nthank you for the call. The renewal can start on 1 March; please send the form back by Friday.",
	}
}

func sampleChosen() control.Chosen {
	yes := true
	c := control.Chosen{
		Choices: capture.Choices{Automatic: true, Since: now.AddDate(0, -1, 0), Days: 30, Folders: []string{"INBOX", "Projekte/Werft Nord"},
			Rules: []capture.Rule{
				{ID: "r1", Name: "Partners of the shipyard", Action: capture.Allow, With: []string{"werft-nord.example", "quayside.example"}},
				{ID: "r2", Name: "Offers", Action: capture.Allow, Words: []string{"offer", "Angebot"}, Files: &yes, Direction: capture.SentBy},
				{ID: "r3", Action: capture.Deny, Over: 20_000_000},
				{ID: "r4", Name: "People we know", Action: capture.Allow, Known: &yes, Off: true},
			},
			Block: []string{"press@quayside.example"}, Pass: []string{"customer@gmail.com"}, Kinds: []capture.Kind{capture.KindInvitation}, Words: []string{"salary"},
			Content: capture.Content{Level: capture.LevelFiles, Files: capture.FilesAsk, FileMax: 10_000_000, FilesMax: 25_000_000}},
		Company: capture.Company{Block: []string{"rival.example"}, Words: []string{"merger"}, MaxLevel: capture.LevelFiles,
			Rules: []capture.Rule{{ID: "c1", Name: "Never the board", Action: capture.Deny, With: []string{"board@acme.example"}}}},
		Level: capture.LevelFiles,
		Hits:  map[string]int{"c1": 2, "r1": 19, "r2": 12, "r3": 0},
	}
	c.Blocked = []control.Blocked{{Value: "example.com", Layer: control.LayerInternal}, {Value: "rival.example", Layer: control.LayerCompany, Locked: true}, {Value: "press@quayside.example", Layer: control.LayerPersonal}}
	return c
}
