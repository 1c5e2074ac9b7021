package sourcetest

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-sasl"
)

// session is one IMAP connection. It is the library's session after the sign-in.
type session struct {
	*imapmemserver.UserSession
	provider *Provider
	conn     *imapserver.Conn
	account  *account
}

func (p *Provider) newSession(c *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
	s := &session{provider: p, conn: c}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sessions == nil {
		p.sessions = map[*session]struct{}{}
	}
	p.sessions[s] = struct{}{}
	return s, nil, nil
}

// Close implements imapserver.Session.
func (s *session) Close() error {
	s.provider.mu.Lock()
	delete(s.provider.sessions, s)
	s.provider.mu.Unlock()
	return s.UserSession.Close()
}

// Login refuses passwords, as the large providers do.
func (s *session) Login(_, _ string) error { return imapserver.ErrAuthFailed }

// AuthenticateMechanisms implements imapserver.SessionSASL.
func (s *session) AuthenticateMechanisms() []string { return []string{"XOAUTH2", sasl.OAuthBearer} }

// Authenticate implements imapserver.SessionSASL.
func (s *session) Authenticate(mech string) (sasl.Server, error) {
	if mech != "XOAUTH2" && mech != sasl.OAuthBearer {
		return nil, &imap.Error{Type: imap.StatusResponseTypeNo, Text: "SASL mechanism not supported"}
	}
	return &bearer{session: s}, nil
}

// bearer is the server's side of XOAUTH2 (Google's "OAuth 2.0 Mechanism") and OAUTHBEARER (RFC
// 7628): both are fields between 0x01 characters; only where the user stands differs.
type bearer struct {
	session *session
	refused bool
}

// Next implements sasl.Server. A refusal is told in a challenge first, which the client has to
// answer before the command fails.
func (b *bearer) Next(response []byte) (challenge []byte, done bool, err error) {
	if b.refused {
		return nil, false, imapserver.ErrAuthFailed
	}
	if response == nil {
		return []byte{}, false, nil
	}
	user, token := credentials(response)
	a, ok := b.session.provider.active(user, token)
	if !ok {
		b.refused = true
		challenge, err = json.Marshal(map[string]string{"status": "400", "schemes": "Bearer", "scope": "https://mail.google.com/"})
		return challenge, false, err
	}
	b.session.account = a
	b.session.UserSession = imapmemserver.NewUserSession(a.user)
	return nil, true, nil
}

func credentials(response []byte) (user, token string) {
	for field := range bytes.SplitSeq(response, []byte{1}) {
		text := string(field)
		if v, ok := strings.CutPrefix(text, "user="); ok {
			user = v
		}
		if _, v, ok := strings.Cut(text, ",a="); ok {
			user = strings.TrimSuffix(v, ",")
		}
		if v, ok := strings.CutPrefix(text, "auth="); ok && len(v) > 7 && strings.EqualFold(v[:7], "bearer ") {
			token = v[7:]
		}
	}
	return user, token
}

// List replaces the library's, which knows no special uses (RFC 6154).
func (s *session) List(w *imapserver.ListWriter, ref string, patterns []string, options *imap.ListOptions) error {
	if len(patterns) == 0 {
		return w.WriteList(&imap.ListData{Attrs: []imap.MailboxAttr{imap.MailboxAttrNoSelect}, Delim: delimiter})
	}
	for _, name := range s.account.folders() {
		if !matches(name, ref, patterns) {
			continue
		}
		data := imap.ListData{Mailbox: name, Delim: delimiter, Attrs: []imap.MailboxAttr{imap.MailboxAttrHasNoChildren}}
		if use, special := specialUses[name]; special {
			data.Attrs = append(data.Attrs, use)
		} else if options.SelectSpecialUse {
			continue
		}
		if options.ReturnStatus != nil {
			status, err := s.Status(name, options.ReturnStatus)
			if err != nil {
				return err
			}
			data.Status = status
		}
		if err := w.WriteList(&data); err != nil {
			return err
		}
	}
	return nil
}

func matches(name, ref string, patterns []string) bool {
	for _, pattern := range patterns {
		if imapserver.MatchList(name, delimiter, ref, pattern) {
			return true
		}
	}
	return false
}

// Create keeps the list of folders.
func (s *session) Create(name string, options *imap.CreateOptions) error {
	if err := s.UserSession.Create(name, options); err != nil {
		return err
	}
	s.account.note(strings.TrimRight(name, string(delimiter)), true)
	return nil
}

// Delete keeps the list of folders.
func (s *session) Delete(name string) error {
	if err := s.UserSession.Delete(name); err != nil {
		return err
	}
	s.account.note(name, false)
	return nil
}

// Rename keeps the list of folders.
func (s *session) Rename(name, newName string, options *imap.RenameOptions) error {
	if err := s.UserSession.Rename(name, newName, options); err != nil {
		return err
	}
	s.account.note(name, false)
	s.account.note(strings.TrimRight(newName, string(delimiter)), true)
	return nil
}

// Idle replaces the library's, which stays silent about a change between the client's last
// command and its IDLE until the next change comes. What other IMAP clients change is seen a
// moment later than what the Provider's own methods change.
func (s *session) Idle(w *imapserver.UpdateWriter, stop <-chan struct{}) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		changes := s.account.changes()
		if err := s.Poll(w, true); err != nil {
			return err
		}
		select {
		case <-changes:
		case <-tick.C:
		case <-stop:
			return nil
		}
	}
}
