// Package agent puts Hawser together: it is the only place where adapters meet logic.
//
// [Agent] owns every long-lived part of one user's profile: the sealed store, the two token
// sources, the capture, the delivery and the control socket. [Agent.Run] blocks until its context
// ends and returns only after every goroutine it started has returned. Capture and delivery are
// kept running apart from each other, so that a lost mailbox does not hold up what is queued.
package agent
