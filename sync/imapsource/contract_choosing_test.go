package imapsource_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/imapsource"
)

// contractChoosing is what the picker, the dry run and "why not saved" need.
func contractChoosing(t *testing.T, s server) {
	for i := 1; i <= 6; i++ {
		s.add("INBOX", mail(i))
	}
	s.add("INBOX", []byte("Subject: mail 7\r\nMessage-ID: <files@example.net>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"+
		"--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\nx\r\n--b--\r\n"))
	s.add("Salesforce", mail(3))
	src := open(t, s.config())

	if nums, turned := pages(t, src, imapsource.PageRequest{Folder: "INBOX", Limit: 3}, nil); !slices.Equal(nums, []int{7, 6, 5, 4, 3, 2, 1}) || turned != 3 {
		t.Errorf("%d pages: %v", turned, nums)
	}
	page, err := src.Page(t.Context(), imapsource.PageRequest{Folder: "INBOX", Search: "mail 7", Limit: 3})
	if err != nil || len(page.Items) != 1 || page.Items[0].Files != 1 || page.More != 0 {
		t.Errorf("got %+v, %v", page, err)
	}
	refs, err := src.Find(t.Context(), "<m3@example.net>")
	if err != nil || len(refs) != 2 {
		t.Fatalf("found %v, %v", refs, err)
	}
	items, err := src.Heads(t.Context(), refs)
	if err != nil || !slices.Equal(listed(t, items), []int{3, 3}) {
		t.Errorf("heads %v, %v", items, err)
	}
	for since, want := range map[time.Duration]int{-time.Hour: 7, time.Hour: 0, -9000 * time.Hour: 7} {
		at := time.Now().Add(since)
		if n, err := src.Count(t.Context(), "INBOX", at); err != nil || n != want {
			t.Errorf("%d mails, %v; want %d", n, err, want)
		}
		r := scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}, Since: at})
		if len(r.mails) != want || r.last(t).Next != 8 {
			t.Errorf("%d mails since %v, want %d", len(r.mails), at, want)
		}
	}
	n, err := src.MarkSaved(t.Context(), refs, "$Saved")
	if err != nil || n != 2 {
		t.Errorf("marked %d, %v", n, err)
	}
	marked := scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}, Keyword: "$Saved"})
	if nums := marked.numbers(t); !slices.Equal(nums, []int{3}) {
		t.Errorf("marked are %v", fmt.Sprint(nums))
	}
}
