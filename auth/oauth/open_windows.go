package oauth

import (
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// opener is the program that shows a web page. It is named by its full path, so that none of the
// same name in the working directory runs, and no shell reads the address.
func opener(url string) *exec.Cmd {
	dir, err := windows.GetSystemDirectory()
	if err != nil {
		dir = `C:\Windows\System32`
	}
	return exec.Command(filepath.Join(dir, "rundll32.exe"), "url.dll,FileProtocolHandler", url)
}
