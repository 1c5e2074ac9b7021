package logging

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNothingPersonalReachesTheLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hawser.log")
	var also bytes.Buffer
	log, file := New(Options{File: path, Also: &also})
	token := "00Dxx0000001gPL!AQEAQLg4r9l2jX0v3Zk1mWq8sT5uYbNc7dEfGhIj"
	log.Info("something happened", "err", errors.New("login of ann.smith@acme.example refused: "+token), "job", 7, "id", "<a.b@c.example>", "took", slog.AnyValue([]string{"bob@x.example"}))
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(raw), also.String()} {
		if strings.Contains(text, "acme.example") || strings.Contains(text, token) || strings.Contains(text, "c.example") || strings.Contains(text, "bob") {
			t.Errorf("the log tells: %s", text)
		}
		if !strings.Contains(text, "job=7") || !strings.Contains(text, "[address]") || !strings.Contains(text, "[token]") {
			t.Errorf("the log lost its use: %s", text)
		}
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("the log is open to others: %v", info.Mode())
	}
}
