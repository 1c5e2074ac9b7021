package agentdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"hawser/auth/secret"
	"hawser/store/sqlitedb"
	"hawser/sync/capture"
	"hawser/sync/fault"
)

// SaveSecret stores a token under a name, over an older one.
func (d *DB) SaveSecret(ctx context.Context, name string, s secret.String) error {
	return d.save(ctx, "secret", name, []byte(s.Reveal()))
}

// Secret returns the token stored under name; empty when there is none.
func (d *DB) Secret(ctx context.Context, name string) (secret.String, error) {
	plain, found, err := d.load(ctx, "secret", name)
	if err != nil || !found {
		return secret.String{}, err
	}
	return secret.New(string(plain)), nil
}

// DeleteSecret removes the token stored under name, if any, from the disk.
func (d *DB) DeleteSecret(ctx context.Context, name string) error {
	err := d.db.Tx(ctx, "delete secret", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM secret WHERE name = ?", name)
		return err
	})
	if err != nil {
		return err
	}
	return d.db.TruncateWAL(ctx)
}

// SaveSetting stores a value that the program remembers for itself. It is sealed too.
func (d *DB) SaveSetting(ctx context.Context, name, value string) error {
	return d.save(ctx, "setting", name, []byte(value))
}

// Setting returns the value stored under name and whether there is one.
func (d *DB) Setting(ctx context.Context, name string) (string, bool, error) {
	plain, found, err := d.load(ctx, "setting", name)
	return string(plain), found, err
}

// choicesSetting holds what a person chose, and how often they did.
const choicesSetting = "choices"

type savedChoices struct {
	Version int64           `json:"version"`
	Choices capture.Choices `json:"choices"`
}

// SaveChoices stores what is captured, over what was chosen before, and returns its version: one
// more than the last.
func (d *DB) SaveChoices(ctx context.Context, c capture.Choices) (version int64, err error) {
	err = d.db.Tx(ctx, "save choices", func(ctx context.Context, tx *sql.Tx) error {
		var sealed []byte
		err := tx.QueryRowContext(ctx, "SELECT sealed FROM setting WHERE name = ?", choicesSetting).Scan(&sealed)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		at := sqlitedb.AAD{Table: "setting", Row: choicesSetting, Schema: schema}
		var s savedChoices
		if err := d.openJSON(at, sealed, &s); err != nil {
			return err
		}
		version = s.Version + 1
		if sealed, err = d.sealJSON(at, savedChoices{version, c}); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO setting (name, sealed) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed",
			choicesSetting, sealed)
		return err
	})
	return version, err
}

// Choices returns what was chosen last and its version; the zero value and 0 when nothing was.
func (d *DB) Choices(ctx context.Context) (capture.Choices, int64, error) {
	plain, found, err := d.load(ctx, "setting", choicesSetting)
	var s savedChoices
	if err == nil && found {
		if err = json.Unmarshal(plain, &s); err != nil {
			err = fault.New(fault.QueueDamaged, "decode choices", err)
		}
	}
	return s.Choices, s.Version, err
}

// save and load know the two tables of named texts; table is one of our own words.
func (d *DB) save(ctx context.Context, table, name string, plain []byte) error {
	sealed := d.seal.Seal(sqlitedb.AAD{Table: table, Row: name, Schema: schema}, plain)
	return d.db.Tx(ctx, "save "+table, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO "+table+" (name, sealed) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed",
			name, sealed)
		return err
	})
}

func (d *DB) load(ctx context.Context, table, name string) ([]byte, bool, error) {
	var sealed []byte
	err := d.db.Read().QueryRowContext(ctx, "SELECT sealed FROM "+table+" WHERE name = ?", name).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, sqlitedb.Fault("read "+table, err)
	}
	plain, err := d.opened(sqlitedb.AAD{Table: table, Row: name, Schema: schema}, sealed)
	return plain, err == nil, err
}

// bound is the sealed text of the binding.
type bound struct {
	Account capture.Account
	Mailbox capture.Mailbox
}

var bindingAAD = sqlitedb.AAD{Table: "binding", Row: "1", Schema: schema}

// Bind joins this file to one account and one mailbox, once and for all: a repetition changes
// nothing but the mailbox's address, another account or mailbox is a WrongAccount fault.
func (d *DB) Bind(ctx context.Context, a capture.Account, m capture.Mailbox) error {
	plain, err := json.Marshal(bound{a, m})
	if err != nil {
		return fault.New(fault.Internal, "bind", err)
	}
	return d.db.Tx(ctx, "bind", func(ctx context.Context, tx *sql.Tx) error {
		var sealed []byte
		err := tx.QueryRowContext(ctx, "SELECT sealed FROM binding WHERE id = 1").Scan(&sealed)
		if err == nil {
			have, err := d.openBinding(sealed)
			if err != nil {
				return err
			}
			if have.Account != a || have.Mailbox.Issuer != m.Issuer || have.Mailbox.Subject != m.Subject {
				return fault.New(fault.WrongAccount, "bind", nil)
			}
		} else if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO binding (id, sealed) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed",
			d.seal.Seal(bindingAAD, plain))
		return err
	})
}

// Binding returns the account and mailbox of this file; false when it has none yet.
func (d *DB) Binding(ctx context.Context) (capture.Account, capture.Mailbox, bool, error) {
	var sealed []byte
	err := d.db.Read().QueryRowContext(ctx, "SELECT sealed FROM binding WHERE id = 1").Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return capture.Account{}, capture.Mailbox{}, false, nil
	}
	if err != nil {
		return capture.Account{}, capture.Mailbox{}, false, sqlitedb.Fault("read binding", err)
	}
	b, err := d.openBinding(sealed)
	return b.Account, b.Mailbox, err == nil, err
}

func (d *DB) openBinding(sealed []byte) (bound, error) {
	var b bound
	plain, err := d.opened(bindingAAD, sealed)
	if err != nil {
		return b, err
	}
	if err := json.Unmarshal(plain, &b); err != nil {
		return bound{}, fault.New(fault.QueueDamaged, "decode binding", fmt.Errorf("binding: %w", err))
	}
	return b, nil
}

// SaveCalls stores how many Salesforce calls were used on a UTC day ("2006-01-02"). The number
// never falls: a late writer cannot give calls back.
func (d *DB) SaveCalls(ctx context.Context, day string, used int) error {
	return d.db.Tx(ctx, "save calls", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO budget (day, used) VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET used = max(used, excluded.used)",
			day, used)
		return err
	})
}

// Calls returns how many Salesforce calls were used on a UTC day.
func (d *DB) Calls(ctx context.Context, day string) (int, error) {
	var used int
	err := d.db.Read().QueryRowContext(ctx, "SELECT used FROM budget WHERE day = ?", day).Scan(&used)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return used, sqlitedb.Fault("read calls", err)
}

// wiped are the tables in an order that their references allow.
var wiped = []string{
	"journal", "content", "spool", "filtered", "reason", "mail", "thread_mail", "thread", "answer", "cursor", "folder",
	"secret", "setting", "binding", "budget",
}

// Wipe removes everything: mails, cursors, journal, threads, answers, secrets, settings, binding. What was there
// is overwritten, and the file shrinks.
func (d *DB) Wipe(ctx context.Context) error {
	err := d.db.Tx(ctx, "wipe", func(ctx context.Context, tx *sql.Tx) error {
		for _, table := range wiped {
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+table); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	d.boundTo.Store(nil)
	return d.db.Vacuum(ctx)
}
