package keyring

import (
	"context"
	"sync"
)

// Memory is a store that lives as long as the process, for tests. The zero value is empty.
type Memory struct {
	mu      sync.Mutex
	entries map[[2]string]string
	fail    error
	deaf    bool
}

// Fail makes every later call return err, until it is nil.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

// Deaf makes Set report success and keep nothing, as some stores do.
func (m *Memory) Deaf(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deaf = on
}

// Get implements [Store].
func (m *Memory) Get(_ context.Context, service, account string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.entries[[2]string{service, account}]
	switch {
	case m.fail != nil:
		return "", m.fail
	case !ok:
		return "", ErrNotFound
	}
	return v, nil
}

// Set implements [Store].
func (m *Memory) Set(_ context.Context, service, account, value string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil || m.deaf {
		return m.fail
	}
	if m.entries == nil {
		m.entries = map[[2]string]string{}
	}
	m.entries[[2]string{service, account}] = value
	return nil
}

// Delete implements [Store].
func (m *Memory) Delete(_ context.Context, service, account string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	delete(m.entries, [2]string{service, account})
	return nil
}
