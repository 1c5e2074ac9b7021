package desktop

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxEntry bounds a desktop entry that is read, bytes.
const maxEntry = 64 << 10

// entry is the main group of a desktop entry (freedesktop.org Desktop Entry Specification 1.5).
type entry map[string]string

// readEntry reads a file; one that does not exist is nil.
func readEntry(path string) (entry, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read desktop entry: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxEntry {
		return nil, fmt.Errorf("read desktop entry: %s is no such file", path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read desktop entry: %w", err)
	}
	e, main := entry{}, false
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			main = line == "[Desktop Entry]"
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if main && ok && !strings.HasPrefix(line, "#") {
			e[strings.TrimSpace(key)] = unescape(strings.TrimSpace(value))
		}
	}
	return e, nil
}

// program returns the path that the entry's Exec line starts, "" for none.
func (e entry) program() string {
	line := e["Exec"]
	if !strings.HasPrefix(line, `"`) {
		first, _, _ := strings.Cut(line, " ")
		return strings.ReplaceAll(first, "%%", "%")
	}
	var b strings.Builder
	for i := 1; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"':
			return strings.ReplaceAll(b.String(), "%%", "%")
		case c == '\\' && i+1 < len(line):
			i++
			b.WriteByte(line[i])
		default:
			b.WriteByte(c)
		}
	}
	return ""
}

// quote writes one word of an Exec line.
func quote(word string) string {
	word = strings.ReplaceAll(word, "%", "%%")
	if word != "" && !strings.ContainsAny(word, " \t\n\"'\\><~|&;$*?#()`") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", `$`, `\$`).Replace(word) + `"`
}

// escape writes a value of type string.
func escape(value string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(value)
}

func unescape(value string) string {
	return strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t", `\r`, "\r", `\s`, " ").Replace(value)
}

// list splits a value of several strings.
func list(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ';' })
}

// writeFile replaces a file at once, and makes its folder.
func writeFile(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".hawser-*")
	if err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	_, err = f.WriteString(content)
	if err == nil {
		err = f.Chmod(0o644) // desktops read these files under the same user, and some check
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the write error is the one to tell
		return fmt.Errorf("write file: %w", err)
	}
	return nil
}

// removeFile removes a file that may be gone already.
func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove file: %w", err)
	}
	return nil
}
