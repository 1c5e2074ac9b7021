-- +goose Up

-- Used nonces, a row for each commit: the ids of its nonces one after the other, 16 bytes each, and a
-- moment at which all of them have ended. The one process that has the file open knows all of
-- them; the rows are read when it starts.
CREATE TABLE nonces (
	ends INTEGER PRIMARY KEY,
	ids  BLOB NOT NULL
) STRICT;
INSERT INTO nonces (ends, ids) SELECT (SELECT max(expires) FROM nonce) + row_number() OVER (), id FROM nonce;
DROP TABLE nonce;
