package config

import (
	"os"
	"path/filepath"
	"testing"
)

// TestK02FileOfAnybody: without the file nothing is managed; a file that others may write decides nothing.
func TestK02FileOfAnybody(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.json")
	if m, err := loadManaged(path); err != nil || m.enforced != nil {
		t.Errorf("no file: %+v, %v", m, err)
	}
	if err := os.WriteFile(path, []byte(itPolicy), 0o644); err != nil {
		t.Fatal(err)
	}
	if m, err := loadManaged(path); err != nil || string(m.enforced["capture.maxLevel"]) != `"subject"` {
		t.Errorf("%+v, %v", m, err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := loadManaged(path); !refusal(err, "others") {
		t.Errorf("a file of everybody: %v", err)
	}
	if _, err := loadManaged(filepath.Join(path, "below-a-file")); !refusal(err, "cannot be read") {
		t.Errorf("a file that cannot be read: %v", err)
	}
}
