package agentdb

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"hawser/store/sqlitedb"
	"hawser/sync/capture"
	"hawser/sync/deliver"
	"hawser/sync/fault"
)

func questionAAD(id int64) sqlitedb.AAD { return aad("mail.question", id) }
func answersAAD(id int64) sqlitedb.AAD  { return aad("mail.answers", id) }

// Remembered is an answer for the next time.
type Remembered struct {
	Kind    capture.QuestionKind
	Subject string
	Option  capture.Option // ID "" is none of them
	At      time.Time
}

// remembered is its sealed text.
type remembered struct {
	Kind    capture.QuestionKind `json:"k"`
	Subject string               `json:"s"`
	Option  capture.Option       `json:"o"`
}

func (d *DB) askedHash(kind capture.QuestionKind, subject string) []byte {
	return d.seal.KeyedHash("answer", []byte(string(kind)+"\x00"+plainAddress(subject)))
}

func answerAAD(hash []byte) sqlitedb.AAD {
	return sqlitedb.AAD{Table: "answer", Row: string(hash), Schema: schema}
}

// questionKey is where delivery looks for the answer.
func questionKey(q *capture.Question) string {
	if q.Kind == capture.AskPerson {
		return deliver.AnswerPerson + plainAddress(q.Subject)
	}
	return string(q.Kind)
}

// Answer stores what the person decided about a mail that waits for it, or that is held with its
// content, and makes it due at once. key is one of deliver's Answer keys. With remember the
// answer also holds for later mails, which takes a question. Faults: NotFound when the mail
// is neither queued nor held, MailGone when its content was not kept, Usage when the question is
// another one or has no such option.
func (d *DB) Answer(ctx context.Context, id int64, key, option string, remember bool) error {
	now := d.now().UnixMilli()
	return d.db.Tx(ctx, "answer question", func(ctx context.Context, tx *sql.Tx) error {
		var asked, given []byte
		err := tx.QueryRowContext(ctx, "SELECT question, answers FROM mail WHERE id = ? AND state IN (1, 2, 3)", id).Scan(&asked, &given)
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "find mail", nil)
		}
		if err != nil {
			return err
		}
		var q *capture.Question
		answers := map[string]string{}
		if err := errors.Join(d.openJSON(questionAAD(id), asked, &q), d.openJSON(answersAAD(id), given, &answers)); err != nil {
			return err
		}
		chosen, err := chosenOf(q, key, option)
		if err != nil {
			return err
		}
		answers[key] = option
		sealed, err := d.sealJSON(answersAAD(id), answers)
		if err != nil {
			return err
		}
		if remember {
			if err := d.remember(ctx, tx, q, chosen); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, "UPDATE mail SET state = 1, moved_at = ?, due_at = 0, tries = 0, answers = ?, "+calm+" WHERE id = ?", now, sealed, id)
		if err != nil {
			return err
		}
		return wantContent(ctx, tx, id)
	})
}

// chosenOf checks an answer against the question that is open, if there is one.
func chosenOf(q *capture.Question, key, option string) (capture.Option, error) {
	if q == nil {
		return capture.Option{ID: option}, nil
	}
	i := slices.IndexFunc(q.Options, func(o capture.Option) bool { return o.ID == option })
	switch {
	case key != questionKey(q):
		return capture.Option{}, fault.New(fault.Usage, "answer question", errors.New("another question is open"))
	case i >= 0:
		return q.Options[i], nil
	case option == "" || len(q.Options) == 0:
		return capture.Option{ID: option}, nil
	default:
		return capture.Option{}, fault.New(fault.Usage, "answer question", errors.New("no such option"))
	}
}

func (d *DB) remember(ctx context.Context, tx *sql.Tx, q *capture.Question, chosen capture.Option) error {
	if q == nil {
		return fault.New(fault.Usage, "remember answer", errors.New("nothing was asked"))
	}
	hash := d.askedHash(q.Kind, q.Subject)
	sealed, err := d.sealJSON(answerAAD(hash), remembered{q.Kind, q.Subject, chosen})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO answer (hash, at, sealed) VALUES (?, ?, ?)
		ON CONFLICT (hash) DO UPDATE SET at = excluded.at, sealed = excluded.sealed`, hash, d.now().UnixMilli(), sealed)
	return err
}

// Pick returns the option that the person wants whenever this is asked, whatever the case of
// subject; false when they have not said.
func (d *DB) Pick(ctx context.Context, kind capture.QuestionKind, subject string) (option string, ok bool, err error) {
	hash := d.askedHash(kind, subject)
	var sealed []byte
	err = d.db.Read().QueryRowContext(ctx, "SELECT sealed FROM answer WHERE hash = ?", hash).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, sqlitedb.Fault("look up answer", err)
	}
	var r remembered
	if err := d.openJSON(answerAAD(hash), sealed, &r); err != nil {
		return "", false, err
	}
	return r.Option.ID, true, nil
}

// Answers lists the remembered answers, the youngest first.
func (d *DB) Answers(ctx context.Context) ([]Remembered, error) {
	var list []Remembered
	err := d.eachAnswer(ctx, d.db.Read(), func(_ []byte, r Remembered) { list = append(list, r) })
	return list, sqlitedb.Fault("list answers", err)
}

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func (d *DB) eachAnswer(ctx context.Context, from querier, do func(hash []byte, r Remembered)) error {
	rows, err := from.QueryContext(ctx, "SELECT hash, at, sealed FROM answer ORDER BY at DESC, hash")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var hash, sealed []byte
		var at int64
		if err := rows.Scan(&hash, &at, &sealed); err != nil {
			return err
		}
		var r remembered
		if err := d.openJSON(answerAAD(hash), sealed, &r); err != nil {
			return err
		}
		do(hash, Remembered{r.Kind, r.Subject, r.Option, unixMilli(at)})
	}
	return rows.Err()
}

// ForgetAnswers makes every question about subject be asked again. NotFound when no answer to one is
// remembered.
func (d *DB) ForgetAnswers(ctx context.Context, subject string) error {
	return d.db.Tx(ctx, "forget answers", func(ctx context.Context, tx *sql.Tx) error {
		forgotten := int64(0)
		for _, kind := range []capture.QuestionKind{capture.AskPerson, capture.AskRelated, capture.AskFiles} {
			res, err := tx.ExecContext(ctx, "DELETE FROM answer WHERE hash = ?", d.askedHash(kind, subject))
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			if err != nil {
				return err
			}
			forgotten += n
		}
		if forgotten == 0 {
			return fault.New(fault.NotFound, "find answers", nil)
		}
		return nil
	})
}

// about reports whether the answer has to do with an address in plain form.
func (r Remembered) about(address string) bool {
	for _, text := range []string{r.Subject, r.Option.Name, r.Option.About} {
		if names(text, address) {
			return true
		}
	}
	return false
}

// names reports whether a text contains an address as a whole: "joann@x.example" does not name
// "ann@x.example".
func names(text, address string) bool {
	text = strings.ToLower(text)
	for from := 0; ; {
		i := strings.Index(text[from:], address)
		if i < 0 {
			return false
		}
		last, _ := utf8.DecodeLastRuneInString(text[:from+i])
		next, _ := utf8.DecodeRuneInString(text[from+i+len(address):])
		if next == '.' { // of a longer domain, or of a sentence
			next, _ = utf8.DecodeRuneInString(text[from+i+len(address)+1:])
		}
		if !inWord(last, ".-_+%") && !inWord(next, "-") {
			return true
		}
		from += i + 1
	}
}

// inWord reports whether r is a letter, a digit or one of the marks.
func inWord(r rune, marks string) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(marks, r))
}
