//go:build !linux && !windows

package notice

import "context"

// NewScreen returns a screen that shows nothing: notifications of this system belong to programs in
// a bundle that use its frameworks, and Hawser is built without.
func NewScreen() Screen { return none{make(chan Event)} }

type none struct{ events chan Event }

// Show implements Screen with ErrNoScreen.
func (none) Show(context.Context, Notice) (uint32, error) { return 0, ErrNoScreen }

// Close implements Screen.
func (none) Close(context.Context, uint32) error { return nil }

// Events implements Screen.
func (n none) Events() <-chan Event { return n.events }

// End implements Screen.
func (n none) End() { close(n.events) }
