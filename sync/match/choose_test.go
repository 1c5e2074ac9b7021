package match

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hawser/sync/capture"
)

func addrs(list ...string) []capture.Address {
	var out []capture.Address
	for _, a := range list {
		out = append(out, capture.Address{Addr: a})
	}
	return out
}

var (
	ann   = Candidate{Type: Contact, ID: "003000000000001AAA", Name: "Ann", AccountID: "001000000000001AAA"}
	annie = Candidate{Type: Contact, ID: "003000000000002AAA", Name: "Annie", AccountID: "001000000000002AAA"}
	annL  = Candidate{Type: Lead, ID: "00Q000000000001AAA", Name: "Ann"}
	annU  = Candidate{Type: User, ID: "005000000000001AAA", Name: "Ann"}
	bob   = Candidate{Type: Contact, ID: "003000000000003AAA", Name: "Bob", AccountID: "001000000000001AAA"}
	cyd   = Candidate{Type: Contact, ID: "003000000000004AAA", Name: "Cyd"}
	me    = Candidate{Type: User, ID: "005000000000009AAA", Name: "Me"}
	meC   = Candidate{Type: Contact, ID: "003000000000009AAA", Name: "Me", AccountID: "001000000000009AAA"}
)

// linksOnly leaves out why, which other tests look at.
func linksOnly(l Links) Links {
	l.Known, l.Matched, l.Ties = false, nil, nil
	return l
}

func TestChoose(t *testing.T) {
	t.Parallel()
	people := map[string][]Candidate{
		"ann@acme.com":  {annU, annL, ann, annie},
		"ann2@acme.com": {ann},
		"anl@acme.com":  {annU, annL},
		"annie@x.com":   {annie},
		"bob@acme.com":  {bob},
		"cyd@home.net":  {cyd},
		"me@corp.com":   {meC, me},
		"only@corp.com": {meC},
	}
	own := []string{"ME@corp.com", "only@corp.com"}
	for _, c := range []struct {
		name string
		h    capture.Header
		want Links
	}{
		{"nobody", capture.Header{}, Links{}},
		{"contact before lead before user", capture.Header{From: addrs("Ann@ACME.com ")}, Links{From: &ann, RelatedTo: ann.AccountID}},
		{"lead before user", capture.Header{From: addrs("anl@acme.com")}, Links{From: &annL}},
		{"own address is the user", capture.Header{From: addrs("me@corp.com")}, Links{From: &me}},
		{"own address without a user", capture.Header{From: addrs("only@corp.com")}, Links{From: &meC, RelatedTo: meC.AccountID}},
		{"sender stands in for an empty from", capture.Header{From: addrs(""), Sender: addrs("bob@acme.com")}, Links{From: &bob, RelatedTo: bob.AccountID}},
		{"same person once across lists", capture.Header{To: addrs("ann@acme.com", "ann2@acme.com"), Cc: addrs("ann@acme.com"), Bcc: addrs("bob@acme.com")},
			Links{To: []Candidate{ann}, Bcc: []Candidate{bob}, RelatedTo: ann.AccountID}},
		{"sender may also receive", capture.Header{From: addrs("ann@acme.com"), To: addrs("ann@acme.com")},
			Links{From: &ann, To: []Candidate{ann}, RelatedTo: ann.AccountID}},
		{"two accounts are none", capture.Header{From: addrs("ann@acme.com"), To: addrs("annie@x.com")},
			Links{From: &ann, To: []Candidate{annie}}},
		{"a contact without account does not disturb", capture.Header{From: addrs("ann@acme.com"), To: addrs("cyd@home.net")},
			Links{From: &ann, To: []Candidate{cyd}, RelatedTo: ann.AccountID}},
		{"strangers stay text, once", capture.Header{To: addrs("X@y.z", "x@Y.z", "undisclosed", ""), Cc: addrs("x@y.z", "k@y.z"), Bcc: addrs("b@y.z")},
			Links{ToOther: []string{"X@y.z", "undisclosed"}, CcOther: []string{"k@y.z"}, BccOther: []string{"b@y.z"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := linksOnly(Usual.Choose(c.h, people, own, nil)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
	if got := (Order{User}).Choose(capture.Header{From: addrs("ann@acme.com"), To: addrs("bob@acme.com")}, people, nil, nil); got.From == nil ||
		got.From.ID != annU.ID || len(got.To) != 0 || !reflect.DeepEqual(got.ToOther, []string{"bob@acme.com"}) {
		t.Errorf("order of users alone: %+v", got)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	h := capture.Header{
		From: addrs("Ann@Acme.com", "second@acme.com"),
		To:   addrs("ann@acme.com", "b@c", "no-at", "@x", "x@", "a b@c.de", "o'neil@c.de", "a\\b@c.de", "ü@exämple.de", strings.Repeat("a", 130)+"@x.de"),
		Cc:   addrs("b@c", "last@x.y"),
	}
	want := []string{"ann@acme.com", "b@c", "o'neil@c.de", "ü@exämple.de", "last@x.y"}
	if got := Addresses(h); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	var many []string
	for i := range 3000 {
		many = append(many, fmt.Sprintf("p%d@x.y", i))
	}
	if got := Addresses(capture.Header{From: addrs("s@x.y"), To: addrs(many...)}); len(got) != MaxAddresses || got[0] != "s@x.y" {
		t.Errorf("cap: %d addresses, first %q", len(got), got[0])
	}
}

// TestChooseHolds checks, for any mail and any candidates, what a record must never show:
// a person twice, an address both as person and as text, an account that is not everybody's.
func TestChooseHolds(t *testing.T) {
	t.Parallel()
	pool := []string{"a@x.de", "A@x.de", "b@x.de", "c@x.de", "me@x.de", "odd", "", " b@x.de "}
	cands := []Candidate{ann, annie, annL, annU, bob, cyd, me, meC}
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.SampledFrom(pool), 0, 6)
		h := capture.Header{
			From: addrs(list.Draw(t, "from")...), To: addrs(list.Draw(t, "to")...),
			Cc: addrs(list.Draw(t, "cc")...), Bcc: addrs(list.Draw(t, "bcc")...),
		}
		people := map[string][]Candidate{}
		for _, a := range []string{"a@x.de", "b@x.de", "me@x.de"} {
			people[a] = rapid.SliceOfN(rapid.SampledFrom(cands), 0, 4).Draw(t, a)
		}
		own := []string{"Me@x.de"}
		l := Usual.Choose(h, people, own, nil)
		if !reflect.DeepEqual(l, Usual.Choose(h, people, own, nil)) {
			t.Fatal("not deterministic")
		}
		checkLinks(t, l, h, people)
	})
}

func checkLinks(t *rapid.T, l Links, h capture.Header, people map[string][]Candidate) {
	ids, accounts, texts := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, c := range append(append(append([]Candidate{}, l.To...), l.Cc...), l.Bcc...) {
		if ids[c.ID] {
			t.Fatalf("%s twice", c.ID)
		}
		ids[c.ID] = true
		accounts[c.AccountID] = true
	}
	if l.From != nil {
		accounts[l.From.AccountID] = true
	}
	delete(accounts, "")
	for _, o := range append(append(append([]string{}, l.ToOther...), l.CcOther...), l.BccOther...) {
		k := normal(o)
		if texts[k] || k == "" || len(people[k]) > 0 {
			t.Fatalf("text %q: twice, empty or a person", o)
		}
		texts[k] = true
	}
	if want := len(accounts) == 1; want != (l.RelatedTo != "") || (want && !accounts[l.RelatedTo]) {
		t.Fatalf("related to %q of %v", l.RelatedTo, accounts)
	}
	for _, list := range [][]capture.Address{h.To, h.Cc, h.Bcc} {
		for _, a := range list {
			k := normal(a.Addr)
			if k != "" && len(people[k]) == 0 && !texts[k] {
				t.Fatalf("%q is lost", a.Addr)
			}
		}
	}
}

// TestE02TiesAndPicks: several records of the winning type are asked about once, an answer ends
// that, and the order decides which type wins.
func TestE02TiesAndPicks(t *testing.T) {
	t.Parallel()
	twoLeads := []Candidate{annL, {Type: Lead, ID: "00Q000000000002AAA", Name: "Ann again"}}
	people := map[string][]Candidate{
		"ann@acme.com": {annU, twoLeads[0], twoLeads[1], ann, annie}, "bob@acme.com": {bob}, "me@corp.com": {me, annU, meC},
	}
	h := capture.Header{From: addrs("ann@acme.com"), To: addrs("Ann@acme.com", "bob@acme.com", "me@corp.com")}
	pick := func(id string) Picks {
		return func(addr string) (string, bool) { return id, addr == "ann@acme.com" }
	}
	for _, c := range []struct {
		name  string
		order Order
		picks Picks
		from  string // "" for none
		tie   []Candidate
	}{
		{"usual", Usual, nil, ann.ID, []Candidate{ann, annie}},
		{"leads first", OrderOf([]string{"Lead", "nonsense", "Contact", "Lead"}), nil, annL.ID, twoLeads},
		{"users first", OrderOf([]string{"User", "Contact"}), nil, annU.ID, nil},
		{"no order is the usual one", OrderOf([]string{"x"}), nil, ann.ID, []Candidate{ann, annie}},
		{"picked", Usual, pick(annie.ID), annie.ID, nil},
		{"picked of another type", Usual, pick(annL.ID), annL.ID, nil},
		{"picked by a search", Usual, pick("003000000000077AAA"), "003000000000077AAA", nil},
		{"nobody picked", Usual, pick(""), "", nil},
		{"picked what is no person", Usual, pick("001000000000077AAA"), ann.ID, []Candidate{ann, annie}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := c.order.Choose(h, people, []string{"me@corp.com"}, c.picks)
			from := ""
			if l.From != nil {
				from = l.From.ID
			}
			var ties []Tie
			if c.tie != nil {
				ties = []Tie{{Address: "ann@acme.com", Candidates: c.tie}}
			}
			if from != c.from || !reflect.DeepEqual(l.Ties, ties) {
				t.Errorf("from %q, ties %+v", from, l.Ties)
			}
		})
	}
}

// TestE06Reasons: each address that has a record says which field of it matched.
func TestE06Reasons(t *testing.T) {
	t.Parallel()
	jane := Candidate{Type: Contact, ID: "003000000000005AAA", Field: "Contact.Email"}
	same := jane
	same.Field = "Contact.Work_Email__c"
	people := map[string][]Candidate{
		"jane@x.de": {jane}, "j@work.de": {same}, "me@corp.com": {{Type: User, ID: me.ID, Field: "User.Email"}}, "uwe@corp.com": {{Type: User, ID: "005000000000008AAA", Field: "User.Email"}},
	}
	for _, c := range []struct {
		h     capture.Header
		want  []Reason
		known bool
	}{
		{capture.Header{From: addrs("Jane@x.de"), To: addrs("me@corp.com"), Cc: addrs("j@work.de", "jane@x.de", "stranger@y.z")}, []Reason{
			{"jane@x.de", "Contact.Email", jane.ID}, {"me@corp.com", "User.Email", me.ID}, {"j@work.de", "Contact.Work_Email__c", jane.ID},
		}, true},
		{capture.Header{From: addrs("uwe@corp.com"), To: addrs("me@corp.com")}, []Reason{{"uwe@corp.com", "User.Email", "005000000000008AAA"}, {"me@corp.com", "User.Email", me.ID}}, false},
		{capture.Header{From: addrs("stranger@y.z")}, nil, false},
	} {
		l := Usual.Choose(c.h, people, []string{"me@corp.com"}, nil)
		if !reflect.DeepEqual(l.Matched, c.want) || l.Known != c.known {
			t.Errorf("matched %+v, known %v", l.Matched, l.Known)
		}
	}
	// A contact with the user's own address is the user, who does not make a mail known.
	if l := Usual.Choose(capture.Header{From: addrs("me@corp.com")}, map[string][]Candidate{"me@corp.com": {meC}}, []string{"me@corp.com"}, nil); l.Known {
		t.Error("the user alone makes a mail known")
	}
}

func TestOpenRecordsOfEverybodyOnce(t *testing.T) {
	t.Parallel()
	deal, issue := Record{Type: Opportunity, ID: "006000000000001AAA"}, Record{Type: Case, ID: "500000000000001AAA"}
	a, b := ann, bob
	a.Open, b.Open, b.More = []Record{deal}, []Record{deal, issue}, true
	people := map[string][]Candidate{"a@x.de": {a}, "b@x.de": {b}}
	l := Usual.Choose(capture.Header{From: addrs("a@x.de"), To: addrs("b@x.de")}, people, nil, nil)
	if open, more := l.Open(); !reflect.DeepEqual(open, []Record{deal, issue}) || !more {
		t.Errorf("got %+v, more %v", open, more)
	}
	l = Usual.Choose(capture.Header{To: addrs("a@x.de")}, people, nil, nil)
	if open, more := l.Open(); !reflect.DeepEqual(open, []Record{deal}) || more {
		t.Errorf("got %+v, more %v", open, more)
	}
}
