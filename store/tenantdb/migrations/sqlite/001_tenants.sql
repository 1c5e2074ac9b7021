-- +goose Up

-- Times are Unix microseconds UTC, 0 is none. Truths are 0 and 1. Lists are JSON. The PostgreSQL
-- folder holds the same tables; statements are shared, so names and orders of columns are alike.

-- What marks this database: 'id', random; 'check', a word sealed by the server's key; 'moved',
-- set when everything was carried to another database.
CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tenant (
	id          TEXT PRIMARY KEY,
	name        TEXT    NOT NULL UNIQUE,
	suspended   INTEGER NOT NULL,
	sites       TEXT    NOT NULL,
	mail        TEXT    NOT NULL,
	domains     TEXT    NOT NULL,
	policy_keys TEXT    NOT NULL,
	created     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE admin (
	tenant TEXT NOT NULL REFERENCES tenant (id),
	org    TEXT NOT NULL,
	usr    TEXT NOT NULL,
	grp    TEXT NOT NULL,
	PRIMARY KEY (tenant, org, usr)
) STRICT, WITHOUT ROWID;

-- Every secret that signs requests, sealed outside. Enrolment codes and devices have one too.
CREATE TABLE api_key (
	id        TEXT    PRIMARY KEY,
	tenant    TEXT    NOT NULL REFERENCES tenant (id),
	role      TEXT    NOT NULL,
	grp       TEXT    NOT NULL,
	usr       TEXT    NOT NULL,
	sealed    BLOB    NOT NULL,
	not_after INTEGER NOT NULL,
	spent_by  TEXT    NOT NULL,
	created   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_role ON api_key (tenant, role, usr);

-- live is 1, or NULL for deprovisioned people: only living ones hold account and mailbox, as NULLs differ
-- from each other. (A partial index would say the same, and have SQLite plan every statement anew.)
CREATE TABLE person (
	tenant   TEXT    NOT NULL REFERENCES tenant (id),
	id       TEXT    NOT NULL,
	grp      TEXT    NOT NULL,
	org      TEXT    NOT NULL,
	usr      TEXT    NOT NULL,
	mailbox  TEXT    NOT NULL,
	aliases  TEXT    NOT NULL,
	state    TEXT    NOT NULL,
	state_at INTEGER NOT NULL,
	state_by TEXT    NOT NULL,
	bound    INTEGER NOT NULL,
	created  INTEGER NOT NULL,
	updated  INTEGER NOT NULL,
	live     INTEGER,
	PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX person_account ON person (tenant, org, usr, live);
CREATE UNIQUE INDEX person_mailbox ON person (tenant, mailbox, live);

CREATE TABLE device (
	tenant        TEXT    NOT NULL,
	id            TEXT    NOT NULL,
	usr           TEXT    NOT NULL,
	registration  TEXT    NOT NULL,
	key_hash      BLOB    NOT NULL,
	state         TEXT    NOT NULL,
	state_at      INTEGER NOT NULL,
	state_by      TEXT    NOT NULL,
	created       INTEGER NOT NULL,
	last_seen     INTEGER NOT NULL,
	agent_version TEXT    NOT NULL,
	agent_os      TEXT    NOT NULL,
	agent_state   TEXT    NOT NULL,
	agent_fault   TEXT    NOT NULL,
	agent_policy  INTEGER NOT NULL,
	seen          INTEGER NOT NULL,
	captured      INTEGER NOT NULL,
	filtered      INTEGER NOT NULL,
	held          INTEGER NOT NULL,
	waiting       INTEGER NOT NULL,
	needs_you     INTEGER NOT NULL,
	PRIMARY KEY (tenant, id),
	UNIQUE (tenant, registration),
	FOREIGN KEY (tenant, usr) REFERENCES person (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_usr ON device (tenant, usr);

-- What one user in the whole world may hold: hashes keyed outside the database.
CREATE TABLE claim (
	kind   TEXT NOT NULL,
	hash   BLOB NOT NULL,
	tenant TEXT NOT NULL,
	usr    TEXT NOT NULL,
	PRIMARY KEY (kind, hash),
	UNIQUE (tenant, usr, kind),
	FOREIGN KEY (tenant, usr) REFERENCES person (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE policy (
	tenant    TEXT    NOT NULL REFERENCES tenant (id),
	grp       TEXT    NOT NULL,
	version   INTEGER NOT NULL,
	payload   BLOB    NOT NULL,
	signature BLOB    NOT NULL,
	key_id    TEXT    NOT NULL,
	PRIMARY KEY (tenant, grp)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	tenant  TEXT    NOT NULL REFERENCES tenant (id),
	at      INTEGER NOT NULL,
	actor   TEXT    NOT NULL,
	action  TEXT    NOT NULL,
	subject TEXT    NOT NULL,
	detail  TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_tenant ON audit (tenant, id);

-- Used nonces: id is a hash of tenant, key and nonce. The one process that has the file open keeps
-- them in memory too and tells repeated ones there, so rows are appended and need no index of ids.
-- Old ones go by ranges of the index.
CREATE TABLE nonce (
	id      BLOB    NOT NULL,
	expires INTEGER NOT NULL
) STRICT;
CREATE INDEX nonce_expires ON nonce (expires);
