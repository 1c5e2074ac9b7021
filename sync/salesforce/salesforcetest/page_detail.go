package salesforcetest

import (
	"fmt"
	"strings"
	"time"
)

// add appends a fact unless it is empty.
func (d *pageDetail) add(name, value string) {
	if value != "" {
		d.Facts = append(d.Facts, pageFact{name, value})
	}
}

func (o *Org) detailLocked(r *record) *pageDetail {
	d := &pageDetail{Heading: orElse(r.str("Subject"), orElse(r.str("Name"), "(no subject)"))}
	switch r.obj.name {
	case "EmailMessage":
		o.mailDetailLocked(d, r)
	case "Task":
		d.add("Status", r.str("Status"))
		d.add("Date", r.str("ActivityDate"))
		d.add("Person", o.nameLocked(r.str("WhoId")))
		d.add("Related to", o.nameLocked(r.str("WhatId")))
		d.Text, d.TextName = r.str("Description"), "Comments"
		d.Files = o.filesLocked(r.id)
	case "ContentVersion":
		d.Heading = fileName(r)
		d.add("Size", size(len(r.blob)))
		d.add("MD5", r.str("Checksum"))
		d.add("On", o.nameLocked(r.str("FirstPublishLocationId")))
		d.Files = []pageFile{{Name: fileName(r), URL: "/_org/file/" + r.id, Size: size(len(r.blob))}}
	default:
		d.add("E-mail", r.str("Email"))
		d.add("Company", r.str("Company"))
		d.add("Account", o.nameLocked(r.str("AccountId")))
	}
	d.add("Key", r.str("Mail_Key__c"))
	d.add("Owner", o.nameLocked(orElse(r.str("OwnerId"), r.str("CreatedById"))))
	made, _ := r.fields["CreatedDate"].(time.Time)
	d.add("Saved", made.Format("2 January 2006, 15:04:05 MST"))
	d.add("Id", r.id)
	return d
}

func (o *Org) mailDetailLocked(d *pageDetail, r *record) {
	from := r.str("FromAddress")
	if name := r.str("FromName"); name != "" {
		from = strings.TrimSpace(name + " <" + from + ">")
	}
	d.add("From", from)
	d.add("To", o.receiversLocked(r, "ToAddress", "ToAddress"))
	d.add("Cc", o.receiversLocked(r, "CcAddress", "CcAddress"))
	d.add("Bcc", o.receiversLocked(r, "BccAddress", "BccAddress"))
	sent, _ := r.fields["MessageDate"].(time.Time)
	d.add("Date", sent.Format("Monday, 2 January 2006, 15:04 MST"))
	way := "sent"
	if in, _ := r.fields["Incoming"].(bool); in {
		way = "received"
	}
	d.add("Direction", way)
	d.add("Related to", o.nameLocked(r.str("RelatedToId")))
	d.add("Message-ID", r.str("MessageIdentifier"))
	t := o.data.table("EmailMessageRelation")
	for _, rel := range t.lookup(t.obj.field("EmailMessageId"), r.id) {
		d.People = append(d.People, pagePerson{strings.TrimSuffix(rel.str("RelationType"), "Address"), rel.str("RelationAddress"), orElse(o.nameLocked(rel.str("RelationId")), "none")})
	}
	d.Files = o.filesLocked(r.id)
	d.Text, d.TextName = r.str("TextBody"), "Message"
	if r.str("HtmlBody") != "" {
		d.HTML = "/_org/html/" + r.id
	}
}

// requestsLocked fills the list of requests, newest first; id is a request's number.
func (o *Org) requestsLocked(d *pageData, id string, page int) {
	n := len(o.use.log)
	from, to := d.bounds(n, page)
	for i := from; i < to; i++ {
		number := n - i
		c := o.use.log[number-1]
		d.Rows = append(d.Rows, pageRow{ID: fmt.Sprint(number), URL: fmt.Sprintf("/_org/calls/%d", number), Here: id == fmt.Sprint(number),
			Who: fmt.Sprintf("%s · %d", c.Method, c.Status), Subject: strings.TrimPrefix(c.Path, "/services/data"),
			Note: note(c), When: c.Time.Format("15:04:05"), ISO: c.Time.Format(time.RFC3339)})
	}
	var number int
	if _, err := fmt.Sscan(id, &number); err != nil || number < 1 || number > n {
		return
	}
	c := o.use.log[number-1]
	d.Detail = &pageDetail{Heading: c.Method + " " + c.Path, Text: strings.Join(c.Parts, "\n"), TextName: "Subrequests"}
	d.Detail.add("Status", fmt.Sprint(c.Status))
	d.Detail.add("User", c.User)
	d.Detail.add("Time", c.Time.Format("2 January 2006, 15:04:05 MST"))
	d.Detail.add("Answer", size(c.Bytes))
}

func note(c Call) string {
	if len(c.Parts) == 0 {
		return size(c.Bytes)
	}
	return fmt.Sprintf("%d parts, %s", len(c.Parts), size(c.Bytes))
}
