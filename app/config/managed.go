package config

import (
	"bytes"
	"encoding/json"
	"slices"

	"hawser/sync/fault"
)

// Managed is what the administrators of this computer decided, by the keys of config.json: presets,
// and what is enforced. Company and deployment key may be among them, so that a computer joins before
// anybody has typed anything. The zero value decides nothing.
type Managed struct {
	enforced, preset layer
	ignored          []string // keys that this program does not know or cannot use
}

// levels are the two parts of a managed policy, each a configuration of sections.
type levels struct {
	Enforced map[string]map[string]any `json:"enforced" plist:"Enforced"`
	Preset   map[string]map[string]any `json:"preset" plist:"Preset"`
}

// manage makes a policy of what a system's own place for policies holds. A key with a typing mistake is
// left out and named; it does not take the others with it.
func (l levels) manage() Managed {
	var m Managed
	sort := func(sections map[string]map[string]any) layer {
		good := layer{}
		for section, keys := range sections {
			for name, value := range keys {
				key := section + "." + name
				if raw := fitting(key, value); raw != nil {
					good[key] = raw
				} else if !slices.Contains(m.ignored, key) {
					m.ignored = append(m.ignored, key)
				}
			}
		}
		return good
	}
	m.enforced, m.preset = sort(l.Enforced), sort(l.Preset)
	slices.Sort(m.ignored)
	return m
}

// fitting returns a value as the JSON that its key takes, nil where there is none. A registry has no
// switches and no lists of objects: there a switch is a number, and a list is JSON in a text.
func fitting(key string, value any) json.RawMessage {
	as := []any{value}
	switch v := value.(type) {
	case uint64:
		as = append(as, v != 0)
	case string:
		as = append(as, json.RawMessage(v))
	}
	for _, one := range as {
		if raw, err := json.Marshal(one); err == nil && usable(key, raw) {
			return raw
		}
	}
	return nil
}

// ParseManaged reads a policy in JSON, {"enforced": {...}, "preset": {...}}, each a configuration of
// sections. path is where it was found.
func ParseManaged(raw []byte, path string) (Managed, error) {
	var l levels
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return Managed{}, invalid(path + ": " + position(raw, err))
	}
	return l.manage(), nil
}

// unread refuses to go on without a policy that is there: Hawser would do what it forbids.
func unread(path string, err error) error {
	f := fault.New(fault.ConfigInvalid, "read policy", err)
	f.Detail = path + " cannot be read"
	return f
}
