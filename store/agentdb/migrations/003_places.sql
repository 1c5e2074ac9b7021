-- +goose Up
-- Where each mail was seen was written and never asked: cursors and keys tell what is new.
DROP TABLE place;
