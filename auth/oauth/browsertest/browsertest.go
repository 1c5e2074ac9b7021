// Package browsertest starts a real Chromium for tests and fills forms in it. Its border is the page: what a person
// is shown and what they type is the tests' own business. A browser serves one test at a time per page; Start ends it
// with the test.
package browsertest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/cdp"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/proto"
)

// Patience is how long an element may take to appear: a busy machine takes many seconds to start a page.
const Patience = time.Minute

// Start starts a browser with a new profile for the length of the test. Without Chromium the test is skipped, and
// fails where CI is true.
func Start(t testing.TB) *rod.Browser {
	t.Helper()
	bin, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is missing")
		}
		t.Skip("chromium is missing")
	}
	dir, err := os.MkdirTemp("", "chromium") // short: Chromium's socket lives in it
	if err != nil {
		t.Fatal(err)
	}
	l := launcher.New().Bin(bin).NoSandbox(true).Headless(true).Leakless(false).UserDataDir(dir).
		Env(append(os.Environ(), "TMPDIR="+dir)...). // what it leaves behind when it is killed
		Set("disable-gpu").Set("disable-quic").Set("no-first-run").Set("disable-component-update").
		Set("ignore-certificate-errors").
		Append("disable-features", "BackForwardCache") // a frozen page that the test still asks never answers
	address, err := l.Launch()
	if err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	t.Cleanup(func() {
		l.Kill()
		l.Cleanup() // waits for the process and removes the profile
	})
	b := rod.New().Context(t.Context()).ControlURL(address)
	if err := b.Connect(); err != nil {
		t.Fatalf("connect to chromium: %v", err)
	}
	return b
}

// Find waits for an element, also while the page is being replaced by the next one.
func Find(page *rod.Page, selector string) (*rod.Element, error) {
	for deadline := time.Now().Add(Patience); ; time.Sleep(20 * time.Millisecond) {
		e, err := page.Timeout(time.Until(deadline)).Element(selector)
		if err == nil {
			return e.CancelTimeout(), nil
		}
		if !left(err) || time.Now().After(deadline) {
			return nil, err
		}
	}
}

// Step is one thing that a person does on a page.
type Step func(*rod.Page) error

// Do takes steps until one fails.
func Do(page *rod.Page, steps ...Step) error {
	for _, step := range steps {
		if err := step(page); err != nil {
			return err
		}
	}
	return nil
}

// Type waits for a field and replaces what it holds.
func Type(selector, text string) Step {
	return on(selector, func(e *rod.Element) error { return errors.Join(e.SelectAllText(), e.Input(text)) })
}

// Press waits for a button or a link and clicks it.
func Press(selector string) Step { return on(selector, Click) }

// Read waits for an element and reads its text.
func Read(selector string, to *string) Step {
	return on(selector, func(e *rod.Element) (err error) { *to, err = e.Text(); return err })
}

func on(selector string, do func(*rod.Element) error) Step {
	return func(page *rod.Page) error {
		e, err := Find(page, selector)
		if err == nil {
			err = do(e)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", selector, err)
		}
		return nil
	}
}

// Click clicks an element. The page may be gone before Chromium has answered the click.
func Click(e *rod.Element) error {
	if _, err := e.WaitInteractable(); err != nil {
		return err
	}
	if err := e.Click(proto.InputMouseButtonLeft, 1); err != nil && !left(err) {
		return err
	}
	return nil
}

// left says whether Chromium broke off a question because the page went on to another address.
func left(err error) bool {
	var e *cdp.Error
	return errors.As(err, &e) && (e.Message == "Inspected target navigated or closed" || errors.Is(err, cdp.ErrCtxNotFound) || errors.Is(err, cdp.ErrCtxDestroyed))
}
