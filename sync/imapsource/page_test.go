package imapsource_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"hawser/sync/imapsource"
	"hawser/sync/sourcetest/dovecottest"
)

// pages turns the pages of a folder to the end.
func pages(t testing.TB, src *imapsource.Source, req imapsource.PageRequest, between func()) (nums []int, turned int) {
	t.Helper()
	for {
		page, err := src.Page(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Items) > req.Limit {
			t.Errorf("%d of at most %d", len(page.Items), req.Limit)
		}
		nums = append(nums, listed(t, page.Items)...)
		turned++
		if req.Before = page.More; req.Before == 0 || turned == 50 {
			return nums, turned
		}
		if between != nil {
			between()
		}
	}
}

// TestPages: turning pages shows each mail once, newest first, while others come and go.
func TestPages(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	for name, mask := range map[string]dovecottest.Mask{"plain": {}, "exchange": {Hide: dovecottest.All}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDovecotUser(t, s)
			s.AppendMany(t, d.user, "INBOX", 25, func(i int) []byte {
				if i%5 == 4 {
					return fmt.Appendf(nil, "From: Eva <eva@example.net>\r\nSubject: mail %d\r\n\r\nquoted\r\n", i+1)
				}
				return mail(i + 1)
			})
			src, m := d.behind(t, mask)
			down := upTo(1, 25)
			slices.Reverse(down)
			all := imapsource.PageRequest{Folder: "INBOX", Limit: 10}
			if nums, turned := pages(t, src, all, nil); !slices.Equal(nums, down) || turned != 3 {
				t.Errorf("%d pages: %v", turned, nums)
			}
			all.Limit = 25
			if nums, turned := pages(t, src, all, nil); !slices.Equal(nums, down) || turned != 1 {
				t.Errorf("%d pages: %v", turned, nums)
			}
			if n := len(m.Commands("UID SEARCH ALL", "UID SEARCH UID 1:*")); n != 0 {
				t.Errorf("all mails were asked for: %q", m.Commands("UID SEARCH"))
			}
			nums, turned := pages(t, src, imapsource.PageRequest{Folder: "INBOX", Search: "EVA", Limit: 2}, nil)
			if !slices.Equal(nums, []int{25, 20, 15, 10, 5}) || turned != 3 {
				t.Errorf("of a sender: %d pages: %v", turned, nums)
			}
			nums, turned = pages(t, src, imapsource.PageRequest{Folder: "INBOX", Search: "quoted", Limit: 2}, nil)
			if !slices.Equal(nums, []int{25, 20, 15, 10, 5}) || turned != 3 {
				t.Errorf("in the text: %d pages: %v", turned, nums)
			}
			// What a sender's name has is not looked for in the text as well, on no page.
			d.add("Other", []byte("Subject: mail 1\r\n\r\nabout eva\r\n"))
			d.add("Other", []byte("From: Eva <eva@example.net>\r\nSubject: mail 2\r\n\r\nx\r\n"))
			page, err := src.Page(t.Context(), imapsource.PageRequest{Folder: "Other", Search: "eva", Before: 2, Limit: 2})
			if err != nil || len(page.Items) != 0 {
				t.Errorf("below the last of them: %v, %v", listed(t, page.Items), err)
			}
			// Each time a page is turned, the mail it began at is deleted, and another comes.
			n, at := 25, uint32(25)
			all.Limit = 5
			nums, _ = pages(t, src, all, func() {
				n++
				d.add("INBOX", mail(n))
				d.remove("INBOX", at-4)
				at -= 5
			})
			if !slices.Equal(nums, down) {
				t.Errorf("meanwhile: %v", nums)
			}
		})
	}
}

// TestSearchBeyondASCII: where the server refuses a character set, before or after it has taken the
// text, header blocks are looked through on this computer, and the page says so.
func TestSearchBeyondASCII(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	d := newDovecotUser(t, s)
	d.add("INBOX", []byte("From: =?utf-8?q?J=C3=BCrgen_Gro=C3=9F?= <j@example.net>\r\nSubject: mail 1\r\n\r\nx\r\n"))
	d.add("INBOX", []byte("From: a@example.net\r\nSubject: mail 2 =?iso-2022-jp?B?GyRCOCtAUSRiJGobKEI=?=\r\n\r\nx\r\n"))
	d.add("INBOX", []byte("From: a@example.net\r\nSubject: mail 3 =?utf-8?B?0J/RgNC40LLQtdGC?=\r\n\r\nx\r\n"))
	d.add("INBOX", []byte("From: a@example.net\r\nSubject: mail 4\r\n\r\nx\r\n"))
	for name, mask := range map[string]dovecottest.Mask{
		"utf-8": {}, "ascii": {ASCII: true}, "exchange": {ASCII: true, Hide: dovecottest.All},
	} {
		src, _ := d.behind(t, mask)
		for search, want := range map[string][]int{"JÜRGEN": {1}, "groß": {1}, "見積": {2}, "привет": {3}, "ü": {1}, "ž": nil} {
			page, err := src.Page(t.Context(), imapsource.PageRequest{Folder: "INBOX", Search: search, Limit: 5})
			if err != nil {
				t.Fatal(err)
			}
			if nums := listed(t, page.Items); !slices.Equal(nums, want) || page.More != 0 {
				t.Errorf("%s, %q: got %v, more from %d", name, search, nums, page.More)
			}
			if page.Partial != mask.ASCII {
				t.Errorf("%s, %q: partial %v", name, search, page.Partial)
			}
		}
		if page, err := src.Page(t.Context(), imapsource.PageRequest{Folder: "INBOX", Search: "mail 4", Limit: 5}); err != nil || len(page.Items) != 1 || page.Partial {
			t.Errorf("%s: %v, %v", name, page, err)
		}
	}

	early := newScript(t, 3)
	early.answer = func(c *talk, tag, command string) bool {
		if !strings.Contains(command, "CHARSET") {
			return false
		}
		c.say("%s NO [BADCHARSET (US-ASCII)] not supported", tag) // instead of asking for the text
		return true
	}
	src := early.start().source()
	page, err := src.Page(t.Context(), imapsource.PageRequest{Folder: "INBOX", Search: "ü", Limit: 5})
	if err != nil || len(page.Items) != 0 || !page.Partial || early.logins != 1 {
		t.Errorf("refused early: %v, %v after %d sign-ins", page, err, early.logins)
	}
}

// TestListEndsWithItsContext cancels a search at each command of it: it ends at once, and the next
// call works.
func TestListEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	d := newDovecotUser(t, s)
	furnish(d)
	for _, at := range []string{"EXAMINE", "UID SEARCH", "UID FETCH"} {
		ctx, cancel := context.WithCancel(t.Context())
		src, _ := d.behind(t, dovecottest.Mask{Before: func(command string) {
			if strings.HasPrefix(command, at) {
				cancel()
			}
		}})
		_, err := src.Page(ctx, imapsource.PageRequest{Folder: "INBOX", Search: "mail", Limit: 3})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("at %s: %v", at, err)
		}
		if items, err := src.List(t.Context(), "INBOX", "mail", 3); err != nil || len(items) != 3 {
			t.Errorf("after %s: %v", at, err)
		}
	}
}
