-- name: event
-- What an event was, for sending it again.
SELECT type, key, body, trace FROM event WHERE row = ?

-- name: has_body
SELECT 1 FROM event WHERE row = ? AND body = ?

-- name: insert_direct
INSERT INTO delivery (sequence, webhook, event, type, status, state, attempts, triggered_at, next_attempt_at, test)
VALUES (?, ?, ?, ?, ?, ?, 1, ?, NULL, ?)

-- name: keep_events
-- Takes a JSON array of rows: the events stay as long as the record of what is sent at that time.
INSERT INTO event_resent (event, at) SELECT value, ?2 FROM json_each(?1) WHERE value > 0
ON CONFLICT (event) DO UPDATE SET at = max(at, excluded.at)

-- name: past_events
-- What a step of a replay looks at: [accepted_at, row, type, size of the body, whether a success is on record, whether it waits],
-- in order of acceptance, beyond a place, which is known although a sweep may have taken the event there. One JSON array
-- for each of the types, with as many as a step takes, since each row read would cost a turn at the interpreter's lock.
SELECT (
    SELECT json_group_array(json_array(accepted_at, row, type, size, delivered, waiting)) FROM (
        SELECT e.accepted_at, e.row, e.type, length(e.body) AS size,
            EXISTS (
                SELECT 1 FROM delivery AS d
                WHERE d.event = e.row AND d.event > 0 AND d.webhook = :webhook AND d.status = 'success'
            ) AS delivered,
            EXISTS (SELECT 1 FROM pending AS p WHERE p.event = e.row AND p.webhook = :webhook) AS waiting
        FROM event AS e
        WHERE e.type = t.value AND e.accepted_at < :until AND (e.accepted_at, e.row) > (:at, :row)
        ORDER BY e.accepted_at, e.row LIMIT :limit
    )
) FROM json_each(:types) AS t

-- name: bodies
-- [row, key, body, trace] of each of the events (a JSON array of rows), as one JSON array.
SELECT json_group_array(json_array(e.row, e.key, CAST(e.body AS TEXT), e.trace))
FROM json_each(?) AS asked JOIN event AS e ON e.row = asked.value

-- name: whose
-- A webhook's row, and the first delivery that is its owner's; also of one that was deleted.
SELECT row, own_from FROM webhook WHERE id = ?1 UNION ALL SELECT row, 0 FROM deleted_webhook WHERE id = ?1

-- name: pending_between
-- By the sequence alone (+ keeps SQLite from reading all that waits for the webhook), as in the next.
SELECT count(*) FROM pending WHERE +webhook = ?1 AND sequence BETWEEN ?2 AND ?3

-- name: ended_between
SELECT coalesce(sum(status = 'success'), 0), coalesce(sum(status <> 'success' AND state <> 'retrying'), 0)
FROM delivery WHERE +webhook = ?1 AND sequence BETWEEN ?2 AND ?3
