-- +goose Up

-- What marks this file: 'owner', 16 random bytes that every sealed text is bound to, and
-- 'check', a sealed word that only the right key opens.
CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A folder's name may be personal: it is found by its keyed hash.
CREATE TABLE folder (
	id   INTEGER PRIMARY KEY,
	hash BLOB NOT NULL UNIQUE,
	name BLOB NOT NULL -- sealed
) STRICT;

-- Up to where a folder was read.
CREATE TABLE cursor (
	folder   INTEGER PRIMARY KEY REFERENCES folder(id) ON DELETE CASCADE,
	validity INTEGER NOT NULL,
	next     INTEGER NOT NULL,
	modseq   INTEGER NOT NULL -- bits of a uint64
) STRICT;

-- Every place in which a mail of the ledger was seen.
CREATE TABLE place (
	folder   INTEGER NOT NULL REFERENCES folder(id) ON DELETE CASCADE,
	validity INTEGER NOT NULL,
	uid      INTEGER NOT NULL,
	PRIMARY KEY (folder, validity, uid)
) STRICT, WITHOUT ROWID;

-- The ledger: one row per mail that was ever seen, and at the same time the queue.
-- state: 1 waiting, 2 needs-you, 3 held, 4 filtered, 5 captured. Times are Unix milliseconds UTC.
CREATE TABLE mail (
	id          INTEGER PRIMARY KEY,
	key         BLOB    NOT NULL UNIQUE,
	fingerprint BLOB    NOT NULL, -- keyed hash
	state       INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
	mark        TEXT    NOT NULL,
	live        INTEGER NOT NULL,
	size        INTEGER NOT NULL,
	seen_at     INTEGER NOT NULL,
	step        INTEGER NOT NULL,
	tries       INTEGER NOT NULL DEFAULT 0,
	due_at      INTEGER NOT NULL DEFAULT 0, -- 0: at once, whatever the clock says
	began_at    INTEGER,                    -- of an attempt whose end is not known
	kind        TEXT    NOT NULL DEFAULT '',
	record_id   TEXT    NOT NULL DEFAULT '',
	why         TEXT    NOT NULL,
	rule        TEXT    NOT NULL,
	folder      INTEGER REFERENCES folder(id) ON DELETE SET NULL, -- where it was seen last: a hint
	validity    INTEGER NOT NULL DEFAULT 0,
	uid         INTEGER NOT NULL DEFAULT 0,
	head        BLOB, -- sealed; NULL once captured
	detail      BLOB  -- sealed
) STRICT;

CREATE INDEX mail_list ON mail (state, id);
CREATE INDEX mail_due ON mail (live DESC, id, due_at) WHERE state = 1;
CREATE INDEX mail_folder ON mail (folder) WHERE folder IS NOT NULL;

-- How many mails are in each state, so that counting costs nothing. Moves are counted by
-- triggers; inserts by whoever inserts, once for all its rows: a trigger would make SQLite copy
-- every page an insert touches, in case it has to be undone.
CREATE TABLE tally (
	state INTEGER PRIMARY KEY,
	n     INTEGER NOT NULL
) STRICT;
INSERT INTO tally (state, n) VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0);

-- +goose StatementBegin
CREATE TRIGGER mail_moved AFTER UPDATE OF state ON mail WHEN old.state <> new.state BEGIN
	UPDATE tally SET n = n - 1 WHERE state = old.state;
	UPDATE tally SET n = n + 1 WHERE state = new.state;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER mail_forgotten AFTER DELETE ON mail BEGIN
	UPDATE tally SET n = n - 1 WHERE state = old.state;
END;
-- +goose StatementEnd

-- Raw mails, sealed in pieces of 256 KiB. id = mail.id * 2^20 + piece: the pieces of a mail
-- are neighbours and need no second index.
CREATE TABLE content (
	id     INTEGER PRIMARY KEY,
	last   INTEGER NOT NULL,
	sealed BLOB    NOT NULL
) STRICT;

-- Mails whose pieces are being stored before the mail itself; what is listed here when the
-- program starts was given up.
CREATE TABLE spool (
	mail INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE journal (
	id        INTEGER PRIMARY KEY,
	mail      INTEGER NOT NULL UNIQUE REFERENCES mail(id),
	at        INTEGER NOT NULL,
	kind      TEXT    NOT NULL,
	record_id TEXT    NOT NULL,
	bytes     INTEGER NOT NULL,
	files     INTEGER NOT NULL,
	left_out  INTEGER NOT NULL
) STRICT;

-- Tokens, settings and the one binding, each sealed.
CREATE TABLE secret (
	name   TEXT PRIMARY KEY,
	sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE setting (
	name   TEXT PRIMARY KEY,
	sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE binding (
	id     INTEGER PRIMARY KEY CHECK (id = 1),
	sealed BLOB NOT NULL
) STRICT;

-- Salesforce calls used, by UTC day.
CREATE TABLE budget (
	day  TEXT PRIMARY KEY,
	used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
