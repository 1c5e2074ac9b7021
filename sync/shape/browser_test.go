package shape

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-rod/rod/lib/proto"

	"hawser/auth/oauth/browsertest"
	"hawser/sync/capture"
)

// TestA55BrowserAsksForNothing shows every hostile mail, made safe, in a real browser: it must load
// nothing, run nothing and go nowhere. One mail that was not made safe proves that it would be seen.
func TestA55BrowserAsksForNothing(t *testing.T) {
	t.Parallel()
	var mails []string
	for _, source := range hostile {
		m, _ := Cut(capture.Mail{HTML: source}, full())
		mails = append(mails, m.HTML)
	}
	control := strconv.Itoa(len(mails))
	mails = append(mails, `<img src=/seen onerror="alert('control')">`)

	var mu sync.Mutex
	var asked []string
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if name, ok := strings.CutPrefix(r.URL.Path, "/mail/"); ok {
			if i, err := strconv.Atoi(name); err == nil && i < len(mails) {
				fmt.Fprintf(w, "<!doctype html><script>window.alert = () => fetch('/alert/%d')</script><div>%s</div>", i, mails[i])
				return
			}
		}
		if r.URL.Path == "/" {
			for i := range mails {
				fmt.Fprintf(w, "<iframe src=/mail/%d></iframe>", i)
			}
			return
		}
		mu.Lock()
		asked = append(asked, r.URL.Path)
		mu.Unlock()
		http.NotFound(w, r)
	}))
	defer site.Close()

	page, err := browsertest.Start(t).Page(proto.TargetCreateTarget{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	page = page.Context(ctx)
	away := make(map[string]bool)
	wait := page.EachEvent(func(e *proto.NetworkRequestWillBeSent) {
		mu.Lock()
		defer mu.Unlock()
		if !strings.HasPrefix(e.Request.URL, site.URL) && !strings.HasPrefix(e.Request.URL, "about:") {
			away[e.Request.URL] = true
		}
	})
	ended := make(chan struct{})
	go func() { defer close(ended); wait() }()
	defer func() { cancel(); <-ended }()
	if err := page.Navigate(site.URL); err != nil {
		t.Fatal(err)
	}
	if err := page.Timeout(2 * browsertest.Patience).WaitLoad(); err != nil {
		t.Fatal(err)
	}
	seen := func(path string) bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Contains(asked, path)
	}
	for deadline := time.Now().Add(browsertest.Patience); !seen("/alert/"+control) && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(asked)
	asked = slices.DeleteFunc(asked, func(path string) bool { return path == "/favicon.ico" })
	if want := []string{"/alert/" + control, "/seen"}; !slices.Equal(asked, want) {
		t.Errorf("the browser asked for %q, want %q", asked, want)
	}
	if len(away) > 0 {
		t.Errorf("the browser asked elsewhere: %v", away)
	}
}
