package imapsource_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/imapsource"
	"hawser/sync/sourcetest/dovecottest"
)

// behind returns the source of d's mailbox through a mask.
func (d *dovecot) behind(t testing.TB, mask dovecottest.Mask, change ...func(*imapsource.Config)) (*imapsource.Source, *dovecottest.Masked) {
	t.Helper()
	m := dovecottest.NewMasked(t, d.s, mask)
	cfg := d.config()
	cfg.Addr = m.Addr
	for _, f := range change {
		f(&cfg)
	}
	return open(t, cfg), m
}

// furnish fills a mailbox with mails 1 to 14.
func furnish(d *dovecot) {
	n := 0
	for _, folder := range []struct {
		name  string
		mails int
	}{{"INBOX", 6}, {"Sent", 2}, {"Entw&APw-rfe", 1}, {"Kunden/Alpha", 4}, {"Trash", 1}} {
		for range folder.mails {
			n++
			d.add(folder.name, mail(n))
		}
	}
}

// everything tells all that a source finds in a furnished mailbox, or in some folders of it.
func everything(t testing.TB, src *imapsource.Source, some ...string) string {
	t.Helper()
	var b strings.Builder
	folders, err := src.Folders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		fmt.Fprintf(&b, "%s=%s", f.Name, f.Role)
		if some != nil && !slices.Contains(some, f.Name) {
			continue
		}
		for _, req := range []imapsource.ScanRequest{
			{}, {HeadersFirst: true}, {HeadersFirst: true, Structure: true}, {Since: time.Now().Add(-time.Hour)}, {Since: time.Now().Add(time.Hour)},
		} {
			req.Cursor.Folder = f.Name
			fmt.Fprint(&b, " ", scan(t, src, req).numbers(t))
		}
		page, err := src.Page(t.Context(), imapsource.PageRequest{Folder: f.Name, Search: "mail 1", Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, "", listed(t, page.Items), page.More > 0)
	}
	refs, err := src.Find(t.Context(), "<m11@example.net>")
	if err != nil || len(refs) != 1 {
		t.Fatalf("found %v, %v", refs, err)
	}
	fmt.Fprintln(&b, refs[0].Folder, refs[0].UID)
	return b.String()
}

// listed returns the numbers of the mails.
func listed(t testing.TB, items []capture.Item) []int {
	t.Helper()
	var nums []int
	for _, item := range items {
		b, err := io.ReadAll(item.Raw)
		if err != nil {
			t.Fatal(err)
		}
		nums = append(nums, number(t, string(b)))
	}
	return nums
}

// flagged finds marked mails, and those that are marked later.
func flagged(t testing.TB, d *dovecot, src *imapsource.Source, keyword string) {
	t.Helper()
	cur := capture.Cursor{Folder: "INBOX"}
	defer d.s.Do(t, d.user, "SELECT INBOX", "UID STORE 1:* -FLAGS ("+keyword+")")
	for _, uid := range []uint32{2, 5, 3} {
		d.flag("INBOX", uid, keyword)
		r := scan(t, src, imapsource.ScanRequest{Cursor: cur, Keyword: keyword})
		if nums := r.numbers(t); !slices.Equal(nums, []int{int(uid)}) {
			t.Errorf("%s: mail %d was marked, and %v found", keyword, uid, nums)
		}
		cur = r.last(t)
	}
}

// TestMasks hides each capability alone, and all of them as Exchange does: everything is found just
// the same, also what changes meanwhile.
func TestMasks(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	plain := newDovecotUser(t, s)
	furnish(plain)
	want := everything(t, open(t, plain.config()))
	if strings.Count(want, "\n") != 6 || !strings.Contains(want, "Entwürfe=drafts [9] [9] [9] [9] [] [] false") {
		t.Fatalf("without a mask: %s", want)
	}
	masks := map[string]dovecottest.Mask{
		"all":   {Hide: dovecottest.All},
		"ascii": {Hide: dovecottest.All, ASCII: true},
		"gmail": {Hide: []string{"QRESYNC", "SORT", "THREAD", "BINARY"}, Labels: func(string, uint32) []string { return nil }},
	}
	for _, name := range []string{"CONDSTORE", "ESEARCH", "SPECIAL-USE", "LIST-EXTENDED", "LIST-STATUS", "MOVE", "UIDPLUS", "IDLE", "BINARY", "LITERAL+"} {
		masks["no "+name] = dovecottest.Mask{Hide: []string{name}}
	}
	for name, mask := range masks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDovecotUser(t, s)
			furnish(d)
			src, m := d.behind(t, mask, func(cfg *imapsource.Config) { cfg.Timeouts.Probe = 100 * time.Millisecond })
			if got := everything(t, src); got != want {
				t.Errorf("got\n%s\nwithout a mask\n%s", got, want)
			}
			flagged(t, d, src, "$Later")
			arrives(t, d, src)
			if name != "no IDLE" && !slices.Contains(mask.Hide, "IDLE") == (len(m.Commands("IDLE")) == 0) {
				t.Errorf("IDLE was used %d times", len(m.Commands("IDLE")))
			}
		})
	}
}

// arrives watches while a mail comes, and reads it from the cursor on.
func arrives(t *testing.T, d *dovecot, src *imapsource.Source) {
	t.Helper()
	cur := scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}}).last(t)
	ctx, cancel := context.WithCancel(t.Context())
	news := make(chan struct{}, 100)
	done := make(chan error, 1)
	go func() { done <- src.Watch(ctx, []string{"INBOX"}, func(string) { news <- struct{}{} }) }()
	<-news
	d.add("INBOX", mail(99))
	for deadline := time.After(20 * time.Second); ; {
		select {
		case <-news:
		case <-deadline:
			t.Fatal("no news of a mail that came")
		}
		r := scan(t, src, imapsource.ScanRequest{Cursor: cur})
		if nums := r.numbers(t); slices.Equal(nums, []int{99}) {
			break
		} else if len(nums) > 0 {
			t.Fatalf("got %v", nums)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("watch: %v", err)
	}
}

// TestCapabilitySets (F25) goes through all sets of six capabilities, missing or announced without
// being understood: the same mails are found with each.
func TestCapabilitySets(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	d := newDovecotUser(t, s)
	furnish(d)
	some := []string{"INBOX", "Kunden/Alpha"}
	want := everything(t, open(t, d.config()), some...)
	names := []string{"IDLE", "CONDSTORE", "QRESYNC", "UIDPLUS", "MOVE", "ESEARCH"}
	for set := range 1 << len(names) {
		var caps []string
		for i, name := range names {
			if set&(1<<i) != 0 {
				caps = append(caps, name)
			}
		}
		for kind, mask := range map[string]dovecottest.Mask{"missing": {Hide: caps}, "lying": {Claim: caps}} {
			src, _ := d.behind(t, mask)
			if got := everything(t, src, some...); got != want {
				t.Errorf("%s %v: got\n%s\nwant\n%s", kind, caps, got, want)
			}
			if kind == "lying" { // TestMasks does it with what is missing
				flagged(t, d, src, "$Later")
			}
			src.Close()
		}
	}
}

// TestGmail: labels come with header blocks and lists, decoded, with the one that the folder itself
// stands for; searches go in Gmail's own language.
func TestGmail(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	d := newDovecotUser(t, s)
	furnish(d)
	src, m := d.behind(t, dovecottest.Mask{Labels: func(folder string, uid uint32) []string {
		if uid == 2 {
			return []string{`\Important`, `"Kunde &APw-ber alles"`, "{4}\r\nwarm", "Kalt"}
		}
		return nil
	}})
	labels := map[string][]string{}
	sink := &heads{see: func(item capture.Item) {
		labels[fmt.Sprint(item.Ref.Folder, item.Ref.UID)] = item.Labels
	}}
	for _, folder := range []string{"INBOX", "Kunden/Alpha"} {
		req := imapsource.ScanRequest{Cursor: capture.Cursor{Folder: folder}, HeadersFirst: true}
		if err := src.Scan(t.Context(), req, sink); err != nil {
			t.Fatal(err)
		}
	}
	for place, want := range map[string][]string{
		"INBOX1": {`\Inbox`}, "INBOX2": {`\Important`, "Kunde über alles", "warm", "Kalt", `\Inbox`},
		"Kunden/Alpha1": {"Kunden/Alpha"}, "Kunden/Alpha2": {`\Important`, "Kunde über alles", "warm", "Kalt", "Kunden/Alpha"},
	} {
		if !slices.Equal(labels[place], want) {
			t.Errorf("%s: got %q, want %q", place, labels[place], want)
		}
	}
	if n := len(m.Commands("UID FETCH 1:6 (UID X-GM-LABELS)")); n != 1 {
		t.Errorf("labels were asked for by %d commands, and no structure: %q", n, m.Commands("UID FETCH"))
	}
	page, err := src.Page(t.Context(), imapsource.PageRequest{Folder: "INBOX", Search: `subject:"of mail 3" "x"`, Limit: 5})
	if err != nil || len(page.Items) != 0 || len(m.Commands(`UID SEARCH X-GM-RAW "subject:\"of mail 3\" \"x\""`)) != 1 {
		t.Errorf("got %v, %v by %q", page, err, m.Commands("UID SEARCH"))
	}
	page, err = src.Page(t.Context(), imapsource.PageRequest{Folder: "INBOX", Search: "of mail 4", Limit: 5})
	if err != nil || !slices.Equal(listed(t, page.Items), []int{4}) || page.Items[0].Labels == nil || page.Items[0].Files != 0 {
		t.Errorf("got %v, %v", page, err)
	}
	d.add("INBOX", []byte("Subject: mail 15\r\n\r\nStraße\r\n"))
	page, err = src.Page(t.Context(), imapsource.PageRequest{Folder: "INBOX", Search: "Straße", Limit: 5})
	if err != nil || !slices.Equal(listed(t, page.Items), []int{15}) {
		t.Errorf("got %v, %v by %q", page, err, m.Commands("UID SEARCH"))
	}
}

// TestDaysAllowance: from Gmail, headers come first and bodies for those mails alone that are
// wanted; when the day's share is used up, bodies wait while lists still work, and the fault says
// until when. The count goes on after a restart.
func TestDaysAllowance(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	d := newDovecotUser(t, s)
	const n, size = 60, 20_000
	s.AppendMany(t, d.user, "INBOX", n, func(i int) []byte { return sized(i+1, size) })
	now := time.Date(2026, 3, 2, 10, 30, 0, 0, time.UTC)
	gmail := dovecottest.Mask{Labels: func(string, uint32) []string { return nil }}
	limit := int64(200_000)
	setUp := func(cfg *imapsource.Config) {
		cfg.DayBytes = limit
		cfg.Now = func() time.Time { return now }
	}
	var told imapsource.Usage
	src, m := d.behind(t, gmail, setUp, func(cfg *imapsource.Config) { cfg.Received = func(u imapsource.Usage) { told = u } })
	few := &recorder{t: t, want: func(head string) bool { return number(t, head)%10 == 0 }}
	req := imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}, HeadersFirst: true}
	if err := src.Scan(t.Context(), req, few); err != nil {
		t.Fatal(err)
	}
	_, received := m.Bytes()
	if len(few.mails) != 6 || received > 7*size {
		t.Fatalf("%d bodies came with %d bytes", len(few.mails), received)
	}
	var used int64
	for _, bytes := range src.Usage() {
		used += bytes
	}
	if used != received {
		t.Errorf("%d bytes are counted of %d", used, received)
	}

	all := &recorder{t: t}
	req.Cursor = capture.Cursor{Folder: "INBOX"}
	var busy *fault.Error
	err := src.Scan(t.Context(), req, all)
	for !errors.As(err, &busy) && len(all.mails) < 4*n { // mails come in batches of many
		err = src.Scan(t.Context(), req, all)
	}
	wantCode(t, err, fault.MailBusy)
	if busy.After != 24*time.Hour+30*time.Minute {
		t.Errorf("wait for %v", busy.After)
	}
	src.Close()
	if fmt.Sprint(told) != fmt.Sprint(src.Usage()) {
		t.Errorf("told %v, received %v", told, src.Usage())
	}
	again, m := d.behind(t, gmail, setUp, func(cfg *imapsource.Config) { cfg.Used = told })
	wantCode(t, again.Scan(t.Context(), req, &recorder{t: t}), fault.MailBusy)
	if bodies := m.Commands("UID FETCH"); len(bodies) > 1 {
		t.Errorf("a restart gave the day's share back: %q", bodies)
	}
	limit = 1_000_000 // a fifth of it is more than a list costs
	restarted, m := d.behind(t, gmail, setUp, func(cfg *imapsource.Config) {
		cfg.Used = imapsource.Usage{now.Unix()/3600 - 30: 9e9, now.Unix()/3600 - 20: 900_000, now.Unix() / 3600: 150_000}
	})
	err = restarted.Scan(t.Context(), req, &recorder{t: t})
	wantCode(t, err, fault.MailBusy)
	errors.As(err, &busy)
	if busy.After != 4*time.Hour+30*time.Minute || len(m.Commands("UID FETCH")) == 0 {
		t.Errorf("wait for %v after %q", busy.After, m.Commands())
	}
	if items, err := restarted.List(t.Context(), "INBOX", "", 5); err != nil || len(items) != 5 {
		t.Errorf("list: %v", err)
	}
	now = now.Add(busy.After)
	if err := restarted.Scan(t.Context(), req, &recorder{t: t, want: func(h string) bool { return number(t, h) == 1 }}); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}
