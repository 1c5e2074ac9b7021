//go:build !linux && !windows

package window

// highContrast is not known here; people choose it under Settings.
func highContrast() bool { return false }
