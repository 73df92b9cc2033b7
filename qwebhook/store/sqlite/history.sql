-- name: list
-- A record tells of its latest attempt. {where}, {order}, {direction} come from the fragments below.
SELECT d.sequence, w.id, d.type, d.status, d.state, d.attempts, d.triggered_at, d.next_attempt_at, d.test, d.event,
    a.reason, a.url, a.request_headers, coalesce(a.request_body, CAST(e.body AS TEXT)), a.status_code, a.response_headers,
    a.response_body, e.accepted_at
FROM delivery AS d
JOIN webhook AS w ON w.row = d.webhook
JOIN attempt AS a ON a.id = d.sequence * 64 + d.attempts
LEFT JOIN event AS e ON e.row = d.event
WHERE {where} ORDER BY {order} LIMIT ?

-- name: where webhook
d.webhook = ?
-- name: where event_type
d.type = ?
-- name: where status
d.status = ?
-- name: where sequence
d.sequence = ?
-- name: beyond triggeredAt
d.sequence {comparison} ?
-- name: beyond status
(d.status, d.sequence) {comparison} (?, ?)
-- name: order triggeredAt
d.sequence {direction}
-- name: order status
d.status {direction}, d.sequence {direction}

-- name: attempts
-- Of one delivery, first to last.
SELECT a.id % 64, a.started_at, a.duration, a.first_byte, a.outcome, a.reason, a.url, a.request_headers,
    coalesce(a.request_body, CAST(e.body AS TEXT)), a.status_code, a.response_headers, a.response_body
FROM attempt AS a LEFT JOIN event AS e ON e.row = ?2
WHERE a.id BETWEEN ?1 * 64 AND ?1 * 64 + 63 ORDER BY a.id

-- name: webhook_row
SELECT row FROM webhook WHERE id = ?
