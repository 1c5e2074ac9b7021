package keyring

import (
	"context"
	"errors"
	"strings"

	dbus "github.com/godbus/dbus/v5"
	zalando "github.com/zalando/go-keyring"

	"hawser/sync/fault"
)

// osStore calls the operating system's store: Secret Service, Keychain, Credential Manager.
//
// The library has no contexts, and a locked store may show an unlock dialog and block until
// somebody answers it, for ever if nobody does. So each call runs in a goroutine of its own that
// a caller waits for only as long as its ctx allows. There is at most one such goroutine: while
// one hangs, further calls wait for it and fail with KeyStoreLocked, so none pile up behind a
// dialog. It ends when the dialog is answered, or with the process; its late result is dropped.
type osStore struct{ turn chan struct{} }

// OS returns the store of this computer and user. A program makes one and keeps it.
func OS() Store { return &osStore{turn: make(chan struct{}, 1)} }

func (s *osStore) Get(ctx context.Context, service, account string) (string, error) {
	return s.call(ctx, "read key", func() (string, error) { return zalando.Get(service, account) })
}

func (s *osStore) Set(ctx context.Context, service, account, value string) error {
	_, err := s.call(ctx, "write key", func() (string, error) { return "", zalando.Set(service, account, value) })
	return err
}

func (s *osStore) Delete(ctx context.Context, service, account string) error {
	_, err := s.call(ctx, "delete key", func() (string, error) { return "", zalando.Delete(service, account) })
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

type result struct {
	value string
	err   error
}

func (s *osStore) call(ctx context.Context, op string, f func() (string, error)) (string, error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return "", hanging(ctx, op)
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-s.turn }()
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, translate(op, r.err)
	case <-ctx.Done():
		return "", hanging(ctx, op)
	}
}

// hanging names a call that was given up: by the caller, or because nobody unlocked the store.
func hanging(ctx context.Context, op string) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return fault.New(fault.KeyStoreLocked, op, errors.New("no answer in time"))
}

// translate turns the library's errors into faults. What it passes on from "security" on macOS is
// an exit status: 36 and 51 are an interaction that is not allowed, and a refusal.
func translate(op string, err error) error {
	if err == nil || errors.Is(err, zalando.ErrNotFound) {
		if err != nil {
			return ErrNotFound
		}
		return nil
	}
	code := fault.KeyStoreMissing
	var bus dbus.Error
	if errors.As(err, &bus) {
		switch bus.Name {
		case "org.freedesktop.Secret.Error.IsLocked", "org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Timeout":
			code = fault.KeyStoreLocked
		}
	}
	for _, part := range []string{"failed to unlock", "prompt dismissed", "exit status 36", "exit status 51"} {
		if strings.Contains(err.Error(), part) {
			code = fault.KeyStoreLocked
		}
	}
	return fault.New(code, op, err)
}
