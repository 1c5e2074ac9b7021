package window

import (
	portal "github.com/rymdport/portal/settings"
	"github.com/rymdport/portal/settings/appearance"
)

// highContrast asks the desktop's settings portal. The library's own question for it reads another
// key.
func highContrast() bool {
	value, err := portal.ReadOne(appearance.Namespace, "contrast")
	if err != nil {
		return false // no portal, or one that knows no contrast
	}
	c, err := appearance.ValueToContrast(value)
	return err == nil && c == appearance.HigherContrast
}
