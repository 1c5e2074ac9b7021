package window

import (
	"context"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"hawser/app/control"
	"hawser/sync/fault"
)

// The two sides that a person signs in to.
const (
	sideSalesforce = "salesforce"
	sideMail       = "mail"
)

// forIT are the faults that an administrator mends, who has to know which app it is about.
var forIT = []fault.Code{fault.ConsentByAdmin, fault.AppBlocked, fault.AppUnknown, fault.ScopeMissing, fault.RedirectMismatch}

// signer runs a sign-in in the browser and shows how far it got.
type signer struct {
	a      *app
	side   string
	cancel context.CancelFunc // nil while none runs
	done   func()             // signed in
	link   string             // where an administrator approves
	all    *fyne.Container
}

func newSigner(a *app, side string, done func()) *signer {
	s := &signer{a: a, side: side, done: done, all: container.NewStack()}
	return s
}

func (s *signer) put(o fyne.CanvasObject) {
	s.all.Objects = []fyne.CanvasObject{o}
	s.all.Refresh()
}

// start opens the browser. One that runs is ended first, so that its tab is out of date.
func (s *signer) start() {
	s.stop()
	ctx, cancel := context.WithCancel(s.a.ctx)
	s.cancel, s.link = cancel, ""
	s.step(ctx, control.SignInStep{Step: "discovering"})
	ask(s.a, func(_ context.Context, g control.Agent) (struct{}, error) {
		return struct{}{}, g.SignIn(ctx, s.side, func(st control.SignInStep) { s.a.cfg.do(func() { s.step(ctx, st) }) })
	}, func(_ struct{}, err error) {
		if ctx.Err() != nil {
			return // given up, or replaced by a newer one
		}
		s.cancel = nil
		cancel()
		if err != nil {
			s.refused(faultOf(err))
			return
		}
		s.put(tinted(toneGood, bullet(toneGood.icon(), bold(s.a.t("signin.done")))))
		s.done()
	})
}

// stop ends a sign-in that runs.
func (s *signer) stop() {
	if s.cancel != nil {
		s.cancel()
		s.cancel = nil
	}
}

// step shows one line of progress, with the address for people whose browser did not open.
func (s *signer) step(ctx context.Context, st control.SignInStep) {
	if ctx.Err() != nil {
		return
	}
	a := s.a
	if st.Step == "approve" {
		s.link = st.URL
		return
	}
	if st.Step == "done" {
		return
	}
	words := rows(-4, label(a.t("signin."+st.Step)))
	if st.URL != "" {
		address := caption(st.URL)
		address.Wrapping = fyne.TextWrapBreak
		words.Add(address)
		words.Add(cols(0, quiet(a.t("window.copy-address"), func() { a.copy(st.URL) })))
	}
	s.put(tinted(toneBusy, rows(8, container.NewBorder(nil, nil, container.NewVBox(newTurn()), nil, words),
		aligned(buttons(plain(a.t("window.cancel"), func() {
			s.stop()
			s.put(rows(0))
		}))))))
}

// refused says why it did not work. What an administrator has to do can be copied for them.
func (s *signer) refused(f *fault.Error) {
	a := s.a
	if f.Code == fault.SignInCancelled || f.Code == fault.SignInOutdated {
		s.put(rows(0))
		return
	}
	title, body, fix := a.told(f)
	t := toneError
	if slices.Contains(forIT, f.Code) {
		t = toneWarning
	}
	acts := buttons(plain(a.t("window.again"), s.start))
	if slices.Contains(forIT, f.Code) {
		acts.Add(newButton(a.t("window.copy-request"), glyphCopy, func() { s.copyRequest(f) }))
	}
	s.put(tinted(t, container.NewBorder(nil, nil, lead(t.icon()), nil,
		rows(4, rows(-8, bold(title), label(body), label(fix)), aligned(acts)))))
}

// copyRequest puts what an administrator has to know into the clipboard.
func (s *signer) copyRequest(f *fault.Error) {
	a := s.a
	ask(a, func(ctx context.Context, g control.Agent) (control.App, error) { return g.App(ctx, s.side) },
		func(it control.App, err error) {
			if err != nil {
				a.shell.notify(toneError, a.sorry(err))
				return
			}
			if it.AdminLink == "" {
				it.AdminLink = s.link
			}
			a.copy(a.request(it, f.Code))
		})
}

// request is a message to an administrator.
func (a *app) request(it control.App, code fault.Code) string {
	title, more := a.whole(code)
	lines := []string{title, more, ""}
	add := func(id, value string) {
		if value != "" {
			lines = append(lines, a.tf("window.request-line", map[string]any{"Name": a.t(id), "Value": value}))
		}
	}
	add("it.app", it.ClientID)
	add("it.scopes", strings.Join(it.Scopes, " "))
	add("it.site", it.Site)
	add("it.callbacks", strings.Join(it.Callbacks, " "))
	add("it.link", it.AdminLink)
	add("it.fault", string(code))
	return strings.Join(lines, "\n")
}

// copy puts text into the clipboard and says so.
func (a *app) copy(s string) {
	a.fyne.Clipboard().SetContent(s)
	a.shell.notify(toneGood, a.t("window.copied"))
}

// signIn shows a sign-in over the page.
func (a *app) signIn(side string) {
	var s *signer
	s = newSigner(a, side, func() { a.shell.notify(toneGood, a.t("signin.done")) })
	a.sheet(a.t("window.do-signin-"+side), container.NewVScroll(rows(gap, muted(a.t("window.guide-"+side+"-body")), s.all)),
		plain(a.t("window.close"), func() { s.stop(); a.closeSheet() }))
	s.start()
}
