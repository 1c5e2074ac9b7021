package cli

import (
	"slices"
	"strconv"
	"strings"

	"hawser/app/control"
	"hawser/sync/capture"
)

// chosenRows writes what is captured by itself, and who decided it.
func (a *app) chosenRows(c control.Chosen) [][]string {
	automatic := a.t("rules.off")
	switch {
	case c.Company.Manual:
		automatic = a.t("rules.off-company")
	case c.Choices.Automatic:
		automatic = a.t("rules.on")
	}
	rows := [][]string{{a.t("rules.automatic"), automatic}, {a.t("rules.history"), a.loc.T("rules.days", map[string]any{"Count": c.Choices.Days})}}
	if len(c.Choices.Folders) > 0 {
		rows = append(rows, []string{a.t("rules.folders"), clean(strings.Join(c.Choices.Folders, ", "))})
	}
	rows = append(rows, []string{a.t("preview.level"), a.t("level." + string(c.Level))}, []string{a.t("rules.files"), a.t("files." + string(c.Choices.Content.Files))})
	for i, r := range slices.Concat(c.Company.Rules, c.Choices.Rules) {
		rows = append(rows, []string{a.loc.T("rules.number", map[string]any{"Number": strconv.Itoa(i + 1)}), a.ruleText(r, i < len(c.Company.Rules), c.Hits)})
	}
	for _, b := range c.Blocked {
		text := clean(b.Value) + " (" + a.t("rules.layer-"+b.Layer)
		if b.Locked {
			text += ", " + a.t("settings.locked")
		}
		rows = append(rows, []string{a.t("rules.blocked"), text + ")"})
	}
	return rows
}

// ruleText writes a rule on one line: its name or its conditions, and how many mails it decided.
func (a *app) ruleText(r capture.Rule, company bool, hits map[string]int) string {
	text := a.t("rules.action-" + string(r.Action))
	var what []string
	for _, list := range [][]string{r.From, r.To, r.With, r.Folders, r.Words, r.Records} {
		what = append(what, list...)
	}
	for _, k := range r.Kinds {
		what = append(what, a.t("reason.kind-"+string(k)))
	}
	if r.Known != nil {
		what = append(what, a.t("rules.known-"+strconv.FormatBool(*r.Known)))
	}
	switch {
	case r.Name != "":
		text += ": " + clean(r.Name)
	case len(what) > 0:
		text += ": " + clean(strings.Join(what, ", "))
	}
	if n, ok := hits[r.ID]; ok {
		text += "; " + a.loc.T("rules.hits", map[string]any{"Count": n})
	}
	if company {
		text += " (" + a.t("rules.layer-company") + ")"
	}
	if r.Off {
		text += " (" + a.t("rules.rule-off") + ")"
	}
	return text
}
