package rules_test

import (
	"encoding/json"
	"io/fs"
	"strings"
	"testing"

	"hawser/assets"
	"hawser/sync/rules"
)

// TestEveryReasonHasAText also finds texts of reasons that no longer exist.
func TestEveryReasonHasAText(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(assets.Translations, "translation/*/choice.json")
	if err != nil || len(files) < 2 {
		t.Fatalf("catalogues %q, %v", files, err)
	}
	for _, name := range files {
		raw, err := fs.ReadFile(assets.Translations, name)
		if err != nil {
			t.Fatal(err)
		}
		texts := map[string]any{}
		if err := json.Unmarshal(raw, &texts); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, r := range rules.Reasons {
			id := "reason." + string(r)
			if s, ok := texts[id].(string); !ok || !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "。") {
				t.Errorf("%s: %s = %v", name, id, texts[id])
			}
			delete(texts, id)
		}
		for id := range texts {
			if strings.HasPrefix(id, "reason.") {
				t.Errorf("%s: %s is no reason", name, id)
			}
		}
	}
}

// TestWhatRulesDecideTheyMayRethink: what a person or time decided stays.
func TestWhatRulesDecideTheyMayRethink(t *testing.T) {
	t.Parallel()
	stays := map[rules.Reason]bool{rules.SkippedByHand: true, rules.ExpiredUnmatched: true, rules.RemovedAgain: true, "": true, "skipped": true}
	for _, r := range append(rules.Reasons, "", "skipped") {
		if r.ByRules() == stays[r] {
			t.Errorf("%q: %v", r, r.ByRules())
		}
	}
}
