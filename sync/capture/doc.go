// Package capture holds the words that every part of Hawser uses for a captured mail: who it
// belongs to, how it is identified, where it was seen, what was read from it.
//
// It is a leaf: plain values and pure functions, no I/O and no goroutines; values are safe to
// share once built. Everything textual in these types is valid UTF-8.
package capture
