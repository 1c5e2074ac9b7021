package agent

import (
	"context"
	"io"

	"hawser/auth/secret"
	"hawser/store/agentdb"
	"hawser/sync/capture"
	"hawser/sync/engine"
	"hawser/sync/imapsource"
	"hawser/sync/rules"
)

// ledger lets the engine see the store as its [engine.Ledger].
type ledger struct{ db *agentdb.DB }

func (l ledger) Stage(ctx context.Context, raw io.Reader) (engine.Staged, error) {
	s, err := l.db.Stage(ctx, raw)
	if err != nil {
		return nil, err
	}
	return &staged{db: l.db, mail: s}, nil
}

func (l ledger) Known(ctx context.Context, prints map[capture.Key][32]byte) (map[capture.Key]engine.Known, error) {
	keys := make([]capture.Key, 0, len(prints))
	for k := range prints {
		keys = append(keys, k)
	}
	rows, err := l.db.Known(ctx, keys)
	if err != nil {
		return nil, err
	}
	known := make(map[capture.Key]engine.Known, len(rows))
	for k, row := range rows {
		known[k] = engine.Known{ID: row.ID, State: row.State.String(), Same: row.Matches(prints[k]), Why: row.Why, Mark: row.Mark}
	}
	return known, nil
}

var verdicts = map[engine.Verdict]agentdb.State{
	engine.Queue: agentdb.Waiting, engine.Filter: agentdb.Filtered, engine.Hold: agentdb.Held,
}

func (l ledger) Admit(ctx context.Context, mails []engine.NewMail, cursors []capture.Cursor) (int, error) {
	rows := make([]agentdb.NewMail, len(mails))
	for i, m := range mails {
		rows[i] = agentdb.NewMail{
			Key: m.Key, Fingerprint: m.Fingerprint, State: verdicts[m.Verdict], Why: m.Why, Rule: m.By, Mark: m.Mark, Again: m.Again,
			Live: m.Live, Ref: m.Ref, Size: m.Size, Received: m.Received, Head: m.Head,
		}
		if m.Verdict == engine.Filter {
			rows[i].Reason = rules.Reason(m.Rule)
		}
		if s, ok := m.Content.(*staged); ok {
			rows[i].Staged = &s.mail
		}
	}
	return l.db.Admit(ctx, rows, cursors)
}

func (l ledger) Cursor(ctx context.Context, name string) (capture.Cursor, bool, error) {
	return l.db.Cursor(ctx, name)
}

// staged is a raw mail that lies sealed in the store.
type staged struct {
	db   *agentdb.DB
	mail agentdb.Staged
}

func (s *staged) Size() int64                       { return s.mail.Size }
func (s *staged) SHA256() [32]byte                  { return s.mail.SHA256 }
func (s *staged) Discard(ctx context.Context) error { return s.db.Discard(ctx, &s.mail) }

// source lets the engine see the IMAP adapter as its [engine.Source].
type source struct{ *imapsource.Source }

func (s source) Scan(ctx context.Context, req engine.ScanRequest, sink engine.Sink) error {
	return s.Source.Scan(ctx, imapsource.ScanRequest(req), sink)
}

func (s source) Fetch(ctx context.Context, refs []capture.Ref, sink engine.Sink) error {
	return s.Source.Fetch(ctx, refs, sink)
}

// refreshToken is where one side's refresh token lies, sealed in the store.
type refreshToken struct {
	db   *agentdb.DB
	side string
}

func (r refreshToken) name() string { return "refresh." + r.side }

// Load implements oauth.Store.
func (r refreshToken) Load(ctx context.Context) (secret.String, error) {
	return r.db.Secret(ctx, r.name())
}

// Save implements oauth.Store; an empty token is forgotten.
func (r refreshToken) Save(ctx context.Context, token secret.String) error {
	if token.Empty() {
		return r.db.DeleteSecret(ctx, r.name())
	}
	return r.db.SaveSecret(ctx, r.name(), token)
}
