-- +goose Up

-- Conversations that are followed. Their mails are known by keyed hashes of their keys. A number
-- is given once: a screen may show one that was stopped meanwhile.
CREATE TABLE thread (
	id    INTEGER PRIMARY KEY AUTOINCREMENT,
	title BLOB    NOT NULL, -- sealed
	since INTEGER NOT NULL
) STRICT;
CREATE TABLE thread_mail (
	hash   BLOB    PRIMARY KEY,
	thread INTEGER NOT NULL REFERENCES thread(id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX thread_mail_thread ON thread_mail (thread);

ALTER TABLE mail ADD COLUMN moved_at INTEGER NOT NULL DEFAULT 0; -- when it came into its state; 0: its journal line is gone
ALTER TABLE mail ADD COLUMN thread INTEGER REFERENCES thread(id) ON DELETE SET NULL;
ALTER TABLE mail ADD COLUMN people BLOB;   -- who is in it: keyed hashes of 8 bytes each
ALTER TABLE mail ADD COLUMN question BLOB; -- sealed
ALTER TABLE mail ADD COLUMN answers BLOB;  -- sealed
ALTER TABLE mail ADD COLUMN record BLOB;   -- sealed: what the journal will say of the record
CREATE INDEX mail_thread ON mail (thread) WHERE thread IS NOT NULL;

-- Mails that never entered the queue. They are many, and nobody wanted them kept: keyed hashes,
-- the reason, the time. ids are those of the table mail.
CREATE TABLE filtered (
	id     INTEGER PRIMARY KEY,
	hash   BLOB    NOT NULL UNIQUE, -- keyed, of the key
	print  BLOB    NOT NULL,        -- keyed, of the fingerprint
	reason INTEGER NOT NULL,
	at     INTEGER NOT NULL
) STRICT;

-- The reasons that occur, found by a keyed hash: a rule may name a person.
CREATE TABLE reason (
	id     INTEGER PRIMARY KEY,
	hash   BLOB NOT NULL UNIQUE,
	sealed BLOB NOT NULL
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER filtered_forgotten AFTER DELETE ON filtered BEGIN
	UPDATE tally SET n = n - 1 WHERE state = 4;
END;
-- +goose StatementEnd

-- Answers for the next time, found by a keyed hash of what was asked.
CREATE TABLE answer (
	hash   BLOB    PRIMARY KEY,
	at     INTEGER NOT NULL,
	sealed BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- A journal line outlives its mail's row, which a person may capture once more under a new id.
CREATE TABLE line (
	id         INTEGER PRIMARY KEY,
	mail       INTEGER NOT NULL UNIQUE,
	at         INTEGER NOT NULL,
	kind       TEXT    NOT NULL,
	record_id  TEXT    NOT NULL,
	bytes      INTEGER NOT NULL,
	files      INTEGER NOT NULL,
	left_out   INTEGER NOT NULL,
	mark       TEXT    NOT NULL,
	record     BLOB,   -- sealed
	removed_at INTEGER -- when the record was deleted again
) STRICT;
INSERT INTO line (id, mail, at, kind, record_id, bytes, files, left_out, mark)
	SELECT j.id, j.mail, j.at, j.kind, j.record_id, j.bytes, j.files, j.left_out, m.mark
	FROM journal j JOIN mail m ON m.id = j.mail;
DROP TABLE journal;
ALTER TABLE line RENAME TO journal;

UPDATE mail SET moved_at = coalesce((SELECT at FROM journal j WHERE j.mail = mail.id), seen_at);
-- What a rule kept out loses its words; what a person skipped keeps them until it is forgotten.
UPDATE mail SET why = rule, rule = '', head = NULL, detail = NULL, folder = NULL, validity = 0, uid = 0
	WHERE state = 4 AND rule <> 'skipped';
UPDATE mail SET why = 'skipped-by-hand', rule = '' WHERE state = 4 AND rule = 'skipped';
