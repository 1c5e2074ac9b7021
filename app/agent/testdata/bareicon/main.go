// Command bareicon is the least that an icon with a menu takes: what the bench measures the agent's
// icon against.
package main

import (
	"fyne.io/systray"

	"hawser/assets"
)

func main() {
	systray.Run(func() {
		raw, err := assets.Icon("up-to-date", assets.IconLight)
		if err != nil {
			panic(err)
		}
		systray.SetIcon(raw)
		systray.AddMenuItem("Quit", "")
	}, nil)
}
