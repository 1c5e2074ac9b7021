package agent

// giveBack does nothing: macOS takes pages that are not used from a process by itself.
func giveBack() error { return nil }
