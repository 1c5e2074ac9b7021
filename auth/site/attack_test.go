package site

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"hawser/sync/fault"
)

// refusesAll checks that each address is refused, with a hint for people and no site.
func refusesAll(t *testing.T, addresses ...string) {
	t.Helper()
	for _, in := range addresses {
		if s, err := Parse(in, Policy{}); !fault.Is(err, fault.SiteRefused) || HintOf(err) == "" || s.Base != "" {
			t.Errorf("%q becomes %q, %v", in, s.Base, err)
		}
	}
}

// TestFeatureA02Addresses: the four endings on label boundaries, and nothing that looks like them.
func TestFeatureA02Addresses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"acme.my.site.com": "https://acme.my.site.com", "acme.force.com/partners": "https://acme.force.com/partners",
		"acme.siteforce.com": "https://acme.siteforce.com", "acme.my.salesforce.com": "https://acme.my.salesforce.com",
	} {
		if s, err := Parse(in, Policy{}); err != nil || s.Base != want {
			t.Errorf("%s becomes %q, %v", in, s.Base, err)
		}
	}
	refusesAll(t, "evil-force.com", "my.site.com.evil.org", "https://force.com@evil.org", "http://acme.my.site.com", "https://127.0.0.1",
		"https://асme.my.site.com")
}

func TestA15LookAlikeEndings(t *testing.T) {
	t.Parallel()
	refusesAll(t, "https://evilsalesforce.com", "https://evil-my.salesforce.com", "https://my.salesforce.com.evil.com",
		"https://salesforce.com.evil.com", "https://acme.evilmy.site.com", "https://my.site.com", "https://my.salesforce.com")
}

func TestA16UserInfo(t *testing.T) {
	t.Parallel()
	refusesAll(t, "https://login.salesforce.com@evil.com/", `https://evil.com\@x.my.salesforce.com`, "https:evil.com", "https:///x.my.salesforce.com",
		"https://x@x.my.salesforce.com", "https://:@x.my.salesforce.com", "login.salesforce.com@evil.com", `https:\\x.my.salesforce.com`)
}

func TestA17OneHost(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"https://X.MY.SALESFORCE.COM", "https://x.my.salesforce.com.", "https://X.my.SalesForce.com.:443/"} {
		s, err := Parse(in, Policy{})
		if err != nil || s.Host != "x.my.salesforce.com" || s.Base != "https://x.my.salesforce.com" {
			t.Errorf("%s becomes %+v, %v", in, s, err)
		}
	}
}

func TestA18Ports(t *testing.T) {
	t.Parallel()
	for _, port := range []string{":8443", ":0", ":99999", ":+443", ":0443", ":443x", ":", ":80", ":-1"} {
		refusesAll(t, "https://x.my.salesforce.com"+port, "https://x.my.salesforce.com"+port+"/partners")
	}
	if s, err := Parse("https://x.my.salesforce.com:443", Policy{}); err != nil || s.Host != "x.my.salesforce.com" {
		t.Errorf("443 written out: %+v, %v", s, err)
	}
}

func TestA19Letters(t *testing.T) {
	t.Parallel()
	refusesAll(t, "https://х.my.salesforce.com", "https://ｍy.salesforce.com", "https://my。salesforce。com", "https://x\u200d.my.salesforce.com",
		"https://x\u00ad.my.salesforce.com", "https://xn--80ak6aa92e.my.salesforce.com", "https://x.my.xn--salesforce-abc.com")
}

func TestA20Shapes(t *testing.T) {
	t.Parallel()
	refusesAll(t, "http://x.my.salesforce.com", "https://x%2emy.salesforce.com", "https://x.my\t.salesforce.com", "https://x.my.sales\nforce.com",
		"https://x.my.salesforce.com;evil.com", "https://x..my.salesforce.com", "https://"+strings.Repeat("a", 300)+".my.salesforce.com",
		"https://acme.my.site.com/../x", "ftp://x.my.salesforce.com", "javascript:alert(1)", "file:///etc/passwd")
}

// TestA23Redirects: discovery follows a redirect to Salesforce's own hosts alone, never in the clear
// and not for ever.
func TestA23Redirects(t *testing.T) {
	t.Parallel()
	reached := make(chan string, 100)
	client := world(t, func(w http.ResponseWriter, r *http.Request) {
		reached <- r.Host
		switch r.Host {
		case "out.my.site.com":
			http.Redirect(w, r, "https://evil.example/", http.StatusFound)
		case "clear.my.site.com":
			http.Redirect(w, r, "http://clear.my.site.com/", http.StatusMovedPermanently)
		default:
			http.Redirect(w, r, r.URL.String()+"x", http.StatusTemporaryRedirect)
		}
	})
	for host, want := range map[string]fault.Code{"out": fault.SiteRefused, "clear": fault.SiteRefused, "loop": fault.NotTheServer} {
		s, err := Parse("https://"+host+".my.site.com", Policy{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Discover(t.Context(), s, client); !fault.Is(err, want) {
			t.Errorf("%s: %v, want %s", host, err, want)
		}
	}
	close(reached)
	hops := 0
	for host := range reached {
		if host == "loop.my.site.com" {
			hops++
		}
		if !strings.HasSuffix(host, ".my.site.com") {
			t.Errorf("%s was asked", host)
		}
	}
	if hops > 20 {
		t.Errorf("%d hops", hops)
	}
	at, err := Parse("https://acme.my.site.com", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"https://evil.example/", "http://acme.my.site.com/", "https://other.my.salesforce.com/", "https://other.my.site.com/"} {
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		if at.Trust(u) == nil {
			t.Errorf("a token of %s may go to %s", at.Base, to)
		}
	}
}
