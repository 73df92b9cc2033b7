-- name: claim
SELECT p.webhook, p.due, p.sequence, p.attempt, p.event, e.type, e.key, e.body, p.triggered_at,
    coalesce(d.next_attempt_at, 0), e.trace
FROM pending AS p JOIN event AS e ON e.row = p.event LEFT JOIN delivery AS d ON d.sequence = p.sequence
WHERE p.webhook = ? AND p.due <= ? ORDER BY p.due, p.sequence LIMIT ?

-- name: earliest
SELECT due, sequence FROM pending WHERE webhook = ? ORDER BY due, sequence LIMIT ?

-- name: any_beyond
-- Here and below, ?1 is now, and ?2 the latest time that anything may wait for.
SELECT EXISTS (SELECT 1 FROM pending WHERE triggered_at > ?1 OR due > ?2)

-- name: hasten_records
UPDATE delivery SET next_attempt_at = ?1
WHERE sequence IN (SELECT sequence FROM pending WHERE triggered_at > ?1 OR due > ?2) AND next_attempt_at > ?1

-- name: hasten
UPDATE pending SET due = ?1 WHERE triggered_at > ?1 OR due > ?2

-- name: pending
SELECT count(*), min(triggered_at) FROM pending
