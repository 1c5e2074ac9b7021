package window

import (
	"context"
	"unsafe"

	"golang.org/x/sys/windows"
)

// highContrast asks Windows, which answers in a HIGHCONTRASTW structure.
func highContrast(context.Context) bool {
	const get, on = 0x0042, 0x0001 // SPI_GETHIGHCONTRAST, HCF_HIGHCONTRASTON
	var answer struct {
		size, flags uint32
		scheme      *uint16
	}
	answer.size = uint32(unsafe.Sizeof(answer))
	ok, _, _ := windows.NewLazySystemDLL("user32.dll").NewProc("SystemParametersInfoW").Call(get, uintptr(answer.size), uintptr(unsafe.Pointer(&answer)), 0)
	return ok != 0 && answer.flags&on != 0
}
