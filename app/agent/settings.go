package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"hawser/app/config"
	"hawser/app/control"
	"hawser/app/text"
	"hawser/sync/fault"
)

// These are the values of a setting that is a switch.
const (
	switchOn  = "on"
	switchOff = "off"
)

// option is one setting: what it may be, and its key in config.json and policies ("" for none).
type option struct {
	key    string
	policy string
	values []string
}

// options are the settings, in the order of the page.
func options() []option {
	return []option{
		{control.SetStartAtLogin, "desktop.startAtLogin", []string{switchOn, switchOff}},
		{control.SetNotices, "desktop.notices", []string{switchOn, switchOff}},
		{control.SetLanguage, "", append([]string{""}, text.Languages()...)},
	}
}

func settingName(key string) string { return "option." + key }

// Settings implements control.Agent.
func (a *Agent) Settings(ctx context.Context) ([]control.Setting, error) {
	var all []control.Setting
	for _, o := range options() {
		s, err := a.setting(ctx, o)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (a *Agent) setting(ctx context.Context, o option) (control.Setting, error) {
	s := control.Setting{Key: o.key, Values: o.values, Origin: control.OriginDefault}
	settings := a.settings()
	if from, locked := settings.Origin(o.policy); o.policy != "" && from != config.FromDefault {
		s.Origin, s.Locked = string(from), locked
		if locked && from == config.FromCompany {
			s.By = a.board.shown.Status().Company.Name
		}
	}
	s.Value = preset(settings.Desktop, o.key)
	if s.Locked {
		return s, nil
	}
	own, found, err := a.db.Setting(ctx, settingName(o.key))
	if err != nil {
		return s, fmt.Errorf("read setting: %w", err)
	}
	if found {
		s.Value, s.Origin = own, control.OriginYou
	}
	if o.key == control.SetStartAtLogin && a.cfg.Autostart != nil { // what the system says is what is true
		state, err := a.cfg.Autostart.Get()
		if err != nil {
			return s, fault.New(fault.Internal, "read autostart", err)
		}
		s.Value = switchWord(state.On)
	}
	return s, nil
}

// obeyAutostart sets the switch "start at login" as the company locked it. What is not locked, is the
// person's own.
func (a *Agent) obeyAutostart() error {
	settings := a.settings()
	want := settings.Desktop.StartAtLogin
	if _, locked := settings.Origin("desktop.startAtLogin"); !locked || want == nil || a.cfg.Autostart == nil {
		return nil
	}
	state, err := a.cfg.Autostart.Get()
	if err != nil || state.On == *want {
		return err
	}
	return a.cfg.Autostart.Set(*want)
}

// preset returns a setting's value where the person said nothing.
func preset(d config.Desktop, key string) string {
	switch key {
	case control.SetStartAtLogin:
		return switchWord(d.StartAtLogin != nil && *d.StartAtLogin)
	case control.SetNotices:
		return switchWord(d.Notices == nil || *d.Notices)
	}
	return ""
}

func switchWord(set bool) string {
	if set {
		return switchOn
	}
	return switchOff
}

// Change implements control.Agent.
func (a *Agent) Change(ctx context.Context, key, value string) error {
	all := options()
	i := slices.IndexFunc(all, func(o option) bool { return o.key == key })
	if i < 0 {
		return fault.New(fault.NotFound, "change setting", nil)
	}
	s, err := a.setting(ctx, all[i])
	switch {
	case err != nil:
		return err
	case s.Locked:
		return fault.New(fault.Locked, "change setting", nil)
	case !slices.Contains(s.Values, value):
		return fault.New(fault.Usage, "change setting", errors.New("no such value"))
	}
	if key == control.SetStartAtLogin && a.cfg.Autostart != nil {
		if err := a.cfg.Autostart.Set(value == switchOn); err != nil {
			return fault.New(fault.Internal, "set autostart", err)
		}
	}
	if err := a.db.SaveSetting(ctx, settingName(key), value); err != nil {
		return fmt.Errorf("store setting: %w", err)
	}
	a.mu.Lock()
	allow := a.notices
	a.mu.Unlock()
	switch {
	case key == control.SetNotices && allow != nil:
		allow(value == switchOn)
	case key == control.SetLanguage:
		a.text.Speak(cmp.Or(value, a.cfg.Lang))
	}
	return nil
}

// recallLanguage speaks the language that the person chose.
func (a *Agent) recallLanguage(ctx context.Context) error {
	lang, found, err := a.db.Setting(ctx, settingName(control.SetLanguage))
	if err != nil {
		return fmt.Errorf("read language: %w", err)
	}
	if found && lang != "" {
		a.text.Speak(lang)
	}
	return nil
}

// allowNotices connects the switch of the notices, in its present position. A setting that cannot be
// read leaves them on: they may be about that.
func (a *Agent) allowNotices(ctx context.Context, allow func(bool)) {
	a.mu.Lock()
	a.notices = allow
	a.mu.Unlock()
	all := options()
	i := slices.IndexFunc(all, func(o option) bool { return o.key == control.SetNotices })
	s, err := a.setting(ctx, all[i])
	allow(err != nil || s.Value == switchOn)
}
