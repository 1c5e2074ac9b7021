package site

import (
	"regexp"
	"strings"
)

// ending is a suffix of Salesforce's, from Salesforce Help "My Domain URL Formats".
type ending struct {
	suffix string
	kind   Kind
	hint   Hint // refused with it, when set
	org    bool // what stands before is the org's name
}

// endings is searched in order: a longer suffix stands before the one that it ends with.
var endings = []ending{
	{suffix: "lightning.force.com", hint: Lightning},
	{suffix: "lightning.crmforce.mil", hint: Lightning},
	{suffix: "my.salesforce-setup.com", hint: Lightning},
	{suffix: "salesforce-experience.com", hint: Builder},
	{suffix: "visual.force.com", hint: Visualforce},
	{suffix: "vf.force.com", hint: Visualforce},
	{suffix: "visualforce.com", hint: Visualforce},
	{suffix: "content.force.com", hint: Content},
	{suffix: "file.force.com", hint: Content},
	{suffix: "documentforce.com", hint: Content},

	{suffix: "my.salesforce.com", kind: MyDomain, org: true},
	{suffix: "my.salesforce.mil", kind: MyDomain, org: true},
	{suffix: "my.sfcrmproducts.cn", kind: MyDomain, org: true},
	{suffix: "my.site.com", kind: Experience, org: true},
	{suffix: "my.salesforce-sites.com", kind: Experience, org: true},
	{suffix: "live.siteforce.com", kind: Legacy},
	{suffix: "siteforce.com", kind: Legacy},
	{suffix: "secure.force.com", kind: Legacy},
	{suffix: "force.com", kind: Legacy},
	{suffix: "cloudforce.com", kind: Legacy},
}

var (
	// partition is the second part of hosts of sandboxes and other special orgs.
	partition = map[string]bool{
		"sandbox": true, "develop": true, "scratch": true, "demo": true, "patch": true, "trailblaze": true, "free": true,
	}
	instance = regexp.MustCompile(`^(?:na|eu|ap|um|cs|usa|ind|can|aus|gus|deu|fra|gbr|jpn|swe|bra|sgp|kor|che|ita)[0-9]+[a-z]?$`)
	orgLabel = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$`)
)

// classify says what a canonical host is, or refuses it.
func classify(host string) (Kind, error) {
	switch {
	case numeric(host):
		return 0, refuse(IPAddress)
	case strings.HasPrefix(host, "xn--"), strings.Contains(host, ".xn--"):
		return 0, refuse(NotASCII)
	case host == "login.salesforce.com", host == "test.salesforce.com":
		return Login, nil
	}
	for _, e := range endings {
		before, ok := strings.CutSuffix(host, "."+e.suffix)
		if !ok {
			continue
		}
		if e.hint != "" {
			return 0, refuse(e.hint)
		}
		return e.kind, checkName(before, e)
	}
	if before, ok := strings.CutSuffix(host, ".salesforce.com"); ok {
		if name, _, _ := strings.Cut(before, "."); instance.MatchString(name) || instance.MatchString(before[strings.LastIndexByte(before, '.')+1:]) {
			return 0, refuse(Instance)
		}
	}
	return 0, refuse(Foreign)
}

// checkName checks what stands before an ending.
func checkName(before string, e ending) error {
	labels := strings.Split(before, ".")
	for _, l := range labels {
		if !orgLabel.MatchString(l) {
			return refuse(NotAddress)
		}
	}
	switch {
	case e.suffix == "live.siteforce.com": // <custom domain>.<org id>.live.siteforce.com
		return nil
	case len(labels) == 1 && instance.MatchString(labels[0]):
		return refuse(Instance)
	case len(labels) == 1:
		return nil
	case len(labels) == 2 && (e.org && partition[labels[1]] || instance.MatchString(labels[1])):
		return nil
	}
	return refuse(Foreign)
}
