-- Short-lived tokens: keys that a key made. `maker` is that key's id, empty for those that people
-- made. Tokens are the only rows of this store that are ever taken out again, once they expired.

ALTER TABLE api_key ADD COLUMN maker TEXT NOT NULL DEFAULT '';
CREATE INDEX api_key_made ON api_key (maker) WHERE maker <> '';
CREATE INDEX api_key_ending ON api_key (expires_at) WHERE maker <> '';
