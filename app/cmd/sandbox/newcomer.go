package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"hawser/app/control"
	"hawser/sync/sourcetest"
)

// ours are the variables of the agent that a newcomer's browser has to have as its owner set them.
var ours = []string{"HOME", "BROWSER", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"}

// newcomersEnv is the agent's environment on the person's own desktop: another home folder, and the
// person's own browser.
func (w *world) newcomersEnv() []string {
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(ours, name)
	})
	return append(env, "HOME="+w.home, "BROWSER="+filepath.Join(w.home, "browser"), "XDG_RUNTIME_DIR="+filepath.Join(w.home, "run"))
}

// lendBrowser makes web pages of the agent's home folder open in the browser of the person's own,
// which goes on when the demo ends.
func (w *world) lendBrowser() error {
	if !w.fresh {
		return nil
	}
	script := "#!/bin/sh\n"
	for _, name := range ours {
		if value, ok := os.LookupEnv(name); ok {
			script += "export " + name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'\n"
		} else {
			script += "unset " + name + "\n"
		}
	}
	path := filepath.Join(w.home, "browser")
	entry := "[Desktop Entry]\nType=Application\nName=The browser of the demo\nNoDisplay=true\nExec=" + path + " %u\nMimeType=x-scheme-handler/http;x-scheme-handler/https;\n"
	defaults := "[Default Applications]\nx-scheme-handler/http=demo-browser.desktop\nx-scheme-handler/https=demo-browser.desktop\n"
	applications := filepath.Join(w.home, ".local", "share", "applications")
	return errors.Join(os.WriteFile(path, []byte(script+"exec setsid xdg-open \"$1\"\n"), 0o700), os.MkdirAll(applications, 0o700),
		os.WriteFile(filepath.Join(applications, "demo-browser.desktop"), []byte(entry), 0o600),
		os.WriteFile(filepath.Join(w.home, ".config", "mimeapps.list"), []byte(defaults), 0o600))
}

// unmarked is a mail of the demo before anybody had Hawser.
func unmarked(m sourcetest.DemoMail) sourcetest.DemoMail {
	m.Flags = slices.DeleteFunc(m.Flags, func(flag string) bool { return flag == sourcetest.CaptureKeyword })
	if m.Folder == sourcetest.CaptureFolder {
		m.Folder = "INBOX"
		letter, err := mail.ReadMessage(bytes.NewReader(m.Raw))
		if err == nil && strings.Contains(letter.Header.Get("From"), sourcetest.DemoUser) {
			m.Folder = "Sent"
		}
	}
	return m
}

// addDouble puts the first customer who writes into the org a second time, as happens in real ones:
// Hawser has to ask who is meant.
func (w *world) addDouble() {
	for _, p := range sourcetest.DemoPeople() {
		if first, last, _ := strings.Cut(p.Name, " "); p.Type == "Contact" {
			account := w.org.Insert("Account", map[string]any{"Name": p.Account + " (Service)"})
			w.org.Insert("Contact", map[string]any{"FirstName": first, "LastName": last, "Email": p.Email, "AccountId": account})
			return
		}
	}
}

// closeWindows ends what the agent has started and left behind, which is in the agent's process group,
// and waits for it: a window writes into the home folder as it ends.
func (w *world) closeWindows() {
	if !w.fresh {
		return
	}
	group := -w.proc.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM) // there may be none
	for end := time.Now().Add(5 * time.Second); syscall.Kill(group, 0) == nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			_ = syscall.Kill(group, syscall.SIGKILL)
			return
		}
	}
}

// firstDay shows the window to somebody new, and lets a customer write at each line of in, until ctx
// ends or the person quits.
func (w *world) firstDay(ctx context.Context, in io.Reader) error {
	link, err := w.server.Run("user", "code", company, companyUser, "--link")
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	c, err := w.client(waiting)
	if err != nil {
		return fmt.Errorf("%w%s", err, w.lastWords())
	}
	if err := c.Open(ctx, ""); err != nil {
		return fmt.Errorf("show the window: %w", err)
	}
	fmt.Printf("\n  This is your first day with Hawser. The window asks for the link that your company gave you:\n\n      %s\n\n", link)
	fmt.Printf("  At the login pages:      Salesforce: %s, password %s\n", orgUser, orgPassword)
	fmt.Printf("                           mailbox: %s, password %s\n", sourcetest.DemoUser, sourcetest.DemoPassword)
	w.tellWhere()
	fmt.Print("\n  The Return key lets a customer write. Quit in the tray's menu, or Ctrl-C, ends it all.\n\n")
	return w.follow(ctx, c, lines(in))
}

// follow prints what changes and lets mails arrive.
func (w *world) follow(ctx context.Context, c *control.Client, arrive <-chan struct{}) error {
	watching, stop := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() { _ = c.Watch(watching, tell()); close(told) }() // it ends with the agent, which is seen below
	defer func() { stop(); <-told }()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			fmt.Println("\n  Cleaning up.")
			return nil
		case <-w.exited:
			if w.proc.ProcessState.Success() {
				fmt.Println("\n  Hawser was quit. Cleaning up.")
				return nil
			}
			return errors.New("the agent ended" + w.lastWords())
		case _, ok := <-arrive:
			if !ok {
				arrive = nil // nobody is at the keyboard
				continue
			}
			w.mail.Deliver(sourcetest.NewMail(n, time.Now()))
			n++
		}
	}
}

// lines tells of each line that is read. Its goroutine ends with the program: a terminal cannot be
// made to stop waiting.
func lines(in io.Reader) <-chan struct{} {
	came := make(chan struct{})
	go func() {
		defer close(came)
		for s := bufio.NewScanner(in); s.Scan(); {
			came <- struct{}{}
		}
	}()
	return came
}
