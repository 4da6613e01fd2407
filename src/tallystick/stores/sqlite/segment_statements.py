"""The statements about segments and the index of keys."""

from typing import Final

INSERT_SEGMENT: Final = """
    INSERT INTO segment (id, count, occurred_from, occurred_until, checksum, body)
    VALUES (?, ?, ?, ?, ?, ?)
"""
INSERT_PART: Final = """
    INSERT INTO segment_part (id, count, occurred_from, checksum, reported, fingerprints)
    VALUES (?, ?, ?, ?, ?, ?)
"""
INSERT_SEGMENT_TENANT: Final = """
    INSERT INTO segment_tenant (tenant_id, segment_id) VALUES (?, ?)
"""
DELETE_SEGMENTS: Final = "DELETE FROM segment WHERE id >= ? AND id <= ?"
DELETE_PARTS: Final = "DELETE FROM segment_part WHERE id >= ? AND id <= ?"
DELETE_SEGMENT_TENANT: Final = """
    DELETE FROM segment_tenant WHERE tenant_id = ? AND segment_id = ?
"""
SELECT_NEWEST_SIZES: Final = """
    SELECT id, count, length(body) + (
            SELECT coalesce(sum(length(p.reported) + length(p.fingerprints)), 0)
            FROM segment_part AS p WHERE p.id >= s.id AND p.id < s.id + s.count)
    FROM segment AS s ORDER BY id DESC LIMIT ?
"""
INSERT_SIGNPOST: Final = """
    INSERT INTO signpost (aggregate_id, position, segment_id) VALUES (?, ?, ?)
"""
INSERT_TAKEN_OUT: Final = "INSERT INTO taken_out (aggregate_id, position) VALUES (?, ?)"
SELECT_TAKEN_OUT: Final = "SELECT position FROM taken_out WHERE aggregate_id = ?"

SELECT_SEGMENT_AT: Final = """
    SELECT id, count, occurred_from, occurred_until, checksum, body
    FROM segment
    WHERE id <= ? ORDER BY id DESC LIMIT 1
"""
SELECT_SEGMENTS: Final = """
    SELECT id, count, occurred_from, occurred_until, checksum, body
    FROM segment
    WHERE id >= (SELECT coalesce(max(id), 0) FROM segment WHERE id <= ?) AND id <= ?
        AND occurred_from < ? AND occurred_until >= ?
    ORDER BY id
"""
SELECT_SEGMENTS_OF: Final = """
    SELECT s.id, s.count, s.occurred_from, s.occurred_until, s.checksum, s.body
    FROM segment_tenant AS t CROSS JOIN segment AS s ON s.id = t.segment_id
    WHERE t.tenant_id = ?
        AND t.segment_id >= (SELECT coalesce(max(id), 0) FROM segment WHERE id <= ?)
        AND t.segment_id <= ? AND s.occurred_from < ? AND s.occurred_until >= ?
    ORDER BY t.segment_id
"""
SELECT_PART_AT: Final = """
    SELECT id, count, occurred_from, checksum, reported, fingerprints FROM segment_part
    WHERE id <= ? ORDER BY id DESC LIMIT 1
"""
SELECT_PARTS: Final = """
    SELECT id, count, occurred_from, checksum, reported, fingerprints FROM segment_part
    WHERE id >= ? AND id <= ? ORDER BY id
"""
SELECT_ROW_NAME: Final = "SELECT tenant_id, key, fingerprint FROM event WHERE id = ?"
SELECT_ROW_EVENT: Final = """
    SELECT t.name, e.key, e.code, e.quantity, e.occurred_at, e.received_at, e.properties,
        e.fingerprint, e.voids
    FROM event AS e JOIN event_tenant AS t ON t.id = e.tenant_id
    WHERE e.id = ?
"""
SELECT_COUNTED: Final = "SELECT counted FROM event WHERE id = ?"
SELECT_TENANT_NAME: Final = "SELECT name FROM event_tenant WHERE id = ?"
SELECT_SIGNPOST: Final = """
    SELECT segment_id FROM signpost WHERE aggregate_id = ? AND position >= ?
    ORDER BY position LIMIT 1
"""

# ── The index of keys ─────────────────────────────────────────────────────────────────────────────

SELECT_SALT: Final = "SELECT salt FROM key_salt"
SELECT_LAST_EVENT: Final = """
    SELECT max((SELECT coalesce(max(id), 0) FROM event),
        (SELECT coalesce(max(id + count - 1), 0) FROM (
            SELECT id, count FROM segment ORDER BY id DESC LIMIT 1)))
"""
SELECT_ROWS_NAMED: Final = """
    SELECT id FROM event INDEXED BY event_recorded
    WHERE tenant_id = ? AND id > ? AND id <= ? AND key = ?
"""
SELECT_ROW_NAMES: Final = """
    SELECT id, tenant_id, key FROM event WHERE id > ? AND id <= ? ORDER BY id
"""
HAS_RUNS: Final = "SELECT 1 FROM key_run LIMIT 1"
SELECT_RUNS: Final = """
    SELECT id, mark, level, first_event_id, last_event_id, keys, held_from, held_below, into_id
    FROM key_run ORDER BY first_event_id, id
"""
SELECT_KEYS_OF_RUNS: Final = "SELECT keys FROM key_run"
INSERT_RUN: Final = """
    INSERT INTO key_run (level, first_event_id, last_event_id, keys, held_from, held_below)
    VALUES (?, ?, ?, ?, ?, ?) RETURNING id
"""
LEAD_RUN_INTO: Final = "UPDATE key_run SET into_id = ? WHERE id = ?"
HOLD_FROM: Final = "UPDATE key_run SET held_from = ? WHERE id = ?"
HOLD_BELOW: Final = "UPDATE key_run SET held_below = ? WHERE id = ?"
DELETE_RUN: Final = "DELETE FROM key_run WHERE id = ?"
DELETE_MERGED_RUNS: Final = "DELETE FROM key_run WHERE into_id = ?"
INSERT_PAGE: Final = "INSERT INTO key_page (run_id, first_hash, body) VALUES (?, ?, ?)"
SELECT_PAGE: Final = """
    SELECT first_hash, body FROM key_page WHERE run_id = ? AND first_hash <= ?
    ORDER BY first_hash DESC LIMIT 1
"""
SELECT_PAGES: Final = """
    SELECT id, first_hash, body FROM key_page
    WHERE run_id = ? AND first_hash >= coalesce((
            SELECT max(first_hash) FROM key_page WHERE run_id = ? AND first_hash <= ?), 0)
        AND first_hash < ?
    ORDER BY first_hash LIMIT ?
"""
DELETE_PAGE: Final = "DELETE FROM key_page WHERE id = ?"
DELETE_PAGES_OF: Final = "DELETE FROM key_page WHERE run_id = ?"
