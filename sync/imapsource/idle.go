package imapsource

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"hawser/sync/alarm"
	"hawser/sync/fault"
)

// askEvery says that every so many probes the server is also asked for news (NOOP): some servers
// lose those of an IDLE.
const askEvery = 6

// prober probes all connections of a Watch at the same moments, from one goroutine: the computer
// wakes up once for all of them. It also watches that they answer, by a clock of its own: the
// deadline of a connection, once set, would wake the computer even after it was lifted.
type prober struct {
	every  time.Duration
	limit  time.Duration // silence allowed to an answer
	awake  func()
	heard  chan struct{} // one-slot: a connection has answered
	mu     sync.Mutex
	idlers map[*idler]bool
}

func newProber(t Timeouts, awake func()) *prober {
	if awake == nil {
		awake = func() {}
	}
	return &prober{every: t.Probe, limit: t.Answer, awake: awake, heard: make(chan struct{}, 1), idlers: make(map[*idler]bool)}
}

func (p *prober) set(i *idler, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if delete(p.idlers, i); on {
		p.idlers[i] = true
	}
}

func (p *prober) run(ctx context.Context) {
	tick := alarm.Every(p.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		p.each(func(i *idler) { i.probe(p.heard) })
		p.awake()
		p.await(ctx)
	}
}

func (p *prober) each(do func(*idler)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.idlers {
		do(i)
	}
}

// await returns when every connection that was probed has answered or has been ended.
func (p *prober) await(ctx context.Context) {
	over := alarm.New(p.limit)
	defer over.Stop()
	for {
		silent := 0
		p.each(func(i *idler) {
			if i.silent() {
				silent++
			}
		})
		if silent == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-p.heard:
		case <-over.C:
			p.each(func(i *idler) {
				if i.silent() {
					i.c.wire.abort(errStalled)
				}
			})
			return
		}
	}
}

// idler keeps a connection waiting for news with IDLE (RFC 2177).
//
// The IDLE is spoken on the wire, past the library, whose goroutines would wake each other up at
// every probe. Here a probe costs the prober's wake-up to send DONE; what follows happens in the
// wire's reader, which is awake anyway when an answer comes.
type idler struct {
	c        *session
	limit    time.Duration // silence allowed to an answer
	expiring func() bool
	refused  chan error    // gets one error when the server does not take IDLE; capacity 1
	due      chan struct{} // gets a value when the token expires soon; capacity 1

	mu     sync.Mutex
	tag    int
	probes int
	owed   []string      // commands to send one after the other, each when the one before is answered
	waits  bool          // the server waits in IDLE
	probed chan struct{} // set while the prober watches the answer; told when it has come
}

func newIdler(c *session, limit time.Duration, expiring func() bool) *idler {
	return &idler{c: c, limit: limit, expiring: expiring, refused: make(chan error, 1), due: make(chan struct{}, 1)}
}

// begin starts waiting.
func (i *idler) begin() {
	i.c.wire.listen(&listener{hear: i.answer})
	i.mu.Lock()
	defer i.mu.Unlock()
	i.owed = []string{"IDLE"}
	i.sendLocked()
}

// probe makes the server answer, which shows that the connection lives: it ends the IDLE and
// starts another one. Whoever probes watches the answer.
func (i *idler) probe(heard chan struct{}) {
	if i.expiring() {
		select {
		case i.due <- struct{}{}:
		default:
		}
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.waits {
		return // an answer is due already, and watched
	}
	i.waits, i.probed = false, heard
	i.owed = []string{"IDLE"}
	if i.probes++; i.probes%askEvery == 0 {
		i.owed = []string{"NOOP", "IDLE"}
	}
	i.write("DONE\r\n")
}

func (i *idler) sendLocked() {
	if len(i.owed) == 0 {
		return
	}
	command := i.owed[0]
	i.owed = i.owed[1:]
	i.tag++
	i.write(fmt.Sprintf("%c%d %s\r\n", ownTag, i.tag, command))
}

// silent reports whether the answer to a probe is still due.
func (i *idler) silent() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.probed != nil
}

// write sends, and has the wire watch for the answer unless the prober does. Its error is the
// wire's end, too.
func (i *idler) write(text string) {
	if i.probed == nil {
		i.c.wire.expect(i.limit)
	}
	_, _ = i.c.wire.Write([]byte(text))
}

// answer is told each line that answers a command of the idler, in the wire's reader.
func (i *idler) answer(line string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if strings.HasPrefix(line, "+") {
		i.waits = true
		i.restLocked()
		return
	}
	_, rest, _ := strings.Cut(line, " ")
	kind, text, _ := strings.Cut(rest, " ")
	if strings.EqualFold(kind, "OK") {
		i.sendLocked()
		return
	}
	i.restLocked()
	select {
	case i.refused <- refusedIdle(strings.ToUpper(kind), text):
	default:
	}
}

// restLocked says that nothing is due any more.
func (i *idler) restLocked() {
	if i.probed == nil {
		i.c.wire.expect(0)
		return
	}
	select {
	case i.probed <- struct{}{}:
	default:
	}
	i.probed = nil
}

// refusedIdle returns the fault behind a refusal, or nil when the server just has no IDLE,
// whatever it announced.
func refusedIdle(kind, text string) error {
	e := refusedAs(kind, text)
	if isBusy(e) {
		return statusFault(fault.MailBusy, "wait for mail", e)
	}
	return nil
}
