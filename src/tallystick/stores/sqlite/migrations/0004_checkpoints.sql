-- Checkpoints: what the chains' ends were at one time. `heads` holds those that moved since the one
-- before, as JSON; it is last, so that reading the rest does not read it. `covered_hash` is what
-- the last checkpoint says of a chain.

CREATE TABLE checkpoint (
    number INTEGER PRIMARY KEY,
    taken_at INTEGER NOT NULL,
    watermark INTEGER NOT NULL,
    incarnation TEXT NOT NULL,
    chains INTEGER NOT NULL,
    heads_hash TEXT NOT NULL,
    moved INTEGER NOT NULL,
    moved_hash TEXT NOT NULL,
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL,
    key_id TEXT NOT NULL,
    signature TEXT NOT NULL,
    heads TEXT NOT NULL
) STRICT;

ALTER TABLE chain ADD COLUMN covered_hash TEXT NOT NULL DEFAULT '';
