//go:build !linux && !windows

package window

import "context"

// highContrast is not known here; people choose it under Settings.
func highContrast(context.Context) bool { return false }
