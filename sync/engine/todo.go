package engine

import (
	"slices"
	"sync"
)

// todo is the list of folders to look at, filled by the watch and emptied by the loop.
type todo struct {
	mu      sync.Mutex
	folders map[string]bool
	every   bool
}

func newTodo() *todo { return &todo{folders: map[string]bool{}} }

func (t *todo) add(folder string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.folders[folder] = true
}

func (t *todo) all() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.every = true
}

// due reports whether there is anything on the list.
func (t *todo) due() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.every || len(t.folders) > 0
}

// take empties the list.
func (t *todo) take() (folders []string, every bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for f := range t.folders {
		folders = append(folders, f)
	}
	slices.Sort(folders)
	every = t.every
	t.folders, t.every = map[string]bool{}, false
	return folders, every
}

// putBack restores what was not done.
func (t *todo) putBack(folders []string, every bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range folders {
		t.folders[f] = true
	}
	t.every = t.every || every
}
