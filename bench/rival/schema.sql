-- What a good team would write in a week: the event once by its key, and a rollup by the hour that
-- is changed in the same transaction.
CREATE TABLE api_key (digest bytea PRIMARY KEY, name text NOT NULL);

CREATE TABLE event (
    tenant text NOT NULL,
    key text NOT NULL,
    code text NOT NULL,
    quantity numeric NOT NULL,
    occurred_at timestamptz NOT NULL,
    properties jsonb NOT NULL,
    PRIMARY KEY (tenant, key)
);

-- Room on each page, so that a changed total stays on its page (a HOT update).
CREATE TABLE rollup (
    tenant text NOT NULL,
    code text NOT NULL,
    hour timestamptz NOT NULL,
    events bigint NOT NULL,
    total numeric NOT NULL,
    PRIMARY KEY (tenant, code, hour)
) WITH (fillfactor = 50);
