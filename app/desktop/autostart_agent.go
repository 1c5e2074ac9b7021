package desktop

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// agentAutostart is a launch agent of launchd (launchd.plist(5)).
type agentAutostart struct {
	place Place
	// disabled asks launchd whether the person turned the agent off in the settings; enable undoes it.
	disabled func() (bool, error)
	enable   func() error
}

func (a agentAutostart) path() string {
	return filepath.Join(a.place.Home, "Library", "LaunchAgents", ID+".plist")
}

// Get implements Autostart.
func (a agentAutostart) Get() (State, error) {
	program, off, err := readAgent(a.path())
	if err != nil || program == "" {
		return State{}, err
	}
	s := State{Program: program}
	if !off {
		if off, err = a.disabled(); err != nil {
			return State{}, err
		}
	}
	if off {
		return s, nil
	}
	s.Moved = !runnable(program)
	s.On = !s.Moved
	return s, nil
}

// Set implements Autostart.
func (a agentAutostart) Set(on bool) error {
	if !on {
		return removeFile(a.path())
	}
	var b strings.Builder
	b.WriteString(xml.Header + `<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>` + ID + `</string>
	<key>ProgramArguments</key>
	<array>
`)
	for _, word := range append([]string{a.place.Program}, loginArgs...) {
		b.WriteString("\t\t<string>")
		_ = xml.EscapeText(&b, []byte(word)) // a strings.Builder does not fail
		b.WriteString("</string>\n")
	}
	b.WriteString(`	</array>
	<key>RunAtLoad</key>
	<true/>
	<key>ProcessType</key>
	<string>Interactive</string>
</dict>
</plist>
`)
	if err := writeFile(a.path(), b.String()); err != nil {
		return err
	}
	return a.enable()
}

// Repair implements Autostart.
func (a agentAutostart) Repair() (bool, error) {
	s, err := a.Get()
	if err != nil || !s.Moved {
		return false, err
	}
	return true, a.Set(true)
}

// readAgent returns the program of a launch agent, "" for no file, and whether the file turns it off.
func readAgent(path string) (program string, off bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("read launch agent: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	d := xml.NewDecoder(io.LimitReader(f, maxEntry))
	key := ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return program, off, nil
		}
		if err != nil {
			return "", false, fmt.Errorf("read launch agent: %w", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "key", "string":
			var text string
			if err := d.DecodeElement(&text, &start); err != nil {
				return "", false, fmt.Errorf("read launch agent: %w", err)
			}
			if start.Name.Local == "key" {
				key = text
			} else if program == "" && (key == "ProgramArguments" || key == "Program") {
				program = text
			}
		case "true":
			off = off || key == "Disabled"
		}
	}
}
