package rules_test

import (
	"flag"
	"testing"

	"pgregory.net/rapid"

	"hawser/sync/rules"
	"hawser/sync/rules/rulestest"
)

// cases is how many random cases each property gets; a whole run takes 100000.
var cases = flag.Int("cases", 4000, "random cases of the rules")

// drawn calls check with random cases, at least n of them.
func drawn(t *testing.T, check func(*rapid.T, rulestest.Case)) {
	t.Helper()
	const each = 100 // rapid decides how often the outer draw is made
	for done := 0; done < *cases && !t.Failed(); done += each {
		rapid.Check(t, func(rt *rapid.T) { check(rt, rulestest.DrawCase(rt)) })
	}
}

// settled decides as the engine does: with more knowledge each time that more is asked for.
func settled(s *rules.Set, c rulestest.Case) rules.Decision {
	m := c.Message
	m.People, m.Body = nil, nil
	for {
		d := s.Decide(m, c.Mark, c.Followed)
		switch d.Verdict {
		case rules.Ask:
			m.People = c.Records(s)
		case rules.Read:
			m.Body = c.Message.Body
		default:
			return d
		}
	}
}

// TestTheRulesAreTheSpecification holds the decision against ten lines that say the same.
func TestTheRulesAreTheSpecification(t *testing.T) {
	t.Parallel()
	saved, total := 0, 0
	drawn(t, func(rt *rapid.T, c rulestest.Case) {
		total++
		d := settled(rules.Compile(c.Choices, c.Company, c.Own), c)
		if got, want := d.Verdict == rules.Save, rulestest.Saved(c); got != want {
			rt.Fatalf("decided %+v, the specification says saved=%v", d, want)
		}
		if d.Verdict == rules.Save {
			saved++
		}
	})
	if !t.Failed() && (saved < total/50 || saved > total*9/10) {
		t.Errorf("%d of %d cases are saved: the cases say too little", saved, total)
	}
}

// TestAskingChangesNothingElse: what is decided without asking is what would be decided with
// everything known, down to the reason; so the answer to "why not" never depends on what was looked up.
func TestAskingChangesNothingElse(t *testing.T) {
	t.Parallel()
	drawn(t, func(rt *rapid.T, c rulestest.Case) {
		s := rules.Compile(c.Choices, c.Company, c.Own)
		all := c.Message
		all.People = c.Records(s)
		if full, lazy := s.Decide(all, c.Mark, c.Followed), settled(s, c); full != lazy {
			rt.Fatalf("with everything known %+v, step by step %+v", full, lazy)
		}
	})
}

// TestDenyWinsWhereverItStands moves a deny rule through the list.
func TestDenyWinsWhereverItStands(t *testing.T) {
	t.Parallel()
	drawn(t, func(rt *rapid.T, c rulestest.Case) {
		rules1 := c.Choices.Rules
		first := settled(rules.Compile(c.Choices, c.Company, c.Own), c).Verdict
		c.Choices.Rules = rapid.Permutation(rules1).Draw(rt, "order")
		if again := settled(rules.Compile(c.Choices, c.Company, c.Own), c).Verdict; again != first {
			rt.Fatalf("%s in one order, %s in another", first, again)
		}
	})
}
