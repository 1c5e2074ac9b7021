package agent_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"hawser/sync/salesforce/salesforcetest"
	"hawser/sync/sourcetest"
)

const (
	kills         = 200
	mailsPerRound = marked / kills
)

// TestTwoHundredKills marks 1,200 mails a few at a time and kills the agent with -9 at a random
// moment after each, while the org loses every seventh answer after doing the work: every mail
// becomes one record, and the numbers add up after each restart.
func TestTwoHundredKills(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a real Dovecot and two minutes")
	}
	t.Parallel()
	s := newScene(t, nil)
	s.user.start()
	s.signIn()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	lot := rand.New(rand.NewPCG(seed, 1))
	var mails [][]byte
	for raw := range sourcetest.Generate(11, marked) {
		mails = append(mails, raw)
	}
	s.org.Delay(10 * time.Millisecond)
	for round := range kills {
		for _, raw := range mails[round*mailsPerRound : (round+1)*mailsPerRound] {
			s.dovecot.Append(t, mailUser, "Salesforce", raw)
		}
		if round%7 == 0 {
			s.org.LoseReply(writes, 1)
		}
		time.Sleep(time.Duration(lot.Int64N(int64(250 * time.Millisecond))))
		s.user.kill()
		s.user.start()
		s.conserved(s.user.status())
	}
	s.org.Calm()
	s.await(marked, 2*time.Minute)
	s.exactlyOnce(marked)
}

// writes selects the calls that create something.
func writes(method, path string) bool {
	return method == "POST" && strings.Contains(path, "/composite")
}

// exactlyOnce checks that the org holds n e-mails, no two of one mail, with their sender's relation
// and their files once.
func (s *scene) exactlyOnce(n int) {
	s.t.Helper()
	if got := len(s.org.Records("EmailMessage")); got != n {
		s.t.Errorf("%d records of %d mails", got, n)
	}
	seen := map[string]bool{}
	for _, r := range s.org.Records("EmailMessage") {
		id := fmt.Sprint(r["MessageIdentifier"], r["Mail_Key__c"])
		if seen[id] {
			s.t.Errorf("two records of one mail")
		}
		seen[id] = true
	}
	senders := map[string]int{}
	for _, r := range s.org.Records("EmailMessageRelation") {
		if r["RelationType"] == "FromAddress" {
			senders[r["EmailMessageId"].(string)]++
		}
	}
	for id, count := range senders {
		if count != 1 {
			s.t.Errorf("%s has %d senders", id, count)
		}
	}
	for id, files := range s.filesByRecord() {
		sizes := map[string]bool{}
		for _, f := range files {
			sizes[string(f)] = true
		}
		if len(sizes) != len(files) {
			s.t.Errorf("%s has a file twice", id)
		}
	}
}

// TestReplyLostAfterEveryWrite loses the answer after each kind of write, once with an org that
// refuses doubles by itself and once with one that does not: one record, one sender, each file once.
func TestReplyLostAfterEveryWrite(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a real Dovecot")
	}
	for _, unique := range []bool{true, false} {
		t.Run(fmt.Sprintf("unique key %v", unique), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, func(o *salesforcetest.Org) { o.MailKey = unique })
			s.user.start()
			s.signIn()
			const n = 8
			for i := range n {
				s.org.LoseReply(writes, 1)
				s.dovecot.Append(t, mailUser, "Salesforce", sourcetest.NewMail(i*3+2, time.Now())) // with a file
				s.await(i+1, time.Minute)
			}
			s.exactlyOnce(n)
			for id, files := range s.filesByRecord() {
				if len(files) != 1 {
					t.Errorf("%s has %d files, want 1", id, len(files))
				}
			}
		})
	}
}

// TestRefreshLost loses the answer to a token refresh after the org has rotated the token: it
// costs one sign-in and no loop.
func TestRefreshLost(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a real Dovecot")
	}
	t.Parallel()
	s := newScene(t, nil)
	s.user.start()
	s.signIn()
	s.dovecot.Append(t, mailUser, "Salesforce", numbered(0))
	s.await(1, 20*time.Second)
	s.org.ExpireAccess()
	s.org.LoseTokenReply(1)
	s.dovecot.Append(t, mailUser, "Salesforce", numbered(1))
	waitFor(t, 30*time.Second, "the sign-in to be asked for", func() bool {
		st := s.user.status()
		return st.State == "needs-sign-in" && st.Which == "salesforce"
	})
	if st := s.user.status(); st.Counts.Waiting != 1 {
		t.Errorf("counts %+v, want one mail waiting", st.Counts)
	}
	if err := s.signInAs("salesforce", salesforcetest.DefaultUsername, salesforcetest.DefaultPassword); err != nil {
		t.Fatal(err)
	}
	s.await(2, 20*time.Second)
}
