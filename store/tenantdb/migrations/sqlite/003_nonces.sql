-- +goose Up

-- Used nonces, a row for each commit: the ids of its nonces one after the other, 16 bytes each, and
-- when the last of them ends. The one process that has the file open knows all of them; the rows
-- are read when it starts.
CREATE TABLE nonces (
	expires INTEGER NOT NULL,
	ids     BLOB    NOT NULL
) STRICT;
CREATE INDEX nonces_expires ON nonces (expires);
INSERT INTO nonces (expires, ids) SELECT expires, id FROM nonce;
DROP TABLE nonce;
