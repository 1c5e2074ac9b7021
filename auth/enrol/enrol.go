// Package enrol is a computer's membership in its user's company: how it joins, what it proves,
// what it hears at each check-in, and how it leaves.
//
// It owns the one sealed record of all that, the order of the steps, and when each is tried again.
// It speaks the protocol of auth/provision as a client, and knows nothing of mailboxes, settings or
// windows: the agent hands in what was signed in to, reads [Member.View], and obeys. Every step is
// stored before it is taken, so that a kill between any two repeats it and does it once.
//
// A [Member] is safe for concurrent use; [Member.Run] has to run once, and starts no goroutine.
package enrol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"hawser/auth/provision"
	"hawser/auth/secret"
	"hawser/sync/alarm"
	"hawser/sync/fault"
)

// Config is what a [Member] needs. All of it but Now and Timer is required, and Preset may
// be zero.
type Config struct {
	Store   Store
	HTTP    http.RoundTripper
	Log     *slog.Logger
	Report  func(ctx context.Context) (provision.Report, error) // PolicyVersion is filled in here
	Changed func()                                              // called after each change of the view, with no lock held
	Preset  Preset
	Now     func() time.Time
	Timer   func(wait time.Duration) *alarm.Timer // default alarm.New
}

// Preset is what the company's administrators rolled out with the program.
type Preset struct {
	Server string        // "https://hawserd.example.com", "" for none
	Key    secret.String // deployment key
}

// Store keeps the sealed record.
type Store interface {
	Load(ctx context.Context) (secret.String, error) // empty when there is none
	Save(ctx context.Context, record secret.String) error
}

// Stage is how far a computer has come.
type Stage string

// The stages.
const (
	Apart     Stage = ""          // of no company, as far as is known
	SettingUp Stage = "setup"     // what to sign in to is not known yet
	SigningIn Stage = "sign-in"   // waits for a person to prove who they are
	Joining   Stage = "joining"   // they have, and the company's server is being told
	Waiting   Stage = "waiting"   // proven, and the company has not enabled them yet
	Active    Stage = "active"    // registered
	Suspended Stage = "suspended" // by the company, for a while
	Removed   Stage = "removed"   // by the company, for good
)

// View is what there is to see of a membership.
type View struct {
	Stage       Stage
	Server      string
	Company     string    // for people
	Group       string    // whose policy applies, "" for everybody's
	Policy      int64     // version in force, 0 for none
	Expires     time.Time // of the policy in force
	Fault       fault.Code
	Refused     string    // why the newest policy was refused, one of the words of [Reason]; "" when it was not
	Until       time.Time // when a fault's cause is tried again
	LastSuccess time.Time // the server's last good answer in this run
	Since       time.Time // Suspended, Removed
	By          string    // Removed: who asked for it, as the company's audit log names them
}

// Member is this computer's membership.
type Member struct {
	cfg     Config
	changed chan struct{} // one-slot: something for Run to look at

	mu    sync.Mutex
	rec   record
	early time.Time // from when a check-in may come with another wake-up
	view  View      // Fault, Refused, Until and LastSuccess; the rest follows from rec
}

// Open reads the record. A computer without one joins by its preset, when there is one.
func Open(ctx context.Context, cfg Config) (*Member, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Timer == nil {
		cfg.Timer = alarm.New
	}
	m := &Member{cfg: cfg, changed: make(chan struct{}, 1)}
	raw, err := cfg.Store.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("read registration: %w", err)
	}
	if !raw.Empty() {
		if err := json.Unmarshal([]byte(raw.Reveal()), &m.rec); err != nil {
			return nil, fmt.Errorf("read registration: %w", err)
		}
	}
	if m.rec.Server == "" && m.rec.Removed == nil && cfg.Preset.Server != "" {
		if err := m.join(ctx, cfg.Preset.Server, cfg.Preset.Key); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// View returns what there is to see.
func (m *Member) View() View {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.view
	v.Stage, v.Server, v.Company, v.Group = m.rec.stage(), m.rec.Server, m.rec.Company, m.rec.Group
	if m.rec.Policy != nil {
		v.Policy, v.Expires = m.rec.Policy.Version, m.rec.Policy.Expires
	}
	if m.rec.Refused { // also while the server cannot be asked
		v.Fault = fault.KeyRefused
	}
	switch v.Stage {
	case Suspended:
		v.Since = m.rec.Since
	case Removed:
		v.Since, v.By, v.Company = m.rec.Removed.At, m.rec.Removed.By, m.rec.Removed.Company
	}
	return v
}

// Settings returns the settings of the policy in force, which of them the user may not change, and
// the policy's version.
func (m *Member) Settings() (settings map[string]json.RawMessage, locked []string, version int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rec.Policy == nil {
		return nil, nil, 0
	}
	return m.rec.Policy.Settings, m.rec.Policy.Locked, m.rec.Policy.Version
}

// Enrol joins a company by what a person pasted: a link, or a code for the server that was rolled
// out with the program; nothing stands for what was rolled out. Faults: EnrolRefused when it is
// neither, AlreadyEnrolled.
func (m *Member) Enrol(ctx context.Context, pasted secret.String) error {
	if m.registered() {
		return fault.New(fault.AlreadyEnrolled, "enrol", nil)
	}
	server, key := m.cfg.Preset.Server, m.cfg.Preset.Key
	if !pasted.Empty() {
		key = pasted
		if link, err := provision.ParseLink(pasted.Reveal()); err == nil {
			server, key = link.Server, link.Code.Text()
		}
	}
	if server == "" || key.Empty() {
		return fault.New(fault.EnrolRefused, "enrol", errors.New("neither a link nor a code for a known server"))
	}
	if err := m.join(ctx, server, key); err != nil {
		return err
	}
	m.cfg.Changed()
	m.tell()
	return nil
}

// Invites returns the server of the company that a link would join, and joins nothing. Faults: as Enrol's.
func (m *Member) Invites(link secret.String) (server string, err error) {
	if m.registered() {
		return "", fault.New(fault.AlreadyEnrolled, "read link", nil)
	}
	l, err := provision.ParseLink(link.Reveal())
	if err != nil {
		return "", fault.New(fault.EnrolRefused, "read link", err)
	}
	return l.Server, nil
}

// join begins a membership anew, with a device key of its own.
func (m *Member) join(ctx context.Context, server string, key secret.String) error {
	credential, err := provision.ParseCredential(key.Reveal())
	if err == nil && !credential.Enrols() {
		err = errors.New("not a key to enrol with")
	}
	if err != nil {
		return fault.New(fault.EnrolRefused, "enrol", err)
	}
	if _, err := m.client(server, credential); err != nil {
		return fault.New(fault.EnrolRefused, "enrol", err)
	}
	registration, device := provision.NewRegistration()
	return m.store(ctx, func(r *record) {
		*r = record{
			Server: server, Key: credential.Text().Reveal(), Registration: registration, Secret: device.Reveal(),
			Goodbyes: r.Goodbyes,
		}
		m.view.Fault, m.view.Refused = "", ""
	})
}

// Nonce is what a sign-in on a side has to carry to prove something to the company; "" when it has
// nothing to prove.
func (m *Member) Nonce(side string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.rec.joining() {
		return ""
	}
	return provision.IDTokenNonce(side, m.rec.Registration, m.rec.Secret)
}

// Pending reports whether the computer is of a company that has not registered it yet.
func (m *Member) Pending() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rec.joining()
}

func (m *Member) registered() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rec.Device != ""
}

// Prove hands over the id_token of a sign-in, empty where the provider gives none. The mail side
// also says which mailbox it is.
func (m *Member) Prove(ctx context.Context, side string, idToken secret.String, mailbox string) error {
	if !m.Pending() {
		return nil
	}
	err := m.change(ctx, func(r *record) {
		r.Ticket = "" // it stands for two earlier sign-ins
		if r.Proofs == nil {
			r.Proofs = map[string]string{}
		}
		r.Proofs[side] = idToken.Reveal()
		if side == provision.SideMail {
			r.Mailbox = mailbox
		}
		m.view.Fault = ""
	})
	m.tell()
	return err
}

// Lacks reports whether the company wants a fresh sign-in on a side.
func (m *Member) Lacks(side string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.rec.joining() || m.rec.Ticket != "" {
		return false
	}
	return m.rec.lacks(side)
}

// Nudge lets what waits be tried now.
func (m *Member) Nudge() { m.tell() }

func (m *Member) tell() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// change stores a changed record, and only then shows it.
func (m *Member) change(ctx context.Context, edit func(*record)) error {
	if err := m.store(ctx, edit); err != nil {
		return err
	}
	m.cfg.Changed()
	return nil
}

// changeOf is change, unless another membership has begun since rec was read: an answer that comes
// late is about nothing any more.
func (m *Member) changeOf(ctx context.Context, rec record, edit func(*record)) error {
	return m.change(ctx, func(r *record) {
		if r.Registration == rec.Registration {
			edit(r)
		}
	})
}

func (m *Member) store(ctx context.Context, edit func(*record)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := m.rec.clone()
	shown := m.view
	edit(&next)
	text, err := next.text()
	if err == nil {
		err = m.cfg.Store.Save(ctx, text)
	}
	if err != nil {
		m.view = shown
		return fmt.Errorf("store registration: %w", err)
	}
	m.rec = next
	return nil
}

// show changes what is not stored.
func (m *Member) show(edit func(*View)) {
	m.mu.Lock()
	edit(&m.view)
	m.mu.Unlock()
	m.cfg.Changed()
}

func (m *Member) client(server string, key provision.Credential) (*provision.Client, error) {
	return provision.NewClient(provision.ClientConfig{Server: server, Key: key, Base: m.cfg.HTTP, Now: m.cfg.Now})
}
