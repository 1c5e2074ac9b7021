// Package window is the window people set Hawser up with and look after it in: a client of the
// control socket, drawn with Fyne, in a process of its own that ends when the window closes.
//
// It owns what is shown and typed, the look of it, and the rule of one window per user. It decides
// nothing about mail: every figure comes from a [control.Status] or the answer to a command, every
// word from app/text. Each screen is a file with a pure part (values in, values out) and a thin one
// that draws.
//
// All widgets belong to Fyne's one drawing goroutine. Commands run in goroutines that [Run] waits
// for, and come back through ui.do; nothing that may block runs while drawing.
package window
