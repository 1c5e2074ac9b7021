package sourcetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
)

const delimiter = '/'

var specialUses = map[string]imap.MailboxAttr{
	"Sent": imap.MailboxAttrSent, "Drafts": imap.MailboxAttrDrafts, "Junk": imap.MailboxAttrJunk,
	"Trash": imap.MailboxAttrTrash, "Archive": imap.MailboxAttrArchive,
}

// account is one user's mailbox.
type account struct {
	user *imapmemserver.User

	mu      sync.Mutex // also held while a mail is marked or a folder replaced
	names   map[string]bool
	changed chan struct{} // closed and replaced when something changed
}

// account returns the mailbox of a user, made on first use with the usual folders.
func (p *Provider) account(email string) *account {
	email = strings.ToLower(email)
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.accounts[email]; a != nil {
		return a
	}
	a := &account{user: imapmemserver.NewUser(email, ""), names: map[string]bool{}, changed: make(chan struct{})}
	for _, folder := range []string{"INBOX", "Sent", "Drafts", "Archive", "Junk", "Trash", CaptureFolder} {
		a.folderLocked(folder) // nobody else knows a yet
	}
	if p.accounts == nil {
		p.accounts = map[string]*account{}
	}
	p.accounts[email] = a
	return a
}

func (a *account) folders() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var names []string
	for name := range a.names {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// changes returns a channel that is closed at the next change.
func (a *account) changes() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.changed
}

func (a *account) wakeLocked() {
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *account) note(name string, exists bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if exists {
		a.names[name] = true
	} else {
		delete(a.names, name)
	}
}

func (a *account) folderLocked(name string) {
	if !a.names[name] {
		_ = a.user.Create(name, nil) // fails only if it exists
		a.names[name] = true
	}
}

// literal is a mail in memory as the library wants it.
type literal struct{ *bytes.Reader }

func (l literal) Size() int64 { return l.Reader.Size() }

// Add puts a mail into a user's folder, which is made if need be, and returns its UID. A
// connection that waits in IDLE hears of it.
func (p *Provider) Add(user string, m DemoMail) uint32 {
	a := p.account(user)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.folderLocked(m.Folder)
	options := imap.AppendOptions{Time: m.Date}
	for _, flag := range m.Flags {
		options.Flags = append(options.Flags, imap.Flag(flag))
	}
	data, err := a.user.Append(m.Folder, literal{bytes.NewReader(m.Raw)}, &options)
	if err != nil {
		panic(err) // memory to memory, into a folder that exists
	}
	a.wakeLocked()
	return uint32(data.UID)
}

// Append puts a mail that arrives now into a user's folder.
func (p *Provider) Append(user, folder string, raw []byte, flags ...string) uint32 {
	return p.Add(user, DemoMail{Folder: folder, Flags: flags, Raw: raw, Date: time.Now()})
}

// Deliver lets a new mail arrive in the demo user's INBOX.
func (p *Provider) Deliver(raw []byte) uint32 { return p.Append(DemoUser, "INBOX", raw) }

// Fill puts the demo mailbox, as of now, into the demo user's folders.
func (p *Provider) Fill(now time.Time) {
	for _, m := range DemoMailbox(now) {
		p.Add(DemoUser, m)
	}
}

// Flag sets a flag or keyword on a mail, as its owner would from another device.
func (p *Provider) Flag(user, folder string, uid uint32, flag string) error {
	return p.within(user, folder, func(s *imapmemserver.UserSession) error {
		return s.Store(nil, imap.UIDSetNum(imap.UID(uid)), addFlag(imap.Flag(flag)), nil)
	})
}

// Move moves a mail to another folder, as its owner would from another device, and returns its
// UID there.
func (p *Provider) Move(user, folder string, uid uint32, dest string) (uint32, error) {
	var moved uint32
	err := p.within(user, folder, func(s *imapmemserver.UserSession) error {
		set := imap.UIDSetNum(imap.UID(uid))
		data, err := s.Copy(set, dest)
		if err != nil {
			return err
		}
		nums, ok := data.DestUIDs.Nums()
		if !ok || len(nums) != 1 {
			return errors.New("no such mail")
		}
		moved = uint32(nums[0])
		if err := s.Store(nil, set, addFlag(imap.FlagDeleted), nil); err != nil {
			return err
		}
		return s.Expunge(nil, &set)
	})
	return moved, err
}

// BumpUIDValidity replaces a folder by one with the same mails under other UIDs, as after a
// restored backup, and ends the connections.
func (p *Provider) BumpUIDValidity(user, folder string) error {
	const restored = "restored-from-backup"
	err := p.within(user, folder, func(s *imapmemserver.UserSession) error {
		if err := s.Create(restored, nil); err != nil {
			return err
		}
		// A mail that comes and goes makes every UID another one.
		if _, err := s.Append(restored, literal{bytes.NewReader([]byte("Subject: x\r\n\r\n"))}, &imap.AppendOptions{Flags: []imap.Flag{imap.FlagDeleted}}); err != nil {
			return err
		}
		var all imap.UIDSet
		all.AddRange(1, 0)
		if _, err := s.Copy(all, restored); err != nil {
			return err
		}
		if err := s.Delete(folder); err != nil {
			return err
		}
		if err := s.Rename(restored, folder, nil); err != nil {
			return err
		}
		if err := s.Unselect(); err != nil {
			return err
		}
		if _, err := s.Select(folder, &imap.SelectOptions{}); err != nil {
			return err
		}
		first := imap.UIDSetNum(1)
		return s.Expunge(nil, &first)
	})
	p.Bye("Mailbox was restored from a backup")
	return err
}

func addFlag(flag imap.Flag) *imap.StoreFlags {
	return &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{flag}}
}

// within runs f in a session of its own that has the folder selected.
func (p *Provider) within(user, folder string, f func(s *imapmemserver.UserSession) error) error {
	a := p.account(user)
	a.mu.Lock()
	defer a.mu.Unlock()
	s := imapmemserver.NewUserSession(a.user)
	if _, err := s.Select(folder, &imap.SelectOptions{}); err != nil {
		return fmt.Errorf("select %q: %w", folder, err)
	}
	defer s.Close()
	defer a.wakeLocked()
	return f(s)
}
