package config

import (
	"errors"

	"golang.org/x/sys/windows/registry"
)

// managedKey is where group policies write; only administrators may. Below it are Enforced and Preset,
// below these a key for each section with its values.
const managedKey = `SOFTWARE\Policies\Hawser`

// LoadManaged reads the policy of this computer and of its user, the computer's first; none is no
// error.
func LoadManaged() (Managed, error) {
	var l levels
	for _, root := range []registry.Key{registry.LOCAL_MACHINE, registry.CURRENT_USER} {
		for name, into := range map[string]*map[string]map[string]any{"Enforced": &l.Enforced, "Preset": &l.Preset} {
			if err := readSections(root, managedKey+`\`+name, into); err != nil {
				return Managed{}, unread(managedKey, err)
			}
		}
	}
	return l.manage(), nil
}

// readSections adds what is below path and not there yet.
func readSections(root registry.Key, path string, into *map[string]map[string]any) error {
	sections, err := names(root, path, registry.Key.ReadSubKeyNames)
	if err != nil {
		return err
	}
	for _, section := range sections {
		values, err := names(root, path+`\`+section, registry.Key.ReadValueNames)
		if err != nil {
			return err
		}
		for _, name := range values {
			if *into == nil {
				*into = map[string]map[string]any{}
			}
			if (*into)[section] == nil {
				(*into)[section] = map[string]any{}
			}
			if _, set := (*into)[section][name]; set {
				continue
			}
			if (*into)[section][name], err = readValue(root, path+`\`+section, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func names(root registry.Key, path string, read func(registry.Key, int) ([]string, error)) (all []string, err error) {
	k, err := registry.OpenKey(root, path, registry.READ)
	if errors.Is(err, registry.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	return read(k, -1)
}

// readValue returns a text, a number or a list of texts; a value of another type is none of ours.
func readValue(root registry.Key, path, name string) (value any, err error) {
	k, err := registry.OpenKey(root, path, registry.QUERY_VALUE)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	switch _, kind, err := k.GetValue(name, nil); {
	case err != nil:
		return nil, err
	case kind == registry.DWORD || kind == registry.QWORD:
		value, _, err = k.GetIntegerValue(name)
		return value, err
	case kind == registry.MULTI_SZ:
		value, _, err = k.GetStringsValue(name)
		return value, err
	case kind == registry.SZ || kind == registry.EXPAND_SZ:
		value, _, err = k.GetStringValue(name)
		return value, err
	}
	return nil, nil
}
