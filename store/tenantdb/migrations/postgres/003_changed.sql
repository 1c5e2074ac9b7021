-- +goose Up

-- How often a tenant was changed, and what the last changes were of: 'u:' and a user, 'k:' and a
-- key, or '' for all of it. By these, servers drop what they remember. A slot is used again after
-- 1024 changes.
ALTER TABLE tenant ADD COLUMN version BIGINT NOT NULL DEFAULT 0;

CREATE TABLE changed (
	tenant  TEXT COLLATE "C" NOT NULL REFERENCES tenant (id),
	slot    BIGINT NOT NULL,
	version BIGINT NOT NULL,
	subject TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (tenant, slot)
);

ALTER TABLE changed ENABLE ROW LEVEL SECURITY;
ALTER TABLE changed FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON changed
	USING (tenant = (SELECT nullif(current_setting('app.tenant', true), '')))
	WITH CHECK (tenant = (SELECT nullif(current_setting('app.tenant', true), '')));
