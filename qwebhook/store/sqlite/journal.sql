-- name: data_version
-- Changes when another connection has committed; costs microseconds.
PRAGMA data_version

-- name: counters
SELECT version, next_event, next_delivery FROM store

-- name: set_counters
UPDATE store SET next_event = ?, next_delivery = ?

-- name: insert_key
INSERT INTO event_key (row, key, accepted_at) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING

-- name: first_of_key
SELECT row, accepted_at FROM event_key WHERE key = ?

-- name: insert_event
INSERT INTO event (row, type, key, accepted_at, body) VALUES (?, ?, ?, ?, ?)

-- name: insert_pending
INSERT INTO pending (webhook, due, sequence, event, attempt, triggered_at) VALUES (?, ?, ?, ?, ?, ?)

-- name: delete_pending
DELETE FROM pending WHERE webhook = ? AND due = ? AND sequence = ?

-- name: insert_delivery
-- The first attempt makes the record, later ones update it. A test is known by the event's id, hence by the caller.
INSERT INTO delivery (sequence, webhook, event, type, status, state, attempts, triggered_at, next_attempt_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: update_delivery
UPDATE delivery SET status = ?, state = ?, attempts = ?, next_attempt_at = ? WHERE sequence = ?

-- name: insert_attempt
INSERT INTO attempt (
    id, started_at, duration, first_byte, outcome, reason, url, request_headers, request_body, status_code,
    response_headers, response_body
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: failing
SELECT webhook FROM webhook_failing

-- name: note_failure
INSERT INTO webhook_failing (webhook, since, failures) VALUES (?, ?, 1)
ON CONFLICT (webhook) DO UPDATE SET failures = failures + 1 RETURNING since, failures

-- name: claim
SELECT p.webhook, p.due, p.sequence, p.attempt, p.event, e.type, e.key, e.body, p.triggered_at
FROM pending AS p JOIN event AS e ON e.row = p.event
WHERE p.webhook = ? AND p.due <= ? ORDER BY p.due, p.sequence LIMIT ?

-- name: earliest
SELECT due, sequence FROM pending WHERE webhook = ? ORDER BY due, sequence LIMIT ?

-- name: pending
SELECT count(*), min(triggered_at) FROM pending

-- name: oldest_events
-- Rows are in order of time: the sweep stops at the first that is young enough.
SELECT row, accepted_at, EXISTS (SELECT 1 FROM pending WHERE pending.event = event.row)
FROM event WHERE row > ? ORDER BY row LIMIT ?

-- name: delete_event
DELETE FROM event WHERE row = ?

-- name: oldest_deliveries
SELECT sequence, triggered_at, state = 'retrying' FROM delivery WHERE sequence > ? ORDER BY sequence LIMIT ?

-- name: delete_delivery
DELETE FROM delivery WHERE sequence = ?

-- name: delete_attempts
DELETE FROM attempt WHERE id BETWEEN ?1 * 64 AND ?1 * 64 + 63

-- name: oldest_keys
SELECT row, accepted_at, 0 FROM event_key WHERE row > ? ORDER BY row LIMIT ?

-- name: delete_key
DELETE FROM event_key WHERE row = ?
