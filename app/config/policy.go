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

// onlyHere are the keys that no company's policy sets: they name files of this computer, or the
// company whose policy it is.
var onlyHere = []string{"trust.caFile", "company.server", "company.key"}

// Under returns the settings in force under a policy: what is locked counts before config.json, all
// else of the policy after it. What the computer's administrators enforce counts before both, what
// they preset after both. Ignored are the keys of either that this program does not know or cannot
// use; the rest counts all the same.
func (c Config) Under(p Policy) (merged Config, ignored []string) {
	if len(p.Settings) == 0 {
		return c, c.managed.ignored
	}
	locked, preset := layer{}, layer{}
	ignored = slices.Clone(c.managed.ignored)
	for _, key := range slices.Sorted(maps.Keys(p.Settings)) {
		switch {
		case slices.Contains(onlyHere, key) || !usable(key, p.Settings[key]):
			ignored = append(ignored, key)
		case slices.Contains(p.Locked, key):
			locked[key] = p.Settings[key]
		default:
			preset[key] = p.Settings[key]
		}
	}
	if merged, err := c.under(locked, preset); err == nil {
		return merged, ignored
	}
	return c, slices.Concat(c.managed.ignored, slices.Sorted(maps.Keys(p.Settings))) // each part was read before, so the whole is
}

// under puts all sources in the order in which they count. Each value was found usable.
func (c Config) under(locked, preset layer) (merged Config, err error) {
	all, places := layer{}, map[string]place{}
	for _, source := range []struct {
		place
		settings layer
	}{
		{place{FromComputer, true}, c.managed.enforced}, {place{FromCompany, true}, locked}, {place{FromFile, false}, c.said},
		{place{FromCompany, false}, preset}, {place{FromComputer, false}, c.managed.preset},
	} {
		for key, value := range source.settings {
			if _, set := all[key]; !set {
				all[key], places[key] = value, source.place
			}
		}
	}
	raw, err := all.nest()
	if err != nil {
		return Config{}, err
	}
	if err := strict(raw, &merged); err != nil {
		return Config{}, err
	}
	merged.said, merged.managed, merged.places = c.said, c.managed, places
	merged.fill()
	return merged, nil
}

// Origin says where the value of a key, such as "capture.folder", comes from.
type Origin string

const (
	FromDefault  Origin = "default"
	FromFile     Origin = "file"     // config.json
	FromCompany  Origin = "company"  // its signed policy
	FromComputer Origin = "computer" // its administrators
)

// place is where a value comes from.
type place struct {
	from   Origin
	locked bool
}

// Origin returns where a key's value comes from, and whether the user may not change it.
func (c Config) Origin(key string) (from Origin, locked bool) {
	if p, ok := c.places[key]; ok {
		return p.from, p.locked
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
