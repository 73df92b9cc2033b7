-- name: traces
-- What is left of the events with these keys (a JSON array): [key, row, accepted_at, whether the webhook has had it,
-- whether it waits for that, whether its body is kept], as one JSON array.
SELECT json_group_array(json_array(k.key, k.row, k.accepted_at,
    EXISTS (
        SELECT 1 FROM delivery AS d
        WHERE d.event = k.row AND d.event > 0 AND d.webhook = :webhook AND d.status = 'success'
    ),
    EXISTS (SELECT 1 FROM pending AS p WHERE p.event = k.row AND p.webhook = :webhook),
    EXISTS (SELECT 1 FROM event AS e WHERE e.row = k.row)
)) FROM json_each(:keys) AS asked JOIN event_key AS k ON k.key = asked.value

-- name: restore_events
-- Takes [row, type, body] of events whose bodies may have been swept. They get the time that they were accepted at: a
-- sweep relies on rows being in order of time.
INSERT INTO event (row, type, key, accepted_at, body)
SELECT k.row, asked.value ->> 1, k.key, k.accepted_at, CAST(asked.value ->> 2 AS BLOB)
FROM json_each(?) AS asked JOIN event_key AS k ON k.row = asked.value ->> 0
WHERE true ON CONFLICT (row) DO NOTHING
