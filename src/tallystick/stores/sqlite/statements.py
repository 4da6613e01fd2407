"""The statements about events and Aggregates. Each begins with the columns its reader expects."""

from typing import Final

# ── Writing ───────────────────────────────────────────────────────────────────────────────────────

SELECT_EVENTS_STATE: Final = """
    SELECT
        max(
            (SELECT coalesce(max(id), 0) FROM event),
            (SELECT coalesce(max(id + count - 1), 0)
                FROM (SELECT id, count FROM segment ORDER BY id DESC LIMIT 1))
        ),
        (SELECT coalesce(max(id), 0) FROM aggregate),
        (SELECT coalesce(max(id), 0) FROM event_tenant),
        EXISTS (SELECT 1 FROM void)
"""

INSERT_EVENT_TENANT: Final = "INSERT INTO event_tenant (name) VALUES (?) ON CONFLICT DO NOTHING"
SELECT_EVENT_TENANT: Final = "SELECT id FROM event_tenant WHERE name = ?"

INSERT_EVENT: Final = """
    INSERT INTO event (id, tenant_id, occurred_at, received_at, key, code, quantity, properties,
        fingerprint, voids, counted)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

SELECT_VOID: Final = "SELECT 1 FROM void WHERE tenant_id = ? AND key = ?"
INSERT_VOID: Final = """
    INSERT INTO void (tenant_id, key, event_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING
"""

INSERT_CHANGE: Final = """
    INSERT INTO change (aggregate_id, position, event_id, quantity, member, by_id, is_live, differs)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
END_CONTRIBUTION: Final = """
    UPDATE change SET is_live = 0 WHERE aggregate_id = ? AND position = ?
"""
SELECT_CONTRIBUTION: Final = """
    SELECT c.quantity, c.member, c.differs, e.occurred_at, e.key
    FROM change AS c JOIN event AS e ON e.id = c.event_id
    WHERE c.aggregate_id = ? AND c.position = ?
"""
SELECT_LIVE: Final = """
    SELECT position, event_id, quantity, member, differs FROM change
    WHERE aggregate_id = ? AND is_live = 1 ORDER BY position
"""
SELECT_ORIGIN: Final = "SELECT occurred_at, key FROM event WHERE id = ?"

SELECT_MEMBER: Final = "SELECT live FROM member WHERE aggregate_id = ? AND member = ?"
PUT_MEMBER: Final = """
    INSERT INTO member (aggregate_id, member, live) VALUES (?, ?, ?)
    ON CONFLICT (aggregate_id, member) DO UPDATE SET live = excluded.live
"""

INSERT_AGGREGATE: Final = """
    INSERT INTO aggregate (id, tenant, meter, dimensions, window_start, window_end, aggregation,
        span, period_start, period_end, closed, meter_version, live_count, total, extreme,
        latest_at, latest_key, position, is_sealed, is_due, first_sealed_at, is_kept_apart,
        segment_id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
UPDATE_AGGREGATE: Final = """
    UPDATE aggregate
    SET live_count = ?, total = ?, extreme = ?, latest_at = ?, latest_key = ?, position = ?,
        segment_id = ?
    WHERE id = ?
"""
RAISE_AGGREGATE: Final = """
    UPDATE aggregate SET live_count = ?, total = ?, position = ?, segment_id = ? WHERE id = ?
"""
MARK_AGGREGATE_DUE: Final = "UPDATE aggregate SET is_due = 1 WHERE id = ?"
COUNT_KEPT_APART: Final = """
    SELECT count(*) FROM aggregate
    WHERE tenant = ? AND meter = ? AND window_start = ? AND window_end = ? AND is_kept_apart = 1
"""

# ── Reading ───────────────────────────────────────────────────────────────────────────────────────

SELECT_EVENTS: Final = """
    SELECT t.name, e.key, e.code, e.quantity, e.occurred_at, e.received_at, e.properties,
        e.fingerprint, e.voids, e.id
    FROM event AS e CROSS JOIN event_tenant AS t ON t.id = e.tenant_id
    WHERE e.id > ? AND e.occurred_at >= ? AND e.occurred_at < ?
    ORDER BY e.id LIMIT ?
"""
SELECT_EVENTS_OF: Final = """
    SELECT t.name, e.key, e.code, e.quantity, e.occurred_at, e.received_at, e.properties,
        e.fingerprint, e.voids, e.id
    FROM event_tenant AS t
        CROSS JOIN event AS r INDEXED BY event_recorded ON r.tenant_id = t.id
        CROSS JOIN event AS e ON e.id = r.id
    WHERE t.name = ? AND r.id > ? AND r.occurred_at >= ? AND r.occurred_at < ?
    ORDER BY r.id LIMIT ?
"""
SELECT_IS_VOIDED: Final = """
    SELECT EXISTS (
        SELECT 1 FROM void AS v JOIN event_tenant AS t ON t.id = v.tenant_id
        WHERE t.name = ? AND v.key = ?
    )
"""

SELECT_ACCOUNT: Final = """
    SELECT segment_id, id, tenant, meter, dimensions, window_start, window_end, aggregation, span,
        period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at,
        latest_key, position, is_sealed, is_due, marks
    FROM aggregate
    WHERE tenant = ? AND meter = ? AND dimensions = ? AND window_start = ? AND window_end = ?
"""
SELECT_ACCOUNT_WITH_ID: Final = """
    SELECT segment_id, id, tenant, meter, dimensions, window_start, window_end, aggregation, span,
        period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at,
        latest_key, position, is_sealed, is_due, marks
    FROM aggregate
    WHERE id = ?
"""
SELECT_AGGREGATES: Final = """
    SELECT id, tenant, meter, dimensions, window_start, window_end, aggregation, span,
        period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at,
        latest_key, position, is_sealed, is_due, marks
    FROM aggregate
    WHERE (tenant, meter, dimensions, window_start, window_end) > (?, ?, ?, ?, ?)
        AND window_start < ? AND window_end > ? AND ? IN ('', meter)
    ORDER BY tenant, meter, dimensions, window_start, window_end LIMIT ?
"""
SELECT_AGGREGATES_OF_TENANT: Final = """
    SELECT id, tenant, meter, dimensions, window_start, window_end, aggregation, span,
        period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at,
        latest_key, position, is_sealed, is_due, marks
    FROM aggregate
    WHERE tenant = ? AND (meter, dimensions, window_start, window_end) > (?, ?, ?, ?)
        AND window_start < ? AND window_end > ?
    ORDER BY meter, dimensions, window_start, window_end LIMIT ?
"""
SELECT_AGGREGATES_OF_METER: Final = """
    SELECT id, tenant, meter, dimensions, window_start, window_end, aggregation, span,
        period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at,
        latest_key, position, is_sealed, is_due, marks
    FROM aggregate
    WHERE tenant = ? AND meter = ? AND (dimensions, window_start, window_end) > (?, ?, ?)
        AND window_start < ? AND window_end > ?
    ORDER BY dimensions, window_start, window_end LIMIT ?
"""
SELECT_AGGREGATES_DUE: Final = """
    SELECT id, tenant, meter, dimensions, window_start, window_end, aggregation, span,
        period_start, period_end, closed, meter_version, live_count, total, extreme, latest_at,
        latest_key, position, is_sealed, is_due, marks, first_sealed_at
    FROM aggregate INDEXED BY aggregate_due
    WHERE is_due = 1 AND (first_sealed_at, id) > (?, ?) AND first_sealed_at <= ?
    ORDER BY first_sealed_at, id LIMIT ?
"""
CLEAR_AGGREGATE_DUE: Final = """
    UPDATE aggregate SET is_due = 0
    WHERE tenant = ? AND meter = ? AND dimensions = ? AND window_start = ? AND window_end = ?
        AND position = ? AND marks = ?
"""
SEAL_AGGREGATE: Final = """
    UPDATE aggregate SET is_sealed = 1, is_due = 1, marks = marks + 1
    WHERE tenant = ? AND meter = ? AND dimensions = ? AND window_start = ? AND window_end = ?
"""
MARK_AGGREGATES_OF_METER_DUE: Final = """
    UPDATE aggregate SET is_due = 1, marks = marks + 1 WHERE tenant = ? AND meter = ?
"""

SELECT_CHANGES: Final = """
    SELECT position, event_id, by_id, quantity, member, differs FROM change
    WHERE aggregate_id = ? AND position > ? AND position <= ?
    ORDER BY position
"""
