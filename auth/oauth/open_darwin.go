package oauth

import "os/exec"

// opener is the program that shows a web page.
func opener(url string) *exec.Cmd { return exec.Command("/usr/bin/open", "--", url) }
