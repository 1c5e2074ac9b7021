package keyring

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"unicode/utf8"

	"filippo.io/age"

	"hawser/auth/secret"
	"hawser/sync/fault"
)

const (
	// minPassphrase is in characters. The file may be copied and guessed at without limit.
	minPassphrase = 10
	// workFactor is log2 of scrypt's N: 128 MB and about half a second per guess.
	workFactor = 17
	// maxWorkFactor bounds what a file from elsewhere may make this computer do.
	maxWorkFactor = 20
	maxFile       = 64 << 10
)

// Ask gets the passphrase from the person; create is true when a new one is chosen.
type Ask func(ctx context.Context, create bool) (secret.String, error)

// passFile is a store in one file, sealed with a passphrase in the age format (scrypt).
type passFile struct {
	path string
	ask  Ask
	work int

	mu   sync.Mutex
	pass secret.String
}

// File returns a store in a file that a passphrase seals, for a computer without a key store. It
// is for a person who chose it. The passphrase is asked for once and kept in memory. A wrong one
// is [fault.KeyStoreLocked].
func File(path string, ask Ask) Store { return &passFile{path: path, ask: ask, work: workFactor} }

func (f *passFile) Get(ctx context.Context, service, account string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, err := f.readLocked(ctx)
	if err != nil {
		return "", err
	}
	v, ok := m[service+"\x00"+account]
	if !ok {
		return "", ErrNotFound
	}
	return v, nil
}

func (f *passFile) Set(ctx context.Context, service, account, value string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, err := f.readLocked(ctx)
	if err != nil {
		return err
	}
	m[service+"\x00"+account] = value
	return f.writeLocked(ctx, m)
}

func (f *passFile) Delete(ctx context.Context, service, account string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, err := f.readLocked(ctx)
	if err != nil {
		return err
	}
	delete(m, service+"\x00"+account)
	if len(m) > 0 {
		return f.writeLocked(ctx, m)
	}
	if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.KeyStoreMissing, "delete key file", err)
	}
	return nil
}

// readLocked returns the entries; none when there is no file.
func (f *passFile) readLocked(ctx context.Context) (map[string]string, error) {
	const op = "read key file"
	info, err := os.Lstat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return map[string]string{}, nil
	case err != nil:
		return nil, fault.New(fault.KeyStoreMissing, op, err)
	case !info.Mode().IsRegular() || info.Size() > maxFile:
		return nil, fault.New(fault.KeyStoreMissing, op, errors.New("not a key file"))
	}
	sealed, err := os.ReadFile(f.path)
	if err != nil {
		return nil, fault.New(fault.KeyStoreMissing, op, err)
	}
	pass, err := f.passLocked(ctx, false)
	if err != nil {
		return nil, err
	}
	plain, err := open(sealed, pass)
	if err != nil {
		var wrong *age.NoIdentityMatchError
		if errors.As(err, &wrong) {
			return nil, fault.New(fault.KeyStoreLocked, op, errors.New("wrong passphrase"))
		}
		return nil, fault.New(fault.KeyLost, op, errors.New("the key file is damaged"))
	}
	m := map[string]string{}
	if json.Unmarshal(plain, &m) != nil {
		return nil, fault.New(fault.KeyLost, op, errors.New("the key file is damaged"))
	}
	f.pass = pass
	return m, nil
}

func (f *passFile) passLocked(ctx context.Context, create bool) (secret.String, error) {
	if !f.pass.Empty() {
		return f.pass, nil
	}
	pass, err := f.ask(ctx, create)
	if err != nil {
		return secret.String{}, fault.New(fault.KeyStoreLocked, "ask for passphrase", err)
	}
	if pass.Empty() || create && utf8.RuneCountInString(pass.Reveal()) < minPassphrase {
		return secret.String{}, fault.New(fault.KeyStoreLocked, "ask for passphrase", errors.New("the passphrase is too short"))
	}
	return pass, nil
}

func open(sealed []byte, pass secret.String) ([]byte, error) {
	id, err := age.NewScryptIdentity(pass.Reveal())
	if err != nil {
		return nil, err
	}
	id.SetMaxWorkFactor(maxWorkFactor)
	r, err := age.Decrypt(bytes.NewReader(sealed), id)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, maxFile))
}

func (f *passFile) writeLocked(ctx context.Context, m map[string]string) error {
	const op = "write key file"
	pass, err := f.passLocked(ctx, true)
	if err != nil {
		return err
	}
	plain, err := json.Marshal(m)
	if err != nil {
		return fault.New(fault.Internal, op, err)
	}
	to, err := age.NewScryptRecipient(pass.Reveal())
	if err != nil {
		return fault.New(fault.KeyStoreLocked, op, errors.New("unusable passphrase"))
	}
	to.SetWorkFactor(f.work)
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, to)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = replace(f.path, sealed.Bytes())
	}
	if err != nil {
		return fault.New(fault.KeyStoreMissing, op, err)
	}
	f.pass = pass
	return nil
}

// replace writes a file that is whole or not there after a power cut.
func replace(path string, b []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".key-*") // made with mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(b)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
