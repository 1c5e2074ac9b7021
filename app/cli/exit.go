package cli

import (
	"context"
	"errors"
	"fmt"

	"hawser/app/control"
	"hawser/sync/fault"
)

// The exit codes are a promise to scripts: a number never changes its meaning.
const (
	exitOK          = 0
	exitInternal    = 1
	exitUsage       = 2
	exitNotRunning  = 3
	exitUser        = 4
	exitAdmin       = 5
	exitRetry       = 6
	exitPartial     = 7
	exitInterrupted = 130 // as shells report Ctrl-C
)

// exitTable is what "hawser help exit-codes" shows, with the id of each text.
var exitTable = []struct {
	code int
	id   string
}{
	{exitOK, "exit.ok"},
	{exitInternal, "exit.internal"},
	{exitUsage, "exit.usage"},
	{exitNotRunning, "exit.not-running"},
	{exitUser, "exit.user"},
	{exitAdmin, "exit.admin"},
	{exitRetry, "exit.retry"},
	{exitPartial, "exit.partial"},
	{exitInterrupted, "exit.interrupted"},
}

// errPartial ends a command that did, and has already said, only a part of what was asked.
var errPartial = errors.New("done in part")

// exitOf returns the exit code of a fault: four codes have their own, the class decides the rest.
func exitOf(code fault.Code) int {
	switch code {
	case fault.NotRunning:
		return exitNotRunning
	case fault.Usage, fault.NotFound:
		return exitUsage
	case fault.SignInCancelled:
		return exitInterrupted
	}
	switch code.Class() {
	case fault.User:
		return exitUser
	case fault.Admin:
		return exitAdmin
	case fault.Retry:
		return exitRetry
	case fault.Bug:
	}
	return exitInternal
}

// finish tells the person how the command ended, when that is not yet told, and returns the exit
// code.
func (a *app) finish(ctx context.Context, err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errPartial):
		return exitPartial
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(a.env.Stderr, a.t("cli.interrupted"))
		return exitInterrupted
	}
	f := fault.Of(err)
	code := exitOf(f.Code)
	a.printFault(f, code)
	return code
}

// faultJSON is what goes to standard error when a command with --json fails.
type faultJSON struct {
	Error faultBody `json:"error"`
}

type faultBody struct {
	Code   fault.Code `json:"code"`
	Title  string     `json:"title"`
	Body   string     `json:"body"`
	Fix    string     `json:"fix"`
	Detail string     `json:"detail,omitempty"`
	Exit   int        `json:"exit"`
	// Request is what an administrator has to know, where one has to act.
	Request *control.App `json:"request,omitempty"`
}

func (a *app) printFault(f *fault.Error, exit int) {
	title, body, fix := a.loc.Fault(f.Code)
	if a.again != "" {
		fix += "\n" + a.again
	}
	if a.json {
		_ = writeJSON(a.env.Stderr, faultJSON{faultBody{f.Code, title, body, fix, f.Detail, exit, a.request}}) // nobody is left to tell
		return
	}
	w := a.env.Stderr
	fmt.Fprintf(w, "%s (%s)\n", title, f.Code)
	switch {
	case a.names != "":
		fmt.Fprintln(w, a.names)
	case f.Detail != "":
		fmt.Fprintf(w, "%s %s\n", a.t("cli.detail"), clean(f.Detail))
	}
	fmt.Fprintf(w, "%s\n%s\n", body, fix)
	a.printRequest(f.Code)
}

// withDetail puts a fault's title and its own words, when it has any, on one line.
func (a *app) withDetail(title, detail string) string {
	if detail == "" {
		return title
	}
	return a.loc.T("cli.title-detail", map[string]any{"Title": title, "Detail": clean(detail)})
}
