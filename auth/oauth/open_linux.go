package oauth

import "os/exec"

// opener is the program that shows a web page. xdg-open honours BROWSER of the environment.
func opener(url string) *exec.Cmd { return exec.Command("xdg-open", url) }
