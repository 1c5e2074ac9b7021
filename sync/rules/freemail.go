package rules

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed freemail.txt
var freeMailText string

// freeMailDomains returns the list that comes with the program.
var freeMailDomains = sync.OnceValue(func() list {
	var entries []string
	for line := range strings.Lines(freeMailText) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			entries = append(entries, line)
		}
	}
	return newList(entries)
})
