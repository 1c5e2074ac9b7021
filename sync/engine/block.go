package engine

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"io"
)

// headLimit is how much of a mail is looked at for its header.
const headLimit = 256 << 10

// block digests a header block while it is read.
type block struct{ digest hash.Hash }

func newBlock() block { return block{sha256.New()} }

func (b block) tee(r io.Reader) io.Reader {
	return io.TeeReader(io.LimitReader(r, headLimit), b.digest)
}

// rest digests what the parser left.
func (b block) rest(r io.Reader) error {
	_, err := io.Copy(b.digest, r)
	return err
}

func (b block) sum() [32]byte { return [32]byte(b.digest.Sum(nil)) }

// capped is a writer that keeps the first bytes and swallows the rest.
type capped struct {
	buf  *bytes.Buffer
	left int
}

func (c *capped) Write(p []byte) (int, error) {
	if n := min(len(p), c.left); n > 0 {
		c.buf.Write(p[:n])
		c.left -= n
	}
	return len(p), nil
}
