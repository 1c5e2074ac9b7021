package server

import (
	"errors"
	"io"
	"sync"
)

// maxReading is how many bodies of one key are read at the same time. A body comes with its head, so that an agent has
// one and a company's server a few.
const maxReading = 16

// errSlow ends a body of a key that sends too many at once.
var errSlow = errors.New("too many bodies of one key at once")

// readers counts the bodies that are being read, by key. A body is read only when the signature was right, so that
// nobody is counted for a key that he does not have. Without a limit, one computer that signs well and then sends slowly
// could take every place among the requests in work.
type readers struct {
	mu  sync.Mutex
	now map[string]int
}

func (r *readers) enter(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now[key] >= maxReading {
		return false
	}
	r.now[key]++
	return true
}

func (r *readers) leave(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now[key]--; r.now[key] == 0 {
		delete(r.now, key)
	}
}

// countedBody is counted from its first byte to its end. Whoever reads it reads to the end.
type countedBody struct {
	io.ReadCloser
	readers *readers
	key     string
	inside  bool
	err     error
}

// Read implements [io.Reader].
func (b *countedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if !b.inside && !b.readers.enter(b.key) {
		b.err = errSlow
		return 0, b.err
	}
	b.inside = true
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end(err)
	}
	return n, err
}

// end is called when the request is answered, too: a body that is longer than allowed is left before its end.
func (b *countedBody) end(err error) {
	if b.inside {
		b.inside = false
		b.readers.leave(b.key)
	}
	b.err = err
}
