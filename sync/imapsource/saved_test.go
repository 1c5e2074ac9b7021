package imapsource_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/imapsource"
	"hawser/sync/sourcetest/dovecottest"
)

// flagsOf returns the flags of the mails in a folder, by number.
func flagsOf(t testing.TB, src *imapsource.Source, folder string) map[int][]string {
	t.Helper()
	flags := map[int][]string{}
	for _, m := range scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: folder}}).mails {
		flags[number(t, m.raw)] = m.item.Flags
	}
	return flags
}

// TestMarkSaved sets the keyword on the mails that are named and still what they were, and on no other.
func TestMarkSaved(t *testing.T) {
	t.Parallel()
	const keyword, odd = "$Saved", "Kunden & \"Ümlaut\""
	s := dovecottest.Start(t, dovecottest.Config{})
	d := newDovecotUser(t, s)
	for i := 1; i <= 4; i++ {
		d.add("INBOX", mail(i))
	}
	d.add(`Kunden &- "&ANw-mlaut"`, mail(5))
	d.add("Old", mail(6))
	src, m := d.behind(t, dovecottest.Mask{})
	refs := []capture.Ref{{Folder: "Nowhere", Validity: 1, UID: 1}}
	for _, folder := range []string{"INBOX", odd, "Old"} {
		for _, got := range scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: folder}}).mails {
			if number(t, got.raw) != 2 {
				refs = append(refs, got.item.Ref)
			}
		}
	}
	d.remove("INBOX", 3)
	d.flag("INBOX", 4, `\Deleted`)
	d.renumber("Old")
	n, err := src.MarkSaved(t.Context(), refs, keyword)
	if err != nil || n != 3 {
		t.Errorf("%d mails, %v", n, err)
	}
	flags := flagsOf(t, src, "INBOX")
	if len(flags) != 3 || !slices.Contains(flags[1], keyword) || slices.Contains(flags[2], keyword) || !slices.Contains(flags[4], keyword) {
		t.Errorf("INBOX has %v", flags) // mail 4, which somebody marked as deleted, is still there
	}
	if flags := flagsOf(t, src, odd); !slices.Contains(flags[5], keyword) {
		t.Errorf("%s has %v", odd, flags)
	}
	if flags := flagsOf(t, src, "Old"); slices.Contains(flags[6], keyword) {
		t.Errorf("the renumbered folder has %v", flags)
	}
	opened := m.Commands("SELECT", "EXAMINE", "CLOSE", "UNSELECT", "EXPUNGE")
	for i, c := range opened {
		if strings.HasPrefix(c, "SELECT") && (i+1 == len(opened) || opened[i+1] != "EXAMINE"+strings.TrimPrefix(c, "SELECT")) {
			t.Errorf("%q was left open for writing: %q", c, opened)
		}
	}
	for _, bad := range []string{"", "a b", "x\r\ny", `\Seen`, "ä"} {
		if _, err := src.MarkSaved(t.Context(), refs, bad); !fault.Is(err, fault.ConfigInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestMarkSavedWhereItCannotBe: a folder that keeps no such keyword, or takes no writing, is left as it is.
func TestMarkSavedWhereItCannotBe(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]struct {
		lines []string
		ok    string
		code  fault.Code
	}{
		"no keywords":        {[]string{`* OK [PERMANENTFLAGS (\Seen \Flagged)] limited`, "* OK [UIDVALIDITY 7] ok"}, "OK [READ-WRITE] done", fault.MailboxReadOnly},
		"read-only":          {[]string{`* OK [PERMANENTFLAGS (\*)] all`, "* OK [UIDVALIDITY 7] ok"}, "OK [READ-ONLY] done", fault.MailboxReadOnly},
		"refused":            {nil, "NO [NOPERM] not yours", fault.MailboxReadOnly},
		"busy":               {nil, "NO [UNAVAILABLE] later", fault.MailBusy},
		"renumbered":         {[]string{"* OK [UIDVALIDITY 8] ok"}, "OK [READ-WRITE] done", ""},
		"no validity":        {[]string{`* OK [PERMANENTFLAGS (\*)] all`}, "OK done", ""},
		"that very one":      {[]string{`* OK [PERMANENTFLAGS (\Seen [Gmail]/odd $saved)] limited`, "* OK [UIDVALIDITY 7] ok"}, "OK done", "marked"},
		"nothing about them": {[]string{"* OK [UIDVALIDITY 7] ok"}, "OK [READ-WRITE] done", "marked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, 2)
			s.answer = func(c *talk, tag, command string) bool {
				switch {
				case strings.HasPrefix(command, "SELECT"):
					for _, line := range answer.lines {
						c.say("%s", line)
					}
					c.say("%s %s", tag, answer.ok)
				case strings.HasPrefix(command, "UID STORE"):
					c.say(`* 1 FETCH (UID 1 FLAGS ($Saved))`)
					c.say("%s OK stored", tag)
				default:
					return false
				}
				return true
			}
			src := s.start().source()
			n, err := src.MarkSaved(t.Context(), []capture.Ref{{Folder: "INBOX", Validity: 7, UID: 1}}, "$Saved")
			switch stored := s.saw("UID STORE 1 +FLAGS ($Saved)"); {
			case answer.code == "marked":
				if err != nil || n != 1 || stored != 1 {
					t.Errorf("%d, %v", n, err)
				}
			case answer.code == "":
				if err != nil || n != 0 || stored != 0 {
					t.Errorf("%d, %v", n, err)
				}
			default:
				wantCode(t, err, answer.code)
				if stored != 0 {
					t.Error("it was stored all the same")
				}
			}
			if items, err := src.List(t.Context(), "INBOX", "", 5); err != nil || len(items) != 2 || s.logins != 1 {
				t.Errorf("afterwards: %d, %v, %d sign-ins", len(items), err, s.logins)
			}
		})
	}
}

// TestNobodyFindsAFolderOpenForWriting: where the way back to reading is refused, the connection ends.
func TestNobodyFindsAFolderOpenForWriting(t *testing.T) {
	t.Parallel()
	s := newScript(t, 2)
	writing := false
	s.answer = func(c *talk, tag, command string) bool {
		switch {
		case strings.HasPrefix(command, "SELECT"):
			writing = true
			c.say("* OK [UIDVALIDITY 7] ok")
			c.say("%s OK [READ-WRITE] done", tag)
		case strings.HasPrefix(command, "EXAMINE") && writing:
			writing = false
			c.say("%s NO not now", tag)
		default:
			return false
		}
		return true
	}
	src := s.start().source()
	if _, err := src.MarkSaved(t.Context(), []capture.Ref{{Folder: "INBOX", Validity: 7, UID: 1}}, "$Saved"); err != nil {
		t.Error(err)
	}
	if items, err := src.List(t.Context(), "INBOX", "", 5); err != nil || len(items) != 2 || s.logins != 2 {
		t.Errorf("afterwards: %d, %v, %d sign-ins", len(items), err, s.logins)
	}
}

// TestReadingChangesNothing makes every other call: folders are only opened for reading, and no
// command changes a thing.
func TestReadingChangesNothing(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	d := newDovecotUser(t, s)
	furnish(d)
	d.flag("INBOX", 2, "$Later")
	src, m := d.behind(t, dovecottest.Mask{})
	everything(t, src)
	scan(t, src, imapsource.ScanRequest{Cursor: capture.Cursor{Folder: "INBOX"}, Keyword: "$Later", MaxSize: 100})
	refs, err := src.Find(t.Context(), "<m3@example.net>")
	if err != nil || len(refs) != 1 {
		t.Fatal(refs, err)
	}
	if err := src.Fetch(t.Context(), refs, &recorder{t: t}); err != nil {
		t.Fatal(err)
	}
	if _, err := src.Heads(t.Context(), refs); err != nil {
		t.Fatal(err)
	}
	if _, err := src.Count(t.Context(), "INBOX", time.Now()); err != nil {
		t.Fatal(err)
	}
	arrives(t, d, src)
	reading := []string{"AUTHENTICATE", "CAPABILITY", "LIST", "EXAMINE", "UID SEARCH", "SEARCH", "UID FETCH", "FETCH", "IDLE", "NOOP"}
	all, fine := m.Commands(), m.Commands(reading...)
	if len(all) != len(fine) || len(m.Commands("EXAMINE")) == 0 {
		t.Errorf("other commands than for reading: %q", all)
	}
	for _, c := range fine {
		if strings.Contains(c, "FETCH") && (strings.Contains(c, " BODY[") || strings.Contains(c, "RFC822)") || strings.Contains(c, "RFC822.TEXT")) {
			t.Errorf("%q marks mails as read", c)
		}
	}
	for n, flags := range flagsOf(t, src, "INBOX") {
		if slices.Contains(flags, `\Seen`) {
			t.Errorf("mail %d is read", n)
		}
	}
}
