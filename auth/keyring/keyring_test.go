package keyring

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	zalando "github.com/zalando/go-keyring"

	"hawser/auth/secret"
	"hawser/sync/fault"
)

func config(s Store) Config {
	return Config{Store: s, Service: "io.hawser.test", Profile: "default", Log: slog.New(slog.DiscardHandler), Timeout: 5 * time.Second}
}

func ask(pass string) Ask {
	return func(context.Context, bool) (secret.String, error) { return secret.New(pass), nil }
}

func quickFile(path string, a Ask) *passFile { return &passFile{path: path, ask: a, work: 10} }

// contract is what every store must do.
func contract(t *testing.T, s Store) {
	t.Helper()
	cfg := config(s)
	cfg.Expect = true
	if _, _, err := Key(t.Context(), cfg); !fault.Is(err, fault.KeyLost) {
		t.Errorf("expected key is missing: %v", err)
	}
	cfg.Expect = false
	key, created, err := Key(t.Context(), cfg)
	if err != nil || !created || key == [KeySize]byte{} {
		t.Fatalf("first: created %v, %v", created, err)
	}
	cfg.Expect = true
	again, created, err := Key(t.Context(), cfg)
	if err != nil || created || again != key {
		t.Errorf("second: created %v, same %v, %v", created, again == key, err)
	}
	other := cfg
	other.Profile, other.Expect = "other", false
	if k, _, err := Key(t.Context(), other); err != nil || k == key {
		t.Errorf("another profile: %v", err)
	}
	for _, c := range []Config{cfg, other, other} { // a second time is no error
		if err := Delete(t.Context(), c); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
	if _, _, err := Key(t.Context(), cfg); !fault.Is(err, fault.KeyLost) {
		t.Errorf("after delete: %v", err)
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	contract(t, &Memory{})
}

func TestFile(t *testing.T) {
	t.Parallel()
	contract(t, quickFile(filepath.Join(t.TempDir(), "key"), ask("correct horse battery")))
}

// TestFileOfAnotherProcess: the file opens with the passphrase alone, and only with it.
func TestFileOfAnotherProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	key, _, err := Key(t.Context(), config(quickFile(path, ask("correct horse battery"))))
	if err != nil {
		t.Fatal(err)
	}
	if again, created, err := Key(t.Context(), config(quickFile(path, ask("correct horse battery")))); err != nil || created || again != key {
		t.Errorf("right passphrase: %v", err)
	}
	for _, pass := range []string{"wrong horse battery", ""} {
		if _, _, err := Key(t.Context(), config(quickFile(path, ask(pass)))); !fault.Is(err, fault.KeyStoreLocked) {
			t.Errorf("passphrase %q: %v", pass, err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(b), prefix) || strings.Contains(string(b), "default") {
		t.Errorf("the file is not sealed: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Key(t.Context(), config(quickFile(path, ask("correct horse battery")))); !fault.Is(err, fault.KeyLost) {
		t.Errorf("damaged: %v", err)
	}
}

func TestFileRefusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, _, err := Key(t.Context(), config(quickFile(filepath.Join(dir, "a"), ask("short")))); !fault.Is(err, fault.KeyStoreLocked) {
		t.Errorf("short passphrase: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a")); err == nil {
		t.Error("a file with a short passphrase was written")
	}
	target := filepath.Join(dir, "target")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Key(t.Context(), config(quickFile(link, ask("correct horse battery")))); !fault.Is(err, fault.KeyStoreMissing) {
		t.Errorf("planted link: %v", err)
	}
	refused := errors.New("no terminal")
	_, _, err := Key(t.Context(), config(quickFile(filepath.Join(dir, "b"), func(context.Context, bool) (secret.String, error) { return secret.String{}, refused })))
	if !fault.Is(err, fault.KeyStoreLocked) || !errors.Is(err, refused) {
		t.Errorf("nobody to ask: %v", err)
	}
}

// TestA44NoFallback: whatever is wrong with the store, there is a fault and no key.
func TestA44NoFallback(t *testing.T) {
	t.Parallel()
	var m Memory
	m.Deaf(true)
	if key, created, err := Key(t.Context(), config(&m)); !fault.Is(err, fault.KeyStoreMissing) || created || key != [KeySize]byte{} {
		t.Errorf("a store that keeps nothing: %v", err)
	}
	for _, code := range []fault.Code{fault.KeyStoreLocked, fault.KeyStoreMissing} {
		m.Fail(fault.New(code, "test", nil))
		if key, _, err := Key(t.Context(), config(&m)); !fault.Is(err, code) || key != [KeySize]byte{} {
			t.Errorf("%s: %v", code, err)
		}
	}
	m = Memory{}
	if err := m.Set(t.Context(), "io.hawser.test", "default", prefix+"AAAA"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Key(t.Context(), config(&m)); !fault.Is(err, fault.KeyLost) {
		t.Errorf("damaged entry: %v", err)
	}
}

// TestA43Limits: an entry fits Windows' 2,560 bytes and macOS' command line of 4,096, and has
// no byte that a store could change.
func TestA43Limits(t *testing.T) {
	t.Parallel()
	for i := range 256 {
		var key [KeySize]byte
		for j := range key {
			key[j] = byte(i)
		}
		v := encode(key)
		if len(v) > 2560 || len(v)*4/3+len("add-generic-password -U -s io.hawser.Hawser -a default -w go-keyring-base64:") > 4096/2 {
			t.Fatalf("%d bytes", len(v))
		}
		if strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%q", v)
		}
		if back, err := decode(v); err != nil || back != key {
			t.Errorf("%x: %v", key, err)
		}
	}
}

// oddValues are what has made key stores lose or change a secret: just over what Windows takes, over
// what is left of macOS' command line, as long as all of it, lines, and bytes that end a C string.
var oddValues = map[string]string{
	"2561 bytes": strings.Repeat("w", 2561), "3100 bytes": strings.Repeat("m", 3100), "4096 bytes": strings.Repeat("c", 4096),
	"lines": "one\ntwo\r\nthree\n", "zero byte": "before\x00after", "empty": "", "spaces": "  x  ",
}

// odd checks that a store gives back whatever it took, or says that it cannot take it.
func odd(t *testing.T, s Store) {
	t.Helper()
	for name, value := range oddValues {
		if err := s.Set(t.Context(), "io.hawser.test", name, value); err != nil {
			if c := fault.Of(err).Code; c != fault.KeyStoreMissing && c != fault.KeyStoreLocked {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if got, err := s.Get(t.Context(), "io.hawser.test", name); err != nil || got != value {
			t.Errorf("%s: %d bytes come back as %d: %v", name, len(value), len(got), err)
		}
		if err := s.Delete(t.Context(), "io.hawser.test", name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// mangling is a store that changes what it is given and says nothing.
type mangling struct {
	Memory
	change func(string) string
}

func (m *mangling) Set(ctx context.Context, service, account, value string) error {
	return m.Memory.Set(ctx, service, account, m.change(value))
}

// TestA43NothingSilentlyLost: a value that a store did not keep as it was is an error at once, whatever
// the store says, and a store that refuses is named.
func TestA43NothingSilentlyLost(t *testing.T) {
	t.Parallel()
	odd(t, &Memory{})
	odd(t, quickFile(filepath.Join(t.TempDir(), "key"), ask("correct horse battery")))
	short := func(n int) func(string) string { return func(v string) string { return v[:min(n, len(v))] } }
	for name, change := range map[string]func(string) string{
		"Windows": short(2560), "macOS": short(3000), "first line": func(v string) string { line, _, _ := strings.Cut(v, "\n"); return line },
		"C string": func(v string) string { head, _, _ := strings.Cut(v, "\x00"); return head }, "trimmed": strings.TrimSpace, "nothing": func(string) string { return "" },
	} {
		for kind, value := range oddValues {
			s := &mangling{change: change}
			err := config(s).put(t.Context(), value)
			if kept := change(value) == value; kept != (err == nil) || !kept && !fault.Is(err, fault.KeyStoreMissing) {
				t.Errorf("%s, %s: kept %t, %v", name, kind, kept, err)
			}
		}
		if name == "nothing" {
			continue
		}
		if _, created, err := Key(t.Context(), config(&mangling{change: change})); err != nil || !created {
			t.Errorf("the key itself does not survive %s: %v", name, err)
		}
	}
	if err := translate("write key", zalando.ErrSetDataTooBig); !fault.Is(err, fault.KeyStoreMissing) || !strings.Contains(err.Error(), "too big") {
		t.Errorf("a store that says so: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode([KeySize]byte{1}))
	f.Add(prefix)
	f.Fuzz(func(t *testing.T, s string) {
		key, err := decode(s)
		if err == nil && encode(key) != s {
			t.Errorf("%q and %q are one key", s, encode(key))
		}
	})
}

// TestHangingStore: a call that nobody answers ends with its deadline, does not pile up, and the
// store works again afterwards.
func TestHangingStore(t *testing.T) {
	t.Parallel()
	s := &osStore{turn: make(chan struct{}, 1)}
	answer := make(chan struct{})
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		_, err := s.call(ctx, "test", func() (string, error) { <-answer; return "late", nil })
		cancel()
		if !fault.Is(err, fault.KeyStoreLocked) {
			t.Fatal(err)
		}
	}
	if len(s.turn) != 1 {
		t.Errorf("%d calls hang", len(s.turn))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.call(ctx, "test", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	close(answer)
	if v, err := s.call(t.Context(), "test", func() (string, error) { return "prompt", nil }); err != nil || v != "prompt" {
		t.Errorf("%q %v", v, err)
	}
}
