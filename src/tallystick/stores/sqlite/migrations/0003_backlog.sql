-- What is watched must be cheap to watch: each index holds only what is not done yet.

CREATE INDEX aggregate_unsealed ON aggregate (window_end) WHERE is_due = 1 AND is_sealed = 0;
CREATE INDEX slot_unpublished ON slot (closes_at, start)
    WHERE is_due = 1 AND unsettled IS NULL AND total IS NOT confirmed;
CREATE INDEX publication_unsettled ON publication (state, intended_at) WHERE settled_at IS NULL;
