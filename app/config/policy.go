package config

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Policy is what a company wants, by key ("capture.folder"): presets that the user may change, but
// for those that are locked.
type Policy struct {
	Settings map[string]json.RawMessage
	Locked   []string
}

// layer is one source of settings: their JSON by key, "section.name".
type layer map[string]json.RawMessage

// flatten reads a configuration of sections into a layer. The text was checked before.
func flatten(raw []byte) layer {
	flat := layer{}
	var sections map[string]map[string]json.RawMessage
	if json.Unmarshal(raw, &sections) == nil {
		for section, keys := range sections {
			for key, value := range keys {
				flat[section+"."+key] = value
			}
		}
	}
	return flat
}

// nest writes a layer as a configuration of sections.
func (l layer) nest() ([]byte, error) {
	sections := map[string]map[string]json.RawMessage{}
	for name, value := range l {
		section, key, _ := strings.Cut(name, ".")
		if sections[section] == nil {
			sections[section] = map[string]json.RawMessage{}
		}
		sections[section][key] = value
	}
	return json.Marshal(sections)
}

// onlyHere are the keys that no policy sets: they name files of this computer, or the company whose
// policy it is.
var onlyHere = []string{"trust.caFile", "company.server", "company.key"}

// Under returns the settings in force under a policy: what is locked counts before config.json,
// all else of the policy after it. Ignored are the policy's keys that this program does not know
// or cannot use; the rest of the policy counts all the same.
func (c Config) Under(p Policy) (merged Config, ignored []string) {
	if len(p.Settings) == 0 {
		return c, nil
	}
	all := layer{}
	for _, key := range slices.Sorted(maps.Keys(p.Settings)) {
		if slices.Contains(onlyHere, key) || !usable(key, p.Settings[key]) {
			ignored = append(ignored, key)
			continue
		}
		if _, said := c.said[key]; !said || slices.Contains(p.Locked, key) {
			all[key] = p.Settings[key]
		}
	}
	for key, value := range c.said {
		if _, set := all[key]; !set {
			all[key] = value
		}
	}
	raw, err := all.nest()
	if err == nil {
		err = strict(raw, &merged)
	}
	if err != nil { // each part was read before, so the whole is
		return c, slices.Sorted(maps.Keys(p.Settings))
	}
	merged.said, merged.decided = c.said, map[string]bool{}
	for key := range p.Settings {
		if _, said := c.said[key]; !slices.Contains(ignored, key) && (!said || slices.Contains(p.Locked, key)) {
			merged.decided[key] = slices.Contains(p.Locked, key)
		}
	}
	merged.fill()
	return merged, ignored
}

// Origin says where the value of a key, such as "capture.folder", comes from.
type Origin string

const (
	FromDefault Origin = "default"
	FromFile    Origin = "file"
	FromCompany Origin = "company"
)

// Origin returns where a key's value comes from, and whether the user may not change it.
func (c Config) Origin(key string) (from Origin, locked bool) {
	if locked, ok := c.decided[key]; ok {
		return FromCompany, locked
	}
	if _, ok := c.said[key]; ok {
		return FromFile, false
	}
	return FromDefault, false
}

// usable reports whether a value alone is a setting that works.
func usable(key string, value json.RawMessage) bool {
	section, _, dotted := strings.Cut(key, ".")
	raw, err := layer{key: value}.nest()
	if err != nil || !dotted || section == "" {
		return false
	}
	one := Config{Company: Company{Server: "-"}} // which may say the other keys
	return strict(raw, &one) == nil && one.check() == nil
}
