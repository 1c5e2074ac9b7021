package imapsource

// Defaults returns the limits that a zero [Timeouts] stands for.
func Defaults() Timeouts { return Timeouts{}.withDefaults() }
