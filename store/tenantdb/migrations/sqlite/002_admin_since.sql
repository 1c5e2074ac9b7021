-- +goose Up

-- When the admin was added or last signed out: sessions of the admin page that began earlier are over.
ALTER TABLE admin ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
