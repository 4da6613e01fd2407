"""The statements about slots and publications. Each begins with the columns its reader expects."""

from typing import Final

# ── Slots, each with its unsettled publication ────────────────────────────────────────────────────

SELECT_SLOTS_DUE: Final = """
    SELECT s.route, s.account, s.destination, s.counter, s.start, s.timestamp, s.period_start,
        s.period_end, s.closes_at, s.total, s.version, s.revision, s.confirmed, s.earlier,
        s.unsettled, s.is_due, s.due_at,
        s.route, s.account, s.destination, s.counter, s.start, p.timestamp, p.period_start,
        p.period_end, p.closes_at, p.identifier, p.slot_revision, p.slot_version, p.quantity,
        p.total, p.before, p.state, p.intended_at, p.deadline, p.next_at, p.first_attempt_at,
        p.last_attempt_at, p.attempts, p.doubts, p.failures, p.is_resendable, p.accepted_at,
        p.read_from, p.absent, p.absent_at, p.settled_at, p.answer, p.step
    FROM slot AS s INDEXED BY slot_due LEFT JOIN publication AS p ON p.identifier = s.unsettled
    WHERE s.is_due = 1 AND s.due_at <= :now
        AND (:partition IS NULL OR
            slot_partition(s.route, s.account, s.destination, s.counter, s.start) = :partition)
        AND (s.due_at, s.route, s.account, s.destination, s.counter, s.start) >
            (:due_at, :route, :account, :destination, :counter, :start)
    ORDER BY s.due_at, s.route, s.account, s.destination, s.counter, s.start LIMIT :limit
"""
SELECT_SLOTS: Final = """
    SELECT s.route, s.account, s.destination, s.counter, s.start, s.timestamp, s.period_start,
        s.period_end, s.closes_at, s.total, s.version, s.revision, s.confirmed, s.earlier,
        s.unsettled, s.is_due, s.due_at,
        s.route, s.account, s.destination, s.counter, s.start, p.timestamp, p.period_start,
        p.period_end, p.closes_at, p.identifier, p.slot_revision, p.slot_version, p.quantity,
        p.total, p.before, p.state, p.intended_at, p.deadline, p.next_at, p.first_attempt_at,
        p.last_attempt_at, p.attempts, p.doubts, p.failures, p.is_resendable, p.accepted_at,
        p.read_from, p.absent, p.absent_at, p.settled_at, p.answer, p.step
    FROM slot AS s LEFT JOIN publication AS p ON p.identifier = s.unsettled
    WHERE (s.route, s.account, s.destination, s.counter, s.start) >
        (:route, :account, :destination, :counter, :start)
        AND :of_route IN ('', s.route) AND :of_destination IN ('', s.destination)
        AND s.start >= :since AND s.start < :until
    ORDER BY s.route, s.account, s.destination, s.counter, s.start LIMIT :limit
"""
SELECT_SLOTS_OF_DESTINATION: Final = """
    SELECT s.route, s.account, s.destination, s.counter, s.start, s.timestamp, s.period_start,
        s.period_end, s.closes_at, s.total, s.version, s.revision, s.confirmed, s.earlier,
        s.unsettled, s.is_due, s.due_at,
        s.route, s.account, s.destination, s.counter, s.start, p.timestamp, p.period_start,
        p.period_end, p.closes_at, p.identifier, p.slot_revision, p.slot_version, p.quantity,
        p.total, p.before, p.state, p.intended_at, p.deadline, p.next_at, p.first_attempt_at,
        p.last_attempt_at, p.attempts, p.doubts, p.failures, p.is_resendable, p.accepted_at,
        p.read_from, p.absent, p.absent_at, p.settled_at, p.answer, p.step
    FROM slot AS s INDEXED BY slot_destination
        LEFT JOIN publication AS p ON p.identifier = s.unsettled
    WHERE s.route = :of_route AND s.destination = :of_destination
        AND (s.account, s.counter, s.start) > (:account, :counter, :start)
        AND s.start >= :since AND s.start < :until
    ORDER BY s.account, s.counter, s.start LIMIT :limit
"""
SELECT_SLOT: Final = """
    SELECT s.route, s.account, s.destination, s.counter, s.start, s.timestamp, s.period_start,
        s.period_end, s.closes_at, s.total, s.version, s.revision, s.confirmed, s.earlier,
        s.unsettled, s.is_due, s.due_at, s.id
    FROM slot AS s
    WHERE s.route = ? AND s.account = ? AND s.destination = ? AND s.counter = ? AND s.start = ?
"""
INTEND_SLOT: Final = "UPDATE slot SET revision = ?, unsettled = ?, due_at = ? WHERE id = ?"
SETTLE_SLOT: Final = """
    UPDATE slot SET confirmed = ?, earlier = ?, unsettled = NULL, due_at = ? WHERE id = ?
"""
LOOK_AT_SLOT: Final = "UPDATE slot SET due_at = ? WHERE id = ?"
ADJUST_SLOT: Final = """
    UPDATE slot SET confirmed = ?, earlier = ?, is_due = ?, due_at = 0 WHERE id = ?
"""
CLEAR_SLOT_DUE: Final = """
    UPDATE slot SET is_due = 0
    WHERE route = ? AND account = ? AND destination = ? AND counter = ? AND start = ?
        AND version = ? AND revision = ? AND total = confirmed AND unsettled IS NULL
"""

# ── Publications ──────────────────────────────────────────────────────────────────────────────────

INSERT_PUBLICATION: Final = """
    INSERT INTO publication (identifier, slot_id, slot_revision, slot_version, timestamp,
        period_start, period_end, closes_at, quantity, total, before, state, intended_at, deadline,
        next_at, first_attempt_at, last_attempt_at, attempts, doubts, failures, is_resendable,
        accepted_at, read_from, absent, absent_at, settled_at, answer, step)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
UPDATE_PUBLICATION: Final = """
    UPDATE publication
    SET slot_revision = ?, slot_version = ?, timestamp = ?, period_start = ?, period_end = ?,
        closes_at = ?, quantity = ?, total = ?, before = ?, state = ?, intended_at = ?,
        deadline = ?, next_at = ?, first_attempt_at = ?, last_attempt_at = ?, attempts = ?,
        doubts = ?, failures = ?, is_resendable = ?, accepted_at = ?, read_from = ?, absent = ?,
        absent_at = ?, settled_at = ?, answer = ?, step = ?
    WHERE identifier = ? AND step = ?
"""
SELECT_PUBLICATIONS: Final = """
    SELECT s.route, s.account, s.destination, s.counter, s.start, p.timestamp, p.period_start,
        p.period_end, p.closes_at, p.identifier, p.slot_revision, p.slot_version, p.quantity,
        p.total, p.before, p.state, p.intended_at, p.deadline, p.next_at, p.first_attempt_at,
        p.last_attempt_at, p.attempts, p.doubts, p.failures, p.is_resendable, p.accepted_at,
        p.read_from, p.absent, p.absent_at, p.settled_at, p.answer, p.step
    FROM slot AS s CROSS JOIN publication AS p INDEXED BY publication_slot ON p.slot_id = s.id
    WHERE (s.route, s.account, s.destination, s.counter, s.start) >=
            (:route, :account, :destination, :counter, :start)
        AND ((s.route, s.account, s.destination, s.counter, s.start) >
            (:route, :account, :destination, :counter, :start) OR p.slot_revision > :revision)
    ORDER BY s.route, s.account, s.destination, s.counter, s.start, p.slot_revision LIMIT :limit
"""
SELECT_PUBLICATIONS_UNSETTLED: Final = """
    SELECT s.route, s.account, s.destination, s.counter, s.start, p.timestamp, p.period_start,
        p.period_end, p.closes_at, p.identifier, p.slot_revision, p.slot_version, p.quantity,
        p.total, p.before, p.state, p.intended_at, p.deadline, p.next_at, p.first_attempt_at,
        p.last_attempt_at, p.attempts, p.doubts, p.failures, p.is_resendable, p.accepted_at,
        p.read_from, p.absent, p.absent_at, p.settled_at, p.answer, p.step
    FROM slot AS s INDEXED BY slot_unsettled
        CROSS JOIN publication AS p ON p.identifier = s.unsettled
    WHERE s.unsettled IS NOT NULL AND (s.route, s.account, s.destination, s.counter, s.start) >
        (:route, :account, :destination, :counter, :start)
    ORDER BY s.route, s.account, s.destination, s.counter, s.start LIMIT :limit
"""
SELECT_PUBLICATIONS_OF_SLOT: Final = """
    SELECT s.route, s.account, s.destination, s.counter, s.start, p.timestamp, p.period_start,
        p.period_end, p.closes_at, p.identifier, p.slot_revision, p.slot_version, p.quantity,
        p.total, p.before, p.state, p.intended_at, p.deadline, p.next_at, p.first_attempt_at,
        p.last_attempt_at, p.attempts, p.doubts, p.failures, p.is_resendable, p.accepted_at,
        p.read_from, p.absent, p.absent_at, p.settled_at, p.answer, p.step
    FROM slot AS s CROSS JOIN publication AS p INDEXED BY publication_slot ON p.slot_id = s.id
    WHERE s.route = :of_route AND s.account = :of_account AND s.destination = :of_destination
        AND s.counter = :of_counter AND s.start = :of_start AND p.slot_revision > :revision
        AND :identifier IN ('', p.identifier) AND (NOT :unsettled OR s.unsettled = p.identifier)
    ORDER BY p.slot_revision LIMIT :limit
"""
SELECT_PUBLICATION: Final = """
    SELECT s.route, s.account, s.destination, s.counter, s.start, p.timestamp, p.period_start,
        p.period_end, p.closes_at, p.identifier, p.slot_revision, p.slot_version, p.quantity,
        p.total, p.before, p.state, p.intended_at, p.deadline, p.next_at, p.first_attempt_at,
        p.last_attempt_at, p.attempts, p.doubts, p.failures, p.is_resendable, p.accepted_at,
        p.read_from, p.absent, p.absent_at, p.settled_at, p.answer, p.step
    FROM publication AS p CROSS JOIN slot AS s ON s.id = p.slot_id
    WHERE p.identifier = :identifier AND (NOT :unsettled OR s.unsettled = p.identifier)
        AND (s.route, s.account, s.destination, s.counter, s.start, p.slot_revision) >
            (:route, :account, :destination, :counter, :start, :revision)
    LIMIT :limit
"""
