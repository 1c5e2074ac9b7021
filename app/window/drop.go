package window

import (
	"context"
	"os"
	"strings"

	"fyne.io/fyne/v2"

	"hawser/app/control"
	"hawser/sync/fault"
)

// dropped takes files that were dragged onto the window.
func (a *app) dropped(_ fyne.Position, files []fyne.URI) {
	var paths []string
	for _, f := range files {
		if f.Scheme() == "file" {
			paths = append(paths, f.Path())
		}
	}
	if len(paths) > 0 {
		a.open(control.PageCapture)
		a.saveFiles(paths)
	}
}

// saveFiles saves the mails in files, and says what became of them.
func (a *app) saveFiles(paths []string) {
	a.shell.notify(toneBusy, a.tf("window.capture-busy", map[string]any{"Count": len(paths)}))
	ask(a, func(ctx context.Context, g control.Agent) (control.CaptureResult, error) {
		var sum control.CaptureResult
		for _, p := range paths {
			r, err := saveFile(ctx, g, p)
			if err != nil {
				return sum, err
			}
			sum.Queued, sum.Already, sum.Gone = sum.Queued+r.Queued, sum.Already+r.Already, sum.Gone+r.Gone
		}
		return sum, nil
	}, func(r control.CaptureResult, err error) {
		if err != nil {
			a.shell.notify(toneError, a.sorry(err))
			return
		}
		a.shell.notify(toneGood, a.resultText(r))
	})
}

func saveFile(ctx context.Context, g control.Agent, path string) (control.CaptureResult, error) {
	var none control.CaptureResult
	info, err := os.Stat(path)
	if err != nil || info.IsDir() || !isMailFile(path) {
		f := fault.New(fault.Usage, "open mail file", err)
		f.Detail = baseName(path)
		return none, f
	}
	if info.Size() > control.MaxMailFile {
		return none, fault.New(fault.MailTooLarge, "open mail file", nil)
	}
	file, err := os.Open(path)
	if err != nil {
		return none, fault.New(fault.Usage, "open mail file", err)
	}
	defer file.Close()
	return g.CaptureFile(ctx, file)
}

func baseName(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }
