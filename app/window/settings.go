package window

import (
	"context"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"hawser/app/control"
)

// settings is the page of what can be set beside the rules, with where each value comes from.
type settings struct {
	a       *app
	agent   *fyne.Container // what the agent can be set to
	aliases *fyne.Container
	all     fyne.CanvasObject
}

func newSettings(a *app) screen {
	s := &settings{a: a, agent: rows(gapSmall), aliases: rows(gapSmall)}
	s.all = page(a.t("window.page-settings"), a.t("window.settings-purpose"), rows(gap,
		card(rows(gapSmall, cardTitle(a.t("window.settings-general")), s.agent)),
		card(s.appearance()),
		card(rows(gapSmall, head(a.t("window.settings-aliases"), a.t("window.settings-aliases-body")), s.aliases)),
		card(s.forget()),
		card(s.accounts())))
	return s
}

func (s *settings) object() fyne.CanvasObject { return s.all }

// show implements screen.
func (s *settings) show(control.Status) {}

// opened implements opener.
func (s *settings) opened() {
	s.fetch()
	ask(s.a, func(ctx context.Context, g control.Agent) ([]control.Alias, error) { return g.Aliases(ctx) }, s.aliasesCame)
}

func (s *settings) fetch() {
	a := s.a
	ask(a, func(ctx context.Context, g control.Agent) ([]control.Setting, error) { return g.Settings(ctx) },
		func(list []control.Setting, err error) {
			a.keepFocus(s.agent, func() { s.draw(list, err) })
		})
}

func (s *settings) draw(list []control.Setting, err error) {
	s.agent.Objects = nil
	if err != nil {
		s.agent.Add(label(s.a.sorry(err)))
	}
	for i, one := range list {
		if i > 0 {
			s.agent.Add(widget.NewSeparator())
		}
		s.agent.Add(s.line(one))
	}
	s.agent.Refresh()
}

// line is one setting: its name, where its value comes from, and the means to change it.
func (s *settings) line(one control.Setting) fyne.CanvasObject {
	a := s.a
	words := rows(-10, label(a.settingName(one.Key)))
	from := caption(a.origin(one))
	if one.Locked {
		words.Add(bullet(glyphLock.in("disabled"), from))
	} else {
		words.Add(from)
	}
	if why := a.noFont(); why != "" && one.Key == control.SetLanguage {
		words.Add(caption(why))
	}
	change := func(v string) {
		if v != one.Value {
			s.choose(one.Key, v)
		}
	}
	var set fyne.CanvasObject
	switch {
	case slices.Equal(one.Values, []string{"on", "off"}):
		c := newCheck(a.t("window.on"), func(on bool) {
			change(map[bool]string{true: "on", false: "off"}[on])
		})
		c.Checked = one.Value == "on"
		if one.Locked {
			c.Disable()
		}
		set = c
	case len(one.Values) > 0:
		var names []string
		for _, v := range one.Values {
			names = append(names, a.valueName(one.Key, v))
		}
		c := newChoice(names, func(i int) { change(one.Values[i]) })
		c.pick(slices.Index(one.Values, one.Value))
		if one.Locked {
			c.Disable()
		}
		set = c
	default:
		e := newField("")
		e.Text = one.Value
		e.OnSubmitted = change
		if one.Locked {
			e.Disable()
		}
		set = container.NewGridWrap(fyne.NewSize(260*scale(), e.MinSize().Height), e)
	}
	return container.New(&flex{least: 240, front: true}, words, set)
}

// choose changes a setting.
func (s *settings) choose(key, v string) {
	a := s.a
	a.tell(func(ctx context.Context, g control.Agent) error { return g.Change(ctx, key, v) }, func() {
		if key == control.SetLanguage {
			a.speak(v)
		}
		s.fetch()
	})
}

func (a *app) settingName(key string) string {
	switch key {
	case control.SetStartAtLogin:
		return a.t("window.set-start-at-login")
	case control.SetNotices:
		return a.t("window.set-notices")
	case control.SetLanguage:
		return a.t("window.set-language")
	}
	return key
}

func (a *app) valueName(key, v string) string {
	if key != control.SetLanguage {
		return v
	}
	if v == "" {
		return a.t("window.language-system")
	}
	if !a.cfg.hasFont(v) {
		return scripts[v].name
	}
	if name, ok := map[string]string{"en": "English", "de": "Deutsch", "fr": "Français", "es": "Español", "ja": "日本語"}[v]; ok {
		return name
	}
	return v
}

// origin says where a value comes from.
func (a *app) origin(one control.Setting) string {
	switch {
	case one.Locked && one.By != "":
		return a.tf("window.origin-locked", map[string]any{"Company": oneLine(one.By)})
	case one.Origin == control.OriginIT && one.Locked:
		return a.t("window.origin-enforced")
	case one.Origin == control.OriginIT:
		return a.t("window.origin-computer")
	case one.Origin == control.OriginYou:
		return a.t("window.origin-you")
	case one.Origin == control.OriginCompany:
		return a.t("window.origin-company")
	case one.Origin == control.OriginFile:
		return a.t("window.origin-file")
	}
	return a.t("window.origin-default")
}

// appearance is what this window alone decides.
func (s *settings) appearance() fyne.CanvasObject {
	a := s.a
	shades := []string{"", shadeLight, shadeDark}
	shade := newChoice([]string{a.t("window.shade-system"), a.t("window.shade-light"), a.t("window.shade-dark")}, func(i int) {
		l := a.look
		l.Shade = shades[i]
		a.setLook(l)
	})
	shade.pick(max(0, slices.Index(shades, a.look.Shade)))
	contrasts := []string{"", contrastNormal, contrastHigh}
	contrast := newChoice([]string{a.t("window.shade-system"), a.t("window.contrast-normal"), a.t("window.contrast-high")}, func(i int) {
		l := a.look
		l.Contrast = contrasts[i]
		a.setLook(l)
	})
	contrast.pick(max(0, slices.Index(contrasts, a.look.Contrast)))
	var names []string
	at := 0
	for i, t := range textSteps {
		names = append(names, a.tf("window.percent", map[string]any{"Number": a.n(int(t*100 + 0.5))}))
		if a.look.Text >= t {
			at = i
		}
	}
	size := newChoice(names, func(i int) {
		l := a.look
		l.Text = textSteps[i]
		a.setLook(l)
	})
	size.pick(at)
	return rows(gapSmall, cardTitle(a.t("window.settings-look")), setting(a.t("window.settings-shade"), shade),
		setting(a.t("window.settings-contrast"), contrast), setting(a.t("window.settings-text"), size), caption(a.t("window.settings-text-keys")))
}

func (s *settings) aliasesCame(list []control.Alias, err error) {
	a := s.a
	s.aliases.Objects = nil
	if err != nil {
		s.aliases.Add(muted(a.sorry(err)))
	}
	for _, one := range list {
		c := newCheck(oneLine(one.Address), func(on bool) {
			a.tell(func(ctx context.Context, g control.Agent) error { return g.SetAlias(ctx, one.Address, on) }, nil)
		})
		c.Checked = one.On
		if one.Primary {
			c.Disable()
		}
		s.aliases.Add(container.New(&flex{least: 240, front: true}, c, muted0(a.t("alias.from-"+one.Source))))
	}
	s.aliases.Refresh()
}

// forget removes what this computer knows of an address.
func (s *settings) forget() fyne.CanvasObject {
	a := s.a
	field := newField(a.t("window.forget-hint"))
	answer := container.NewStack()
	do := func() {
		address := trimmed(field.Text)
		if address == "" {
			return
		}
		a.confirm(a.t("window.forget-head"), a.tf("window.forget-sure", map[string]any{"Address": oneLine(address)}), a.t("window.forget-do"), func() {
			ask(a, func(ctx context.Context, g control.Agent) (control.Forgotten, error) { return g.Forget(ctx, address) },
				func(f control.Forgotten, err error) {
					t, text := toneGood, a.tf("window.forget-done", map[string]any{"Count": f.Removed})
					if err != nil {
						t, text = toneError, a.sorry(err)
					}
					all := rows(-6, label(text))
					if len(f.Records) > 0 {
						all.Add(label(a.tf("window.forget-left", map[string]any{"Count": len(f.Records)})))
						all.Add(cols(0, newButton(a.t("window.forget-copy"), glyphCopy, func() { a.copy(recordLines(f.Records)) })))
					}
					answer.Objects = []fyne.CanvasObject{tinted(t, all)}
					answer.Refresh()
				})
		})
	}
	field.OnSubmitted = func(string) { do() }
	return rows(gapSmall, head(a.t("window.forget-head"), a.t("window.forget-body")), aligned(container.New(&flex{least: 240, front: true}, field, plain(a.t("window.forget-do"), do))), answer)
}

func recordLines(list []control.JournalItem) string {
	s := ""
	for _, l := range list {
		s += l.Object + " " + l.RecordID + " " + l.URL + "\n"
	}
	return s
}

// accounts is signing out and ending the use of this computer.
func (s *settings) accounts() fyne.CanvasObject {
	a := s.a
	out := func(side string) *button {
		return plain(a.t("window.signout-"+side), func() {
			a.confirm(a.t("window.signout-"+side), a.t("window.signout-body"), a.t("window.signout-do"), func() {
				a.tell(func(ctx context.Context, g control.Agent) error {
					_, err := g.SignOut(ctx, side, false)
					return err
				}, func() { a.shell.notify(toneGood, a.t("window.signout-done")) })
			})
		})
	}
	end := plain(a.t("window.unbind"), func() {
		a.confirm(a.t("window.unbind"), a.t("window.unbind-body"), a.t("window.unbind"), func() {
			a.tell(func(ctx context.Context, g control.Agent) error {
				_, err := g.Unbind(ctx)
				return err
			}, func() { a.left = false })
		})
	})
	return rows(gapSmall, head(a.t("window.accounts-head"), a.t("window.accounts-body")),
		aligned(buttons(out(sideMail), out(sideSalesforce), end)))
}
