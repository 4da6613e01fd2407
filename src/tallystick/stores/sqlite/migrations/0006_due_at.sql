-- When a due slot is looked at next, so that a pass reads what it can act on and not all that waits.
-- Nothing ever set `blocked`.

DROP INDEX slot_due;
ALTER TABLE slot ADD COLUMN due_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE slot DROP COLUMN blocked;
UPDATE slot SET due_at = (
    SELECT iif(
        p.state = 'accepted' AND p.absent_at IS NULL AND p.total = slot.total,
        max(p.deadline, p.next_at, p.read_from),
        max(p.deadline, p.next_at)
    )
    FROM publication AS p WHERE p.identifier = slot.unsettled
) WHERE unsettled IS NOT NULL;
CREATE INDEX slot_due ON slot (due_at, route, account, destination, counter, start)
    WHERE is_due = 1;
