-- The first schema. Quantities are canonical decimal text, instants integers (microseconds).
-- Nothing is ever deleted, so an id once given stays; only due marks, slots, publications,
-- switches and the catalog's rows change in place.

CREATE TABLE store (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    incarnation TEXT NOT NULL,
    catalog_revision INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Events -----------------------------------------------------------------------------------

CREATE TABLE event_tenant (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- In the order of recording. `counted` names the changes it made as 'aggregate:position …', so
-- that a void finds them without an index of its own over all changes.
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    tenant_id INTEGER NOT NULL,
    occurred_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    key TEXT NOT NULL,
    code TEXT NOT NULL,
    quantity TEXT NOT NULL,
    properties TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    voids TEXT,
    counted TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX event_key ON event (tenant_id, key);
CREATE INDEX event_recorded ON event (tenant_id, id, occurred_at);

-- Keys that a void names, the event stored or not.
CREATE TABLE void (
    tenant_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    event_id INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, key)
) WITHOUT ROWID, STRICT;

CREATE TABLE aggregate (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    meter TEXT NOT NULL,
    dimensions TEXT NOT NULL,
    window_start INTEGER NOT NULL,
    window_end INTEGER NOT NULL,
    aggregation TEXT NOT NULL,
    span TEXT NOT NULL,
    period_start INTEGER NOT NULL,
    period_end INTEGER NOT NULL,
    closed TEXT NOT NULL,
    meter_version INTEGER NOT NULL,
    live_count INTEGER NOT NULL,
    total TEXT NOT NULL,
    extreme TEXT,
    latest_at INTEGER NOT NULL,
    latest_key TEXT NOT NULL,
    position INTEGER NOT NULL,
    is_sealed INTEGER NOT NULL,
    is_due INTEGER NOT NULL,
    marks INTEGER NOT NULL DEFAULT 0,
    first_sealed_at INTEGER NOT NULL,
    is_kept_apart INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX aggregate_key
    ON aggregate (tenant, meter, dimensions, window_start, window_end);
CREATE INDEX aggregate_due ON aggregate (first_sealed_at) WHERE is_due = 1;
CREATE INDEX aggregate_kept_apart
    ON aggregate (tenant, meter, window_start, window_end) WHERE is_kept_apart = 1;

-- What an event added (by_id NULL) or a void took out again (by_id is the void's event).
-- `is_live` is 1 for what was added and not taken out. `differs` holds what the contribution
-- says otherwise than its Aggregate, as JSON.
CREATE TABLE change (
    aggregate_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    quantity TEXT NOT NULL,
    member TEXT NOT NULL,
    by_id INTEGER,
    is_live INTEGER NOT NULL,
    differs TEXT,
    PRIMARY KEY (aggregate_id, position)
) WITHOUT ROWID, STRICT;

-- How many live contributions of a unique count have the same member.
CREATE TABLE member (
    aggregate_id INTEGER NOT NULL,
    member TEXT NOT NULL,
    live INTEGER NOT NULL,
    PRIMARY KEY (aggregate_id, member)
) WITHOUT ROWID, STRICT;

-- Ledger -----------------------------------------------------------------------------------

CREATE TABLE chain (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    meter TEXT NOT NULL,
    line INTEGER NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX chain_key ON chain (tenant, meter);

CREATE TABLE entry (
    chain_id INTEGER NOT NULL REFERENCES chain (id),
    line INTEGER NOT NULL,
    dimensions TEXT NOT NULL,
    window_start INTEGER NOT NULL,
    window_end INTEGER NOT NULL,
    period_start INTEGER NOT NULL,
    period_end INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    delta TEXT NOT NULL,
    total TEXT NOT NULL,
    released TEXT NOT NULL,
    released_total TEXT NOT NULL,
    moved TEXT NOT NULL,
    billed TEXT NOT NULL,
    allocated TEXT NOT NULL,
    position INTEGER NOT NULL,
    held TEXT NOT NULL,
    linked_line INTEGER,
    sealed_at INTEGER NOT NULL,
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (chain_id, line)
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX entry_key
    ON entry (chain_id, dimensions, window_start, window_end, revision);
CREATE INDEX entry_period ON entry (chain_id, dimensions, period_start, period_end, line);

CREATE TABLE slot (
    id INTEGER PRIMARY KEY,
    route TEXT NOT NULL,
    account TEXT NOT NULL,
    destination TEXT NOT NULL,
    counter TEXT NOT NULL,
    start INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    period_start INTEGER NOT NULL,
    period_end INTEGER NOT NULL,
    closes_at INTEGER NOT NULL,
    total TEXT NOT NULL,
    version INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    confirmed TEXT,
    earlier TEXT NOT NULL,
    unsettled TEXT,
    is_due INTEGER NOT NULL,
    blocked TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX slot_key ON slot (route, account, destination, counter, start);
CREATE INDEX slot_destination ON slot (route, destination, account, counter, start);
CREATE INDEX slot_due ON slot (route, account, destination, counter, start) WHERE is_due = 1;
CREATE INDEX slot_unsettled
    ON slot (route, account, destination, counter, start) WHERE unsettled IS NOT NULL;

-- Ids rise in the order of appending: the n-th of a slot made it the slot's version n.
CREATE TABLE allocation (
    id INTEGER PRIMARY KEY,
    slot_id INTEGER NOT NULL REFERENCES slot (id),
    chain_id INTEGER NOT NULL,
    line INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    period_start INTEGER NOT NULL,
    period_end INTEGER NOT NULL,
    closes_at INTEGER NOT NULL,
    quantity TEXT NOT NULL,
    FOREIGN KEY (chain_id, line) REFERENCES entry (chain_id, line)
) STRICT;
CREATE INDEX allocation_slot ON allocation (slot_id);
CREATE INDEX allocation_entry ON allocation (chain_id, line);

-- Outbox -----------------------------------------------------------------------------------

CREATE TABLE publication (
    id INTEGER PRIMARY KEY,
    identifier TEXT NOT NULL UNIQUE,
    slot_id INTEGER NOT NULL REFERENCES slot (id),
    slot_revision INTEGER NOT NULL,
    slot_version INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    period_start INTEGER NOT NULL,
    period_end INTEGER NOT NULL,
    closes_at INTEGER NOT NULL,
    quantity TEXT NOT NULL,
    total TEXT NOT NULL,
    before TEXT,
    state TEXT NOT NULL,
    intended_at INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    first_attempt_at INTEGER NOT NULL,
    last_attempt_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    doubts INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    is_resendable INTEGER NOT NULL,
    accepted_at INTEGER,
    read_from INTEGER NOT NULL,
    absent TEXT,
    absent_at INTEGER,
    settled_at INTEGER,
    answer TEXT NOT NULL,
    step INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX publication_slot ON publication (slot_id, slot_revision);

-- Catalog and dead letters -----------------------------------------------------------------

CREATE TABLE tenant (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    versions TEXT NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE meter (
    id TEXT NOT NULL,
    effective_from INTEGER NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (id, effective_from)
) WITHOUT ROWID, STRICT;

CREATE TABLE mapping (
    tenant TEXT NOT NULL,
    effective_from INTEGER NOT NULL,
    meter TEXT NOT NULL,
    dimensions TEXT NOT NULL,
    route TEXT NOT NULL,
    account TEXT NOT NULL,
    destination TEXT NOT NULL,
    counter TEXT NOT NULL,
    publish_from INTEGER NOT NULL,
    boundary_hour TEXT NOT NULL,
    PRIMARY KEY (tenant, effective_from, meter, dimensions)
) WITHOUT ROWID, STRICT;

CREATE TABLE switch (
    name TEXT PRIMARY KEY,
    state TEXT NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE override (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL
) STRICT;

-- `body` and `origin` are bytes: what was sent may be no valid text.
CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY,
    letter_id TEXT NOT NULL UNIQUE,
    reason TEXT NOT NULL,
    errors TEXT NOT NULL,
    tenant TEXT NOT NULL,
    waits_for TEXT NOT NULL,
    origin BLOB NOT NULL,
    body BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    replayed_at INTEGER,
    replayed_as TEXT NOT NULL
) STRICT;
CREATE INDEX dead_letter_waits ON dead_letter (waits_for) WHERE replayed_at IS NULL;
CREATE INDEX dead_letter_open ON dead_letter (id) WHERE replayed_at IS NULL;
