package capture

// State is the one word for what the agent is doing. The engine derives it from facts; tray,
// command line and window show it.
type State string

const (
	NotEnrolled  State = "not-enrolled"  // there is no configuration to work with
	NeedsSignIn  State = "needs-sign-in" // Salesforce or the mailbox
	WrongAccount State = "wrong-account" // somebody else signed in; nothing is sent
	Suspended    State = "suspended"     // the company stopped this agent
	Waiting      State = "waiting"       // for a known time, for a known reason
	Paused       State = "paused"        // by the user
	Offline      State = "offline"
	Working      State = "working"
	UpToDate     State = "up-to-date"
	NeedsYou     State = "needs-you" // some items wait for a decision
)
