-- name: data_version
-- Changes when another connection has committed; costs microseconds.
PRAGMA data_version

-- name: counters
SELECT version, next_event, next_delivery FROM store

-- name: set_counters
UPDATE store SET next_event = ?, next_delivery = ?

-- name: try_to_write
UPDATE store SET only_row = 1

-- name: insert_keys
-- Takes a JSON array of rows, of which those stay that did not come before.
INSERT INTO event_key (row, key, accepted_at)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE true ON CONFLICT (key) DO NOTHING

-- name: rows_of_keys
-- Which event a key belongs to: [key, row, accepted_at] for each key asked for, as one JSON array.
SELECT json_group_array(json_array(k.key, k.row, k.accepted_at))
FROM json_each(?) AS asked JOIN event_key AS k ON k.key = asked.value

-- name: delete_pending
DELETE FROM pending WHERE webhook = ? AND due = ? AND sequence = ?

-- name: oldest_events
-- What may be deleted, then what is too young for it: rows are in order of time. Here and below, ?2 is the time that
-- divides them; passed over is what must stay although it is old, and what is from after ?4, when the clock was ahead.
SELECT row, accepted_at FROM event
WHERE row > ?1 AND accepted_at <= ?4 AND (accepted_at >= ?2 OR (
    NOT EXISTS (SELECT 1 FROM pending WHERE pending.event = event.row)
    AND NOT EXISTS (SELECT 1 FROM event_resent WHERE event_resent.event = event.row AND event_resent.at >= ?2)
)) ORDER BY row LIMIT ?3

-- name: delete_event
DELETE FROM event WHERE row = ?

-- name: oldest_deliveries
SELECT sequence, triggered_at FROM delivery
WHERE sequence > ?1 AND triggered_at <= ?4 AND (triggered_at >= ?2 OR state <> 'retrying') ORDER BY sequence LIMIT ?3

-- name: delete_delivery
DELETE FROM delivery WHERE sequence = ?

-- name: delete_attempts
DELETE FROM attempt WHERE id BETWEEN ?1 * 64 AND ?1 * 64 + 63

-- name: oldest_keys
-- None of these has to stay.
SELECT row, accepted_at FROM event_key WHERE row > ?1 AND accepted_at <= ?4 AND ?2 IS NOT NULL ORDER BY row LIMIT ?3

-- name: delete_key
DELETE FROM event_key WHERE row = ?
