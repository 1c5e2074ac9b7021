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
			if got := Choose(c.h, people, own); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
	if got := (Order{User}).Choose(capture.Header{From: addrs("ann@acme.com"), To: addrs("bob@acme.com")}, people, nil); got.From == nil ||
		*got.From != annU || len(got.To) != 0 || !reflect.DeepEqual(got.ToOther, []string{"bob@acme.com"}) {
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
		l := Choose(h, people, own)
		if !reflect.DeepEqual(l, Choose(h, people, own)) {
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
