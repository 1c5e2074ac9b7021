//go:build !linux && !windows

package tray

import "context"

// Available reports that there is no icon on this system yet: systray needs cgo here, and Hawser
// is built without.
func Available(context.Context) bool { return false }

// Run returns ErrNoHost.
func Run(context.Context, Config) error { return ErrNoHost }
