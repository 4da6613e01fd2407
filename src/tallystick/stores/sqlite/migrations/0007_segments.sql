-- Segments: the events of one call in one row, with what they added to their Aggregates; small ones
-- that follow one another are gathered into one. Events that are rows of `event` and `change` stay
-- there; ids rise through both. What was reported of them is in parts, each of as many events as fill
-- a page, so that one of them is found and compared without the others; `body` is the rest. Each
-- `checksum` is over all of its row.

CREATE TABLE segment (
    id INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    occurred_from INTEGER NOT NULL,
    occurred_until INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE segment_part (
    id INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    occurred_from INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    reported BLOB NOT NULL,
    fingerprints BLOB NOT NULL
) STRICT;

CREATE TABLE segment_tenant (
    tenant_id INTEGER NOT NULL,
    segment_id INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, segment_id)
) WITHOUT ROWID, STRICT;

-- The last segment that changed an Aggregate; each names the one before it. A signpost stands at
-- every so many changes, so that nobody walks the whole way back. `position` is the last that the
-- segment holds.
ALTER TABLE aggregate ADD COLUMN segment_id INTEGER NOT NULL DEFAULT 0;
CREATE TABLE signpost (
    aggregate_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    segment_id INTEGER NOT NULL,
    PRIMARY KEY (aggregate_id, position)
) WITHOUT ROWID, STRICT;

-- What a segment added and a void took out again.
CREATE TABLE taken_out (
    aggregate_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (aggregate_id, position)
) WITHOUT ROWID, STRICT;

-- The index over all keys: sorted runs of (hash of the key, event id), each over a range of ids.
-- A run holds the hashes in [held_from, held_below) of its `keys`; while runs are merged, what is
-- below a border is in the new one (`into_id`) already. A page holds those from `first_hash` to where
-- its own bytes say that it ends, which is where the next one begins. `mark` is another for each run that
-- ever was: a run that was rolled back is not taken for one with its id. `salt` keeps anybody from
-- choosing keys whose hashes collide; a hash is multilinear, by secret numbers made from the salt.
CREATE TABLE key_salt (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    salt BLOB NOT NULL
) STRICT;
INSERT INTO key_salt (id, salt) VALUES (1, randomblob(16));

CREATE TABLE key_run (
    id INTEGER PRIMARY KEY,
    mark INTEGER NOT NULL DEFAULT (random()),
    level INTEGER NOT NULL,
    first_event_id INTEGER NOT NULL,
    last_event_id INTEGER NOT NULL,
    keys INTEGER NOT NULL,
    held_from INTEGER NOT NULL,
    held_below INTEGER NOT NULL,
    into_id INTEGER
) STRICT;

CREATE TABLE key_page (
    id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL,
    first_hash INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX key_page_hash ON key_page (run_id, first_hash);
