package imapsource

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// command is a command that the library cannot send, or whose answers it would die of.
type command struct {
	pieces []string // text and literals in turn, text first
}

// text adds to a command as it is.
func (c *command) text(s string) *command {
	if len(c.pieces)%2 == 0 {
		c.pieces = append(c.pieces, "")
	}
	c.pieces[len(c.pieces)-1] += s
	return c
}

// value adds a string that may hold anything but NUL: quoted where that is allowed, else as a literal.
func (c *command) value(s string) *command {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		c.text(fmt.Sprintf("{%d}", len(s)))
		c.pieces = append(c.pieces, s)
		return c
	}
	return c.text(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`)
}

// exchange sends a command and hands each answer, a line with its literals, to each, at last the
// tagged one. That is called in the wire's reader and must not block; it is not called after
// exchange has returned. The error is an [imap.Error] when the server refused the command.
func (c *session) exchange(ctx context.Context, op string, cmd *command, each func(line string)) error {
	return c.do(ctx, c.limit, op, func() error {
		more, done := make(chan struct{}, 1), make(chan string, 1)
		over := false
		c.wire.listen(&listener{whole: true, hear: func(line string) {
			switch {
			case over: // an answer that comes too late
			case strings.HasPrefix(line, "*"):
				each(line)
			case strings.HasPrefix(line, "+"):
				select {
				case more <- struct{}{}:
				default: // one too many
				}
			default:
				over = true
				each(line)
				done <- line
			}
		}})
		defer c.wire.listen(nil)
		return c.converse(cmd, more, done)
	})
}

// converse sends the pieces of a command, each literal when the server asks for it, and waits for
// the answer.
func (c *session) converse(cmd *command, more <-chan struct{}, done <-chan string) error {
	c.serial++
	tag := fmt.Sprintf("%cX%d", ownTag, c.serial)
	out := tag + " "
	for i, piece := range cmd.pieces {
		out += piece
		if i%2 == 1 || i == len(cmd.pieces)-1 {
			continue
		}
		if _, err := c.wire.Write([]byte(out + "\r\n")); err != nil {
			return err
		}
		out = ""
		select {
		case <-more:
		case line := <-done:
			if err := answered(tag, line); err != nil {
				return err
			}
			return errors.New("an answer before the question")
		case <-c.client.Closed():
			return errClosed
		}
	}
	if _, err := c.wire.Write([]byte(out + "\r\n")); err != nil {
		return err
	}
	select {
	case line := <-done:
		return answered(tag, line)
	case <-c.client.Closed():
		return errClosed
	}
}

var errClosed = errors.New("connection ended")

// answered turns the tagged answer into an error.
func answered(tag, line string) error {
	rest, ok := strings.CutPrefix(line, tag+" ")
	if !ok {
		return errors.New("an answer to another command")
	}
	kind, text, _ := strings.Cut(rest, " ")
	if kind = strings.ToUpper(kind); kind == "OK" {
		return nil
	}
	return refusedAs(kind, text)
}

// refusedAs is a refusal as the library tells it.
func refusedAs(kind, text string) *imap.Error {
	e := &imap.Error{Type: imap.StatusResponseType(kind), Text: text}
	if code, rest, ok := strings.Cut(strings.TrimPrefix(text, "["), "]"); ok && strings.HasPrefix(text, "[") {
		code, _, _ = strings.Cut(code, " ")
		e.Code, e.Text = imap.ResponseCode(strings.ToUpper(code)), rest
	}
	return e
}
