-- name: list
-- A record tells of its latest attempt. {where} is put in from the fragments below. Records of deleted webhooks are
-- listed with the others; of webhooks that were deleted in a store of version 1 the id is not known.
SELECT d.sequence, coalesce(w.id, g.id, ''), d.type, d.status, d.state, d.attempts, d.triggered_at, d.next_attempt_at,
    d.test, d.event, a.reason, a.url, a.request_headers, coalesce(a.request_body, CAST(e.body AS TEXT)), a.status_code,
    a.response_headers, a.response_body, e.accepted_at
FROM delivery AS d
JOIN attempt AS a ON a.id = d.sequence * 64 + d.attempts
LEFT JOIN webhook AS w ON w.row = d.webhook
LEFT JOIN deleted_webhook AS g ON g.row = d.webhook
LEFT JOIN event AS e ON e.row = d.event
WHERE {where}

-- name: ordered
-- The rows of several selects, each read in the order wanted from an index, are merged.
{selects} ORDER BY {order} LIMIT ?

-- name: where webhook
d.webhook = ?
-- name: where event_type
d.type = ?
-- name: where status
d.status = ?
-- name: where sequence
d.sequence = ?
-- name: where own
d.sequence >= ?
-- name: where beyond
d.sequence {comparison} ?
-- name: order triggeredAt
1 {direction}
-- name: order status
4 {direction}, 1 {direction}

-- name: attempts
-- Of one delivery, first to last.
SELECT a.id % 64, a.started_at, a.duration, a.first_byte, a.outcome, a.reason, a.url, a.request_headers,
    coalesce(a.request_body, CAST(e.body AS TEXT)), a.status_code, a.response_headers, a.response_body
FROM attempt AS a LEFT JOIN event AS e ON e.row = ?2
WHERE a.id BETWEEN ?1 * 64 AND ?1 * 64 + 63 ORDER BY a.id

-- name: webhook_row
-- And the first delivery that is its owner's.
SELECT row, own_from FROM webhook WHERE id = ?

-- name: webhooks_there_are
-- All, and those that are enabled: by an index, since a webhook's row is large.
SELECT (SELECT count(*) FROM webhook_facet WHERE facet = 'all'),
    (SELECT count(*) FROM webhook_facet WHERE facet = 'enabled=1')

-- name: all_counts
SELECT coalesce(sum(succeeded), 0), coalesce(sum(failed), 0) FROM delivery_count

-- name: all_pending
SELECT count(*), min(triggered_at) FROM pending

-- name: webhook_counts
-- Of each webhook in the order they were made, beyond one of them or from the first.
SELECT w.row, w.id, w.name, w.enabled, coalesce(c.succeeded, 0), coalesce(c.failed, 0),
    (SELECT count(*) FROM pending AS p WHERE p.webhook = w.row),
    (SELECT min(p.triggered_at) FROM pending AS p WHERE p.webhook = w.row)
FROM webhook AS w LEFT JOIN delivery_count AS c ON c.webhook = w.row
WHERE {where} ORDER BY w.row {direction} LIMIT ?

-- name: where webhooks beyond
w.row {comparison} ?
