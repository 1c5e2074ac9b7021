//go:build !cgo

package window

import (
	"context"
	"errors"
)

// Run cannot show anything: this program was built without a C compiler.
func Run(context.Context, Config) error {
	return errors.New("this hawser-window was built without cgo and cannot open a window")
}
