package imapsource_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hawser/sync/sourcetest/dovecottest"
)

// life is a mailbox to which things happen by chance.
type life struct {
	*dovecot
	rng     *rand.Rand
	folders []string
	next    int // number of the next mail
}

var messageIDs = regexp.MustCompile(`<m(\d+)@example\.net>`)

// there returns the numbers of the mails in a folder, as another client sees them.
func (l *life) there(folder string) []int {
	lines := l.s.Do(l.t, l.user, "EXAMINE "+folder, "UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
	var nums []int
	for _, found := range messageIDs.FindAllStringSubmatch(strings.Join(lines, "\n"), -1) {
		var n int
		_, _ = fmt.Sscan(found[1], &n)
		nums = append(nums, n)
	}
	return nums
}

func (l *life) folder() string { return l.folders[l.rng.IntN(len(l.folders))] }

// one lets one thing happen and returns what.
func (l *life) one() string {
	folder, other := l.folder(), l.folder()
	move := func(verb string) string {
		if n := len(l.there(folder)); n > 0 && folder != other {
			l.s.Do(l.t, l.user, "SELECT "+folder, fmt.Sprintf("%s %d %s", verb, 1+l.rng.IntN(n), other))
		}
		return fmt.Sprintf("%s from %s to %s", verb, folder, other)
	}
	switch l.rng.IntN(8) {
	case 0, 1, 2:
		l.add(folder, mail(l.next))
		l.next++
		return fmt.Sprintf("mail %d comes into %s", l.next-1, folder)
	case 3:
		return move("MOVE")
	case 4:
		return move("COPY")
	case 5:
		if n := len(l.there(folder)); n > 0 {
			l.s.Do(l.t, l.user, "SELECT "+folder, fmt.Sprintf(`STORE %d +FLAGS (\Deleted)`, 1+l.rng.IntN(n)), "EXPUNGE")
		}
		return "expunge in " + folder
	case 6:
		if folder != "INBOX" && len(l.there(folder)) > 0 {
			l.renumber(folder)
			return folder + " is renumbered"
		}
	case 7:
		if folder != "INBOX" {
			renamed := fmt.Sprintf("F%d", l.next)
			l.next++
			l.s.Do(l.t, l.user, "RENAME "+folder+" "+renamed)
			l.folders[slices.Index(l.folders, folder)] = renamed
			return folder + " becomes " + renamed
		}
	}
	return "nothing"
}

// TestRandomMailboxes: whatever order things happen in, between looks and in the middle of them, with
// restarts and whatever the server cannot do: after each look, all mails that another client sees
// are kept, each whole and none read twice.
func TestRandomMailboxes(t *testing.T) {
	t.Parallel()
	s := dovecottest.Start(t, dovecottest.Config{})
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			l := &life{dovecot: newDovecotUser(t, s), rng: rand.New(rand.NewPCG(seed, 7)), folders: []string{"INBOX", "A", "B"}, next: 1}
			l.s.Do(t, l.user, "CREATE A", "CREATE B")
			for ; l.next <= 6; l.next++ {
				l.add(l.folder(), mail(l.next))
			}
			mask := dovecottest.Mask{}
			if seed%2 == 1 {
				mask.Hide = dovecottest.All
			}
			var story []string
			meanwhile := 0
			mask.Before = func(command string) {
				if meanwhile > 0 && strings.HasPrefix(command, "UID ") {
					meanwhile--
					story = append(story, "during a look: "+l.one())
				}
			}
			src, _ := l.behind(t, mask)
			kept := newLedger(t)
			for range 15 {
				for range l.rng.IntN(4) {
					story = append(story, l.one())
				}
				if l.rng.IntN(4) == 0 {
					src.Close()
					src, _ = l.behind(t, mask)
					story = append(story, "restart")
				}
				meanwhile = l.rng.IntN(2)
				kept.look(src)
				meanwhile = 0
				kept.look(src)
				story = append(story, "look")
				for _, folder := range l.folders {
					for _, n := range l.there(folder) {
						if raw := kept.mails[fmt.Sprintf("<m%d@example.net>", n)]; raw != string(mail(n)) {
							t.Fatalf("mail %d in %s is not kept (%d bytes):\n%s", n, folder, len(raw), strings.Join(story, "\n"))
						}
					}
				}
			}
			if kept.twice > 0 || len(kept.mails) < 6 {
				t.Errorf("%d of %d were read twice:\n%s", kept.twice, len(kept.mails), strings.Join(story, "\n"))
			}
		})
	}
}
