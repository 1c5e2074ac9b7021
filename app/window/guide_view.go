package window

import (
	"strings"

	"hawser/app/control"
)

// The steps of the first run, in their order.
const (
	stepCode       = "code"
	stepSalesforce = sideSalesforce
	stepMail       = sideMail
	stepWait       = "wait"
	stepChoose     = "choose"
	stepTry        = "try"
	stepDone       = "done"
)

var guideSteps = []string{stepCode, stepSalesforce, stepMail, stepWait, stepChoose, stepTry, stepDone}

// needsGuide reports whether this computer was never set up to the end. One that was signed out
// later is not set up again. A link that was opened is asked about in any case.
func needsGuide(s control.Status) bool {
	if s.Offer != "" {
		return true
	}
	switch s.Company.Stage {
	case control.StageSettingUp, control.StageSigningIn, control.StageJoining, control.StageWaiting:
		return true
	case control.StageRemoved, control.StageSuspended:
		return false
	}
	if s.State == control.NotEnrolled {
		return true
	}
	return s.State == control.NeedsSignIn && (fresh(s.Salesforce) || fresh(s.Mail))
}

// fresh reports whether nobody ever signed in on a side.
func fresh(s control.Side) bool { return !s.SignedIn && s.Bound == "" && s.LastSuccess.IsZero() }

// guideStep is where the first run stands. What the agent says decides alone, so that leaving and
// coming back, on whichever day, goes on where it was; after is the step that the person reached
// beyond that, in this window.
func guideStep(s control.Status, after string) string {
	switch {
	case s.Offer != "", s.State == control.NotEnrolled && s.Company.Stage == "":
		return stepCode
	case s.Company.Stage == control.StageSettingUp:
		return stepWait
	case !s.Salesforce.SignedIn:
		return stepSalesforce
	case !s.Mail.SignedIn:
		return stepMail
	case s.Company.Stage == control.StageJoining, s.Company.Stage == control.StageWaiting, s.Company.Stage == control.StageSigningIn:
		return stepWait
	case after == "":
		return stepChoose
	}
	return after
}

// siteKind tells a site of partners and customers from the login of employees, by its address.
func siteKind(site string) string {
	host := strings.ToLower(strings.TrimPrefix(site, "https://"))
	host, _, _ = strings.Cut(host, "/")
	switch {
	case strings.HasSuffix(host, ".salesforce.com"):
		return "employee"
	case host == "":
		return ""
	}
	return "site"
}

// trimSite is a site as people write it.
func trimSite(site string) string {
	return strings.TrimSuffix(strings.TrimPrefix(site, "https://"), "/")
}
