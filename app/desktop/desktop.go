// Package desktop is what Hawser asks of the desktop session apart from an icon: to be started at
// login, to be found by launchers and by hawser:// links, and to be told when the computer sleeps,
// the network changes or the screen is locked.
//
// It knows the files, registry keys and buses of each system and nothing of mail, and it decides
// nothing: the agent acts on what it hears. What a system does not offer is [ErrUnsupported].
// Nothing here polls: [Watch] and [Serve] wait for messages. [Watch] calls back from one goroutine;
// everything else is safe for concurrent use, but for two writers of the same file.
package desktop

import "errors"

// ID is the program's name in files and on buses, as in FyneApp.toml.
const ID = "io.hawser.Hawser"

// ErrUnsupported says that this system has no way to do what was asked, or none that Hawser uses.
var ErrUnsupported = errors.New("not supported on this system")

// ErrShared says that an administrator decided it for all users of this computer.
var ErrShared = errors.New("decided for all users of this computer")

// Event is something that happened to the computer or the session.
type Event string

// The events. Online comes again when another network takes over.
const (
	Sleep    Event = "sleep" // about to happen: there is a second or so left
	Wake     Event = "wake"
	Online   Event = "online"
	Offline  Event = "offline"
	Locked   Event = "locked"
	Unlocked Event = "unlocked"
)

// hub turns what several sources say into events: states that did not change are not told.
type hub struct {
	tell           func(Event)
	locked, asleep bool
	online         *bool // nil: not known yet
}

func (h *hub) lock(on bool) {
	if on == h.locked {
		return
	}
	h.locked = on
	if on {
		h.tell(Locked)
	} else {
		h.tell(Unlocked)
	}
}

func (h *hub) sleep(on bool) {
	if on == h.asleep {
		return
	}
	h.asleep = on
	if on {
		h.tell(Sleep)
	} else {
		h.tell(Wake)
	}
}

// network tells a change; other says that it is another network than before.
func (h *hub) network(on, other bool) {
	if h.online != nil && *h.online == on && (!on || !other) {
		return
	}
	h.online = &on
	if on {
		h.tell(Online)
	} else {
		h.tell(Offline)
	}
}
