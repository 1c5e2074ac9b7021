package imapsource

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"regexp"
	"strings"

	"github.com/emersion/go-imap/v2"

	"hawser/sync/fault"
)

// lostError says that the connection is over: the command may be tried again on another one.
type lostError struct{ why *fault.Error }

func (e *lostError) Error() string { return e.why.Error() }

func (e *lostError) Unwrap() error { return e.why }

func isLost(err error) bool {
	var lost *lostError
	return errors.As(err, &lost)
}

// quoted is what the library cites from the server's answer: it may be a piece of a mail.
var quoted = regexp.MustCompile(`(?s)["'].*["']|\n.*`)

// technical returns err without anything that the server said.
func technical(err error) error {
	text := quoted.ReplaceAllString(err.Error(), "..")
	return errors.New(text[:min(len(text), 160)])
}

// statusError keeps kind and code of a refusal, not its text, which may name people and folders.
func statusError(e *imap.Error) error {
	if e.Code == "" {
		return errors.New(string(e.Type))
	}
	return errors.New(string(e.Type) + " [" + string(e.Code) + "]")
}

// connectFault tells why no connection came about.
func connectFault(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var (
		untrusted *tls.CertificateVerificationError
		notTLS    tls.RecordHeaderError
		alert     tls.AlertError
		host      x509.HostnameError
	)
	switch {
	case errors.As(err, &untrusted), errors.As(err, &host):
		return fault.New(fault.CertificateWrong, op, err)
	case errors.As(err, &notTLS):
		return fault.New(fault.NotTheServer, op, errors.New("the answer is not TLS"))
	case errors.As(err, &alert):
		return fault.New(fault.NotTheServer, op, err)
	}
	return fault.New(fault.Offline, op, err)
}

// greetingFault tells why a connected server gave no usable greeting.
func greetingFault(op string, c *session, err error) error {
	var status *imap.Error
	if errors.As(err, &status) {
		return statusFault(fault.MailBusy, op, status)
	}
	var lost *lostError
	if cause, _ := c.wire.end(); cause == nil && errors.As(err, &lost) && lost.why.Code == fault.MailProtocol {
		lost.why.Code = fault.NotTheServer
	}
	return err
}

// lostFault tells why a connection ended.
func lostFault(op string, w *wire, err error) *fault.Error {
	cause, notice := w.end()
	f := fault.New(fault.MailProtocol, op, technical(err))
	switch {
	case errors.Is(cause, errStalled):
		f.Code, f.Err = fault.Stalled, errStalled
	case strings.HasPrefix(strings.ToUpper(notice), "* BYE"):
		f.Code, f.Err = fault.MailBusy, errors.New("the server said goodbye")
	case errors.Is(cause, io.EOF), errors.Is(cause, io.ErrUnexpectedEOF):
		f.Code, f.Err = fault.Offline, errors.New("the server closed the connection")
	case cause != nil:
		f.Code, f.Err = fault.Offline, cause
	}
	f.Detail = notice
	return f
}

// statusFault turns a refusal into a fault: the given code, unless the server says that it is busy.
func statusFault(code fault.Code, op string, e *imap.Error) *fault.Error {
	if isBusy(e) {
		code = fault.MailBusy
	}
	f := fault.New(code, op, statusError(e))
	f.Detail = strings.ToValidUTF8(e.Text, "?")
	return f
}

// isBusy reports whether a refusal is about the moment, not about the request (RFC 5530).
// "User is authenticated but not connected" is what Exchange says while it throttles.
func isBusy(e *imap.Error) bool {
	switch e.Code {
	case imap.ResponseCodeUnavailable, imap.ResponseCodeLimit, imap.ResponseCodeInUse, imap.ResponseCodeServerBug,
		"THROTTLED", "OVERLOADED":
		return true
	case imap.ResponseCodeAuthenticationFailed:
		return false
	}
	if e.Type == imap.StatusResponseTypeBye {
		return true
	}
	return soundsBusy(e.Text)
}

// soundsBusy reports whether the server's words are about the moment.
func soundsBusy(text string) bool {
	text = strings.ToLower(text)
	for _, sign := range []string{
		"not connected", "too many", "try again", "temporar", "unavailable", "throttl", "server busy", "overload", "shutting down",
	} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// authFault tells why a sign-in did not work.
func authFault(op string, b *bearer, err error) error {
	var status *imap.Error
	var lost *lostError
	switch {
	case errors.As(err, &status):
		// A challenge is the server's verdict on the token, whatever the status says.
		if len(b.challenge) == 0 && isBusy(status) {
			return statusFault(fault.MailBusy, op, status)
		}
		f := fault.New(fault.MailRefused, op, statusError(status))
		f.Detail = strings.ToValidUTF8(status.Text, "?")
		return f
	case errors.As(err, &lost) && len(b.challenge) > 0:
		// Some servers hang up instead of answering the answer to their challenge.
		f := *lost.why
		f.Code = fault.MailRefused
		return &f
	}
	return err
}
