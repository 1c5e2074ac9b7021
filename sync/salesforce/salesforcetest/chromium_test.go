package salesforcetest

import (
	"testing"
	"time"

	"hawser/auth/oauth/browsertest"
)

// TestChromium signs in and follows the page in a real browser: forms, redirects, policies and
// scripts are as a browser takes them.
func TestChromium(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, &Org{External: true}, SitePath)
	mail := fillPage(v.org)
	page := browsertest.Start(t).MustPage(v.authorizeURL())
	var refused string
	err := browsertest.Do(page, browsertest.Type("#username", DefaultUsername), browsertest.Type("#password", "wrong"), browsertest.Press("#login"),
		browsertest.Read("#error", &refused), browsertest.Type("#password", DefaultPassword), browsertest.Press("#login"), browsertest.Press("#approve"))
	if err != nil {
		t.Fatal(err)
	}
	select {
	case back := <-v.got:
		if status, m := v.redeem(back.Get("code")); status != 200 {
			t.Errorf("redeem: %v", m)
		}
	case <-time.After(browsertest.Patience):
		t.Fatal("the browser never came back")
	}

	page.MustNavigate(v.site[:len(v.site)-len(SitePath)] + "/_org/mails/" + mail)
	page.MustElement("#live:not([hidden])")
	v.org.Insert("EmailMessage", map[string]any{"Subject": "Just arrived", "Status": "3"})
	page.MustElementR(".rows a", "Just arrived").MustClick()
	page.MustElementR("#detail h1", "Just arrived")
	if n := page.MustEval("() => document.querySelectorAll('script').length").Int(); n != 1 {
		t.Errorf("%d scripts on the page, want its own", n)
	}
}
