package imapsource_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/imapsource"
	"hawser/sync/sourcetest/dovecottest"
)

// TestOddStructures: whatever a server answers when it is asked what mails hold, all mails come.
func TestOddStructures(t *testing.T) {
	t.Parallel()
	const one = `("TEXT" "PLAIN" NIL NIL NIL "7BIT" 12 1)`
	const two = `(` + one + `("APPLICATION" "PDF" NIL NIL NIL "BASE64" 12 NIL ("ATTACHMENT" NIL)) "MIXED")`
	all := func(c *talk, items string) {
		for uid := 1; uid <= 4; uid++ {
			c.say("* %d FETCH (UID %d %s)", uid, uid, items)
		}
	}
	for name, tt := range map[string]struct {
		answer func(c *talk, tag string)
		files  []int
		logins int
	}{
		"fine":          {func(c *talk, tag string) { all(c, "BODYSTRUCTURE "+two); c.say("%s OK done", tag) }, []int{1, 1, 1, 1}, 1},
		"refused":       {func(c *talk, tag string) { c.say("%s BAD what?", tag) }, []int{-1, -1, -1, -1}, 1},
		"nothing":       {func(c *talk, tag string) { c.say("%s OK done", tag) }, []int{-1, -1, -1, -1}, 1},
		"hangs up":      {func(c *talk, _ string) { c.hangUp() }, []int{-1, -1, -1, -1}, 2},
		"says nothing":  {func(*talk, string) {}, []int{-1, -1, -1, -1}, 2},
		"goodbye":       {func(c *talk, _ string) { c.say("* BYE bad request"); c.hangUp() }, []int{-1, -1, -1, -1}, 2},
		"another tag":   {func(c *talk, _ string) { c.say("WX999 OK done") }, []int{-1, -1, -1, -1}, 2},
		"asks for more": {func(c *talk, tag string) { c.say("+ go on"); c.say("+ go on"); c.say("%s OK done", tag) }, []int{-1, -1, -1, -1}, 1},
		"cut off": {func(c *talk, tag string) {
			c.say("* 1 FETCH (UID 1 BODYSTRUCTURE %s)", two)
			c.say("* 2 FETCH (UID 2 BODYSTRUCTURE (%s", one)
			c.say("* 3 FETCH (UID 3 BODYSTRUCTURE {%d}\r\n%s)", len(two), two)
			c.say("* 4 FETCH (BODYSTRUCTURE %s UID 4 MODSEQ (7))", one)
			c.say("%s OK done", tag)
		}, []int{1, -1, -1, 0}, 1},
		"other mails, unknown answers": {func(c *talk, tag string) {
			c.say("* 9 FETCH (UID 9 BODYSTRUCTURE %s)", two)
			c.say("* VANISHED 77")
			c.say("* 5 EXISTS")
			c.say("* 2 FETCH (UID 2 FLAGS (\\Seen))")
			c.say("* 2 FETCH (UID 2 X-ODD {3}\r\n)\r\n BODYSTRUCTURE %s)", two)
			c.say("%s OK done", tag)
		}, []int{-1, 1, -1, -1}, 1},
		"very long": {func(c *talk, tag string) {
			c.say("* 1 FETCH (UID 1 BODYSTRUCTURE (%s %q))", one, strings.Repeat("x", 3<<20))
			c.say("* 2 FETCH (UID 2 BODYSTRUCTURE %s)", two)
			c.say("%s OK done", tag)
		}, []int{-1, 1, -1, -1}, 1},
		"very deep": {func(c *talk, tag string) {
			c.say("* 1 FETCH (UID 1 BODYSTRUCTURE %s%s)", strings.Repeat("(", 100_000), strings.Repeat(")", 100_000))
			c.say("* 2 FETCH (UID 2 BODYSTRUCTURE %s)", two)
			c.say("%s OK done", tag)
		}, []int{-1, 1, -1, -1}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, 4)
			s.answer = func(c *talk, tag, command string) bool {
				if !strings.Contains(command, "BODYSTRUCTURE") {
					return false
				}
				tt.answer(c, tag)
				return true
			}
			src := s.start().source(func(cfg *imapsource.Config) { cfg.Timeouts.Command = 5 * time.Second })
			var files []int
			r := &recorder{t: t}
			sink := &choosy{recorder: r, see: func(item capture.Item) { files = append(files, item.Files) }}
			req := imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}, HeadersFirst: true, Structure: true}
			if err := src.Scan(t.Context(), req, sink); err != nil {
				t.Fatal(err)
			}
			if nums := r.numbers(t); !slices.Equal(nums, upTo(1, 4)) || !slices.Equal(files, tt.files) || s.logins > tt.logins {
				t.Errorf("got mails %v with attachments %v after %d sign-ins", nums, files, s.logins)
			}
			if items, err := src.List(t.Context(), "INBOX", "", 4); err != nil || len(items) != 4 {
				t.Errorf("list: %d, %v", len(items), err)
			}
		})
	}
}

// choosy is a recorder that sees header blocks, too.
type choosy struct {
	*recorder
	see func(item capture.Item)
}

func (c *choosy) Wanted(_ context.Context, heads []capture.Item) ([]bool, error) {
	for _, item := range heads {
		c.see(item)
	}
	return slices.Repeat([]bool{true}, len(heads)), nil
}

// TestOnlyTheChosenFolderIsRead (D04): a folder that nobody asked for is not even opened, and that
// holds for the next start.
func TestOnlyTheChosenFolderIsRead(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	d := newDovecotUser(t, s)
	s.AppendMany(t, d.user, "INBOX", 500, mail)
	d.add("Kunden/Alpha", mail(501))
	cur := capture.Cursor{Folder: "Kunden/Alpha"}
	for range 2 {
		src, m := d.behind(t, dovecottest.Mask{})
		r := scan(t, src, imapsource.ScanRequest{Cursor: cur, HeadersFirst: true})
		if len(r.mails) > 0 {
			cur = r.last(t)
		}
		if opened := m.Commands("EXAMINE", "SELECT", "STATUS"); len(opened) != 1 || !strings.Contains(opened[0], "Kunden/Alpha") {
			t.Errorf("opened are %q", opened)
		}
		if _, received := m.Bytes(); received > 4000 {
			t.Errorf("%d bytes were received", received)
		}
	}
	if cur.Next != 2 {
		t.Errorf("the cursor is %v", fmt.Sprint(cur))
	}
}
