package sourcetest

import (
	"net"
	"sync"
)

// wires is a listener that keeps hold of the connections it accepted, to cut or silence them.
type wires struct {
	net.Listener

	mu    sync.Mutex
	conns map[*wire]struct{}
	gate  chan struct{} // closed: bytes flow
}

func newWires(l net.Listener) *wires {
	open := make(chan struct{})
	close(open)
	return &wires{Listener: l, conns: map[*wire]struct{}{}, gate: open}
}

// wire is one connection below TLS.
type wire struct {
	net.Conn
	all  *wires
	once sync.Once
	over chan struct{}
}

func (w *wires) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	conn := &wire{Conn: c, all: w, over: make(chan struct{})}
	w.mu.Lock()
	w.conns[conn] = struct{}{}
	w.mu.Unlock()
	return conn, nil
}

// stall holds back all bytes in both directions, or lets them flow again.
func (w *wires) stall(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.gate:
		if on {
			w.gate = make(chan struct{})
		}
	default:
		if !on {
			close(w.gate)
		}
	}
}

// drop ends every connection with a reset, as a dying router does.
func (w *wires) drop() {
	w.mu.Lock()
	conns := make([]*wire, 0, len(w.conns))
	for c := range w.conns {
		conns = append(conns, c)
	}
	w.mu.Unlock()
	for _, c := range conns {
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // else Close says goodbye properly
		}
		_ = c.Close()
	}
}

func (w *wires) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.conns)
}

// wait returns once bytes may flow.
func (c *wire) wait() error {
	c.all.mu.Lock()
	gate := c.all.gate
	c.all.mu.Unlock()
	select {
	case <-gate:
		return nil
	case <-c.over:
		return net.ErrClosed
	}
}

func (c *wire) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if blocked := c.wait(); blocked != nil {
		return 0, blocked
	}
	return n, err
}

func (c *wire) Write(p []byte) (int, error) {
	if blocked := c.wait(); blocked != nil {
		return 0, blocked
	}
	return c.Conn.Write(p)
}

func (c *wire) Close() error {
	var err error
	c.once.Do(func() {
		close(c.over)
		err = c.Conn.Close()
		c.all.mu.Lock()
		delete(c.all.conns, c)
		c.all.mu.Unlock()
	})
	return err
}
