package controltest

import (
	"context"
	"fmt"
	"io"

	"hawser/app/control"
	"hawser/sync/capture"
)

// Choosing is what the stand-in shows of capture and its rules.
type Choosing struct {
	Places     []capture.Folder           `json:"places"`
	Previews   map[string]control.Preview `json:"previews"` // by Ref
	Followed   []control.Thread           `json:"followed"`
	Remembered []control.Remembered       `json:"remembered"`
	Choices    control.Chosen             `json:"choices"`
	Reading    []control.DryRunStep       `json:"reading"`
	Tried      control.DryRun             `json:"tried"`
	Causes     map[string]control.Why     `json:"causes"` // by Ref or Message-ID
	Erased     control.Forgotten          `json:"erased"`
	Persons    []control.Record           `json:"persons"` // that FindRecords finds
	Options    []control.Setting          `json:"options"`
}

// Folders implements control.Agent.
func (a *Agent) Folders(_ context.Context) ([]capture.Folder, error) {
	return a.Places, a.told("folders", "folders")
}

// Preview implements control.Agent.
func (a *Agent) Preview(_ context.Context, ref string) (control.Preview, error) {
	return a.Previews[ref], a.told("preview", fmt.Sprint("preview", " ", ref))
}

// Answers implements control.Agent.
func (a *Agent) Answers(_ context.Context) ([]control.Remembered, error) {
	return a.Remembered, a.told("answers", "answers")
}

// ForgetAnswers implements control.Agent.
func (a *Agent) ForgetAnswers(_ context.Context, address string) error {
	return a.told("answers-forget", "answers-forget "+address)
}

// Threads implements control.Agent.
func (a *Agent) Threads(_ context.Context) ([]control.Thread, error) {
	return a.Followed, a.told("threads", "threads")
}

// StopThread implements control.Agent.
func (a *Agent) StopThread(_ context.Context, id int64) error {
	return a.told("thread-stop", fmt.Sprint("thread-stop", " ", id))
}

// Chosen implements control.Agent.
func (a *Agent) Chosen(_ context.Context) (control.Chosen, error) {
	return a.Choices, a.told("chosen", "chosen")
}

// Choose implements control.Agent.
func (a *Agent) Choose(_ context.Context, choices capture.Choices) error {
	if err := a.told("choose", "choose"); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.Choices.Choices = choices
	return nil
}

// Why implements control.Agent.
func (a *Agent) Why(_ context.Context, mail string) (control.Why, error) {
	return a.Causes[mail], a.told("why", fmt.Sprint("why", " ", mail))
}

// Answer implements control.Agent.
func (a *Agent) Answer(_ context.Context, id int64, answer control.Answer) error {
	return a.told("answer", fmt.Sprintf("answer %d %s %v", id, answer.Option, answer.Remember))
}

// FindRecords implements control.Agent.
func (a *Agent) FindRecords(_ context.Context, text string) ([]control.Record, error) {
	return a.Persons, a.told("find", fmt.Sprint("find ", text))
}

// Link implements control.Agent.
func (a *Agent) Link(_ context.Context, id int64, record string) error {
	return a.told("link", fmt.Sprint("link ", id, " ", record))
}

// SaveUnlinked implements control.Agent.
func (a *Agent) SaveUnlinked(_ context.Context, id int64) error {
	return a.told("unlinked", fmt.Sprint("unlinked", " ", id))
}

// Ignore implements control.Agent.
func (a *Agent) Ignore(_ context.Context, id int64, domain bool) error {
	return a.told("ignore", fmt.Sprint("ignore", " ", id, " ", domain))
}

// Unsave implements control.Agent.
func (a *Agent) Unsave(_ context.Context, id int64) error {
	return a.told("unsave", fmt.Sprint("unsave", " ", id))
}

// Forget implements control.Agent.
func (a *Agent) Forget(_ context.Context, address string) (control.Forgotten, error) {
	return a.Erased, a.told("forget", fmt.Sprint("forget", " ", address))
}

// Settings implements control.Agent.
func (a *Agent) Settings(_ context.Context) ([]control.Setting, error) {
	return a.Options, a.told("settings", "settings")
}

// Change implements control.Agent.
func (a *Agent) Change(_ context.Context, key, value string) error {
	return a.told("set", fmt.Sprint("set", " ", key, " ", value))
}

// Open implements control.Agent.
func (a *Agent) Open(_ context.Context, page string) error {
	return a.told("open", fmt.Sprint("open", " ", page))
}

// DryRun implements control.Agent.
func (a *Agent) DryRun(_ context.Context, q control.DryRunQuery, progress func(control.DryRunStep)) (control.DryRun, error) {
	if err := a.told("dry-run", fmt.Sprint("dry-run ", q.Days)); err != nil {
		return control.DryRun{}, err
	}
	for _, step := range a.Reading {
		progress(step)
	}
	return a.Tried, nil
}

// CaptureFile implements control.Agent.
func (a *Agent) CaptureFile(_ context.Context, mail io.Reader) (control.CaptureResult, error) {
	n, err := io.Copy(io.Discard, mail)
	if err != nil {
		return control.CaptureResult{}, err
	}
	return a.Result, a.told("file", fmt.Sprint("file ", n))
}
