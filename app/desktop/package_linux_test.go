package desktop

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files for packages anew")

// packaged is where the files lie that a package puts into folders of all users.
const packaged = "../../assets/installer/linux"

// TestFilesOfAPackage holds the files for packages to what the program writes for one user.
func TestFilesOfAPackage(t *testing.T) {
	t.Parallel()
	p := Place{Program: "/usr/bin/hawser", DataHome: "/usr/share", ConfigHome: "/etc/xdg"}
	files := map[string]string{"autostart.desktop": xdgAutostart{p}.text()}
	for path, content := range (launcher{p}).files() {
		switch filepath.Ext(path) {
		case ".desktop":
			files[ID+".desktop"] = content
		case ".service":
			files[ID+".service"] = content
		}
	}
	for name, want := range files {
		path := filepath.Join(packaged, name)
		if *update {
			must(t, os.WriteFile(path, []byte(want), 0o644))
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("%s differs (go test -update): %v", path, err)
		}
	}
	if len(files) != 3 || !strings.Contains(files[ID+".desktop"], "\nExec=/usr/bin/hawser open %u\n") {
		t.Errorf("files %v", files)
	}
}
