package window

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"hawser/app/control"
)

// about says which program this is, whom it talks to, and what it is made of.
type about struct {
	a        *app
	versions *widget.Label
	hosts    *fyne.Container
	all      fyne.CanvasObject
}

func newAbout(a *app) *about {
	b := &about{a: a, versions: label(""), hosts: rows(-8)}
	name := bold("Hawser")
	name.SizeName = theme.SizeNameHeadingText
	parts := buttons(
		newButton(a.t("window.about-copy"), glyphCopy, b.copy),
		plain(a.t("window.about-licences"), b.licences))
	b.all = rows(gap, container.NewBorder(nil, nil, picture(iconResource(), 64), nil, rows(-8, name, b.versions)),
		label(a.t("window.about-what")),
		rows(-6, cardTitle(a.t("window.about-hosts")), muted(a.t("window.about-hosts-body")), b.hosts),
		muted(a.t("window.about-licence")), aligned(parts))
	return b
}

// show lists the hosts of the status.
func (b *about) show(s control.Status) {
	a := b.a
	write(b.versions, a.tf("window.about-version", map[string]any{"Window": a.cfg.Version, "Agent": orDash(s.Version)}))
	b.hosts.Objects = nil
	for _, h := range hostsOf(s) {
		g := map[string]mark{"mail": glyphMail, "salesforce": glyphCloud, "company": glyphCompany}[h.kind]
		b.hosts.Add(bullet(g, label(h.name+" · "+a.t("window.home-"+h.kind))))
	}
	if len(b.hosts.Objects) == 0 {
		b.hosts.Add(label(a.t("window.about-no-hosts")))
	}
	b.hosts.Refresh()
}

type host struct{ kind, name string }

// hostsOf are those that the agent talks to.
func hostsOf(s control.Status) []host {
	var out []host
	for _, h := range []host{{"mail", s.Mail.Host}, {"salesforce", s.Salesforce.Host}, {"company", trimSite(s.Company.Server)}} {
		if h.name != "" {
			out = append(out, h)
		}
	}
	return out
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// copy puts what support needs into the clipboard: versions, states and codes, nobody's name.
func (b *about) copy() {
	b.a.copy(diagnostics(b.a.status, b.a.cfg.Version))
}

// diagnostics tells the state without a name, an address, a host or a subject.
func diagnostics(s control.Status, version string) string {
	lines := []string{
		fmt.Sprintf("hawser-window %s, hawser %s, %s/%s, %s", version, orDash(s.Version), runtime.GOOS, runtime.GOARCH, runtime.Version()),
		fmt.Sprintf("state %s %s %s since %s", s.State, s.Which, s.Why, s.Since.UTC().Format("2006-01-02T15:04:05Z")),
		fmt.Sprintf("company %s policy %d fault %s", s.Company.Stage, s.Company.Policy, s.Company.Fault),
	}
	for name, side := range map[string]control.Side{"mail": s.Mail, "salesforce": s.Salesforce} {
		lines = append(lines, fmt.Sprintf("%s signed in %t, last success %s, fault %s", name, side.SignedIn, side.LastSuccess.UTC().Format("2006-01-02T15:04:05Z"), side.Fault))
	}
	slices.Sort(lines[3:])
	c := s.Counts
	lines = append(lines,
		fmt.Sprintf("mails seen %d captured %d filtered %d held %d waiting %d needs-you %d", c.Seen, c.Captured, c.Filtered, c.Held, c.Waiting, c.NeedsYou),
		fmt.Sprintf("calls %d of %d, org %d of %d", s.Calls.Used, s.Calls.Budget, s.Calls.OrgUsed, s.Calls.OrgMax))
	for _, n := range s.Notes {
		lines = append(lines, "note "+string(n.Code))
	}
	return strings.Join(lines, "\n") + "\n"
}

// licences lists what the program is built from.
func (b *about) licences() {
	var list []string
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			list = append(list, d.Path+" "+d.Version)
		}
	}
	text := label(strings.Join(list, "\n"))
	b.a.sheet(b.a.t("window.about-licences"), container.NewVScroll(rows(0, muted(b.a.t("window.about-parts")), text)), plain(b.a.t("window.close"), b.a.closeSheet))
}
