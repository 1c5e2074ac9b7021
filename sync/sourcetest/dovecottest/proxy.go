package dovecottest

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy is a TCP link to a server that can be cut, stalled, slowed and closed after some bytes.
type Proxy struct {
	Addr string // where to connect instead

	target   string
	listener net.Listener
	wg       sync.WaitGroup

	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	down     bool
	stalled  bool
	ended    bool
	perSec   int   // bytes per second towards the client; 0: no limit
	left     int64 // bytes towards the client until the next cut; <0: no limit
	accepted int
}

// NewProxy starts a link to target (host:port) that ends with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, listener: l, conns: make(map[net.Conn]struct{}), left: -1}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
		_ = l.Close()
		p.drop()
		p.wg.Wait()
	})
	return p
}

// Cut ends all connections and refuses new ones until Heal.
func (p *Proxy) Cut() {
	p.mu.Lock()
	p.down = true
	p.mu.Unlock()
	p.drop()
}

// Drop ends all connections; new ones are welcome.
func (p *Proxy) Drop() { p.drop() }

// Stall keeps all connections open, and new ones too, but carries no byte any more: the peers'
// bytes are acknowledged and lost. Heal ends those connections.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = true
}

// Slow carries at most bytesPerSecond towards the client; 0: no limit.
func (p *Proxy) Slow(bytesPerSecond int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.perSec = bytesPerSecond
}

// CutAfter resets the connections once n more bytes went towards the client; new ones are not
// limited.
func (p *Proxy) CutAfter(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = n
}

// Heal ends Cut, Stall, Slow and CutAfter.
func (p *Proxy) Heal() {
	p.mu.Lock()
	broken := p.stalled
	p.down, p.stalled, p.perSec, p.left = false, false, 0, -1
	p.mu.Unlock()
	if broken {
		p.drop()
	}
}

// Accepted returns how many connections were made so far, refused ones included.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

func (p *Proxy) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, as from a router that forgot the connection
		}
		_ = c.Close()
		delete(p.conns, c)
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.accepted++
		refuse := p.down || p.ended
		p.mu.Unlock()
		if refuse {
			_ = client.Close()
			continue
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = struct{}{}, struct{}{}
		refuse = p.down || p.ended
		p.mu.Unlock()
		if refuse { // cut while it was made
			p.drop()
			continue
		}
		p.wg.Go(func() { p.carry(server, client, false) })
		p.wg.Go(func() { p.carry(client, server, true) })
	}
}

// carry copies from src to dst until one of them ends.
func (p *Proxy) carry(dst, src net.Conn, limited bool) {
	defer func() {
		_ = dst.Close()
		_ = src.Close()
		p.mu.Lock()
		delete(p.conns, dst)
		delete(p.conns, src)
		p.mu.Unlock()
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		lost, perSec := p.stalled, p.perSec
		cut := false
		if limited && p.left >= 0 {
			if cut = p.left <= int64(n); cut {
				n = int(p.left)
				p.left = -1
			} else {
				p.left -= int64(n)
			}
		}
		p.mu.Unlock()
		if lost {
			continue
		}
		if limited && perSec > 0 {
			err = p.trickle(dst, buf[:n], perSec)
		} else {
			_, err = dst.Write(buf[:n])
		}
		if err != nil {
			return
		}
		if cut {
			p.drop()
			return
		}
	}
}

// trickle writes at the given speed, a twentieth of a second's worth at a time.
func (p *Proxy) trickle(dst net.Conn, b []byte, perSec int) error {
	for len(b) > 0 {
		n := min(len(b), max(1, perSec/20))
		if _, err := dst.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
		time.Sleep(time.Second * time.Duration(n) / time.Duration(perSec))
	}
	return nil
}
