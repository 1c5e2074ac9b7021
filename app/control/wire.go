package control

import (
	"errors"
	"time"

	"hawser/sync/fault"
)

// The limits of the wire. Requests come from the user's own programs, so they bound accidents.
const (
	maxBody      = 1 << 20 // bytes of a request: some 10,000 mail references
	maxHeader    = 8 << 10
	headerTime   = 10 * time.Second // for a peer to send its request line and headers
	bodyTime     = 10 * time.Second // and then its body
	idleTime     = 30 * time.Second // a kept connection without a request
	writeTime    = 10 * time.Second // for a peer to take one line of a stream
	shutdownTime = 3 * time.Second  // for running commands to end when the agent stops
	fileTime     = time.Minute      // for a peer to send a mail file
	dialTime     = 5 * time.Second  // for a running agent to say hello
)

// none is the body of a request or an answer that has nothing to say.
type none struct{}

type (
	pauseRequest struct {
		Until time.Time `json:"until,omitzero"`
	}
	signInRequest struct {
		Side string `json:"side"`
	}
	enrolRequest struct {
		Pasted string `json:"pasted,omitempty"`
	}
	offerRequest struct {
		Server string `json:"server"`
		Join   bool   `json:"join,omitempty"`
	}
	signOutRequest struct {
		Side    string `json:"side,omitempty"`
		Discard bool   `json:"discard,omitempty"`
	}
	aliasRequest struct {
		Address string `json:"address"`
		On      bool   `json:"on"`
	}
	mailRequest struct {
		Mail string `json:"mail"`
	}
	answerRequest struct {
		ID int64 `json:"id"`
		Answer
	}
	ignoreRequest struct {
		ID     int64 `json:"id"`
		Domain bool  `json:"domain,omitempty"`
	}
	findRequest struct {
		Text string `json:"text"`
	}
	linkRequest struct {
		ID     int64  `json:"id"`
		Record string `json:"record"`
	}
	addressRequest struct {
		Address string `json:"address"`
	}
	settingRequest struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	pageRequest struct {
		Page string `json:"page,omitempty"`
	}
	listRequest struct {
		State string `json:"state,omitempty"`
		Limit int    `json:"limit,omitempty"`
	}
	itemRequest struct {
		ID int64 `json:"id"`
	}
)

// wireFault is how a fault crosses: the code decides everything, the detail is for the person.
type wireFault struct {
	Code   fault.Code `json:"code"`
	Detail string     `json:"detail,omitempty"`
}

// answer is the body of every plain response: a result or a fault.
type answer[T any] struct {
	Result T          `json:"result"`
	Fault  *wireFault `json:"fault,omitempty"`
}

// line is one line of a streamed response; exactly one field is set. A stream without a Fault or
// Done line at its end was cut.
type line struct {
	Status *Status     `json:"status,omitempty"`
	Step   *SignInStep `json:"step,omitempty"`
	Read   *DryRunStep `json:"read,omitempty"`
	DryRun *DryRun     `json:"dryRun,omitempty"`
	Fault  *wireFault  `json:"fault,omitempty"`
	Done   bool        `json:"done,omitempty"`
}

// toWire drops what must not leave the agent: the operation and the technical cause.
func toWire(err error) *wireFault {
	f := fault.Of(err)
	return &wireFault{Code: f.Code, Detail: f.Detail}
}

// errRemote is the cause of a fault that the agent reported; the agent's own log holds the rest.
var errRemote = errors.New("reported by the agent")

func (w *wireFault) fault(verb string) *fault.Error {
	f := fault.New(w.Code, verb, errRemote)
	f.Detail = w.Detail
	return f
}
