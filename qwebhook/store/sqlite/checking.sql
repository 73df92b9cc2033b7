-- name: integrity
-- Looks at every page and every index; ten faults are enough.
PRAGMA integrity_check(10)

-- name: version
PRAGMA user_version

-- name: figures
SELECT 'webhooks', count(*) FROM webhook
UNION ALL SELECT 'events', count(*) FROM event
UNION ALL SELECT 'pending', count(*) FROM pending
UNION ALL SELECT 'deliveries', count(*) FROM delivery
UNION ALL SELECT 'attempts', count(*) FROM attempt
UNION ALL SELECT 'tokens', count(*) FROM token
UNION ALL SELECT 'inbounds', count(*) FROM inbound

-- name: pending_without_event
SELECT count(*) FROM pending AS p WHERE NOT EXISTS (SELECT 1 FROM event AS e WHERE e.row = p.event)

-- name: pending_without_webhook
SELECT count(*) FROM pending AS p WHERE NOT EXISTS (SELECT 1 FROM webhook AS w WHERE w.row = p.webhook)

-- name: deliveries_without_attempt
SELECT count(*) FROM delivery AS d
WHERE NOT EXISTS (SELECT 1 FROM attempt AS a WHERE a.id = d.sequence * 64 + d.attempts)

-- name: retries_that_do_not_wait
SELECT count(*) FROM delivery AS d
WHERE d.state = 'retrying' AND NOT EXISTS (SELECT 1 FROM pending AS p WHERE p.sequence = d.sequence)

-- name: numbers_given_out_again
-- Rows whose number is still to be given to another.
SELECT (SELECT count(*) FROM event_key WHERE row >= next_event) + (SELECT count(*) FROM event WHERE row >= next_event)
    + (SELECT count(*) FROM delivery WHERE sequence >= next_delivery)
    + (SELECT count(*) FROM pending WHERE sequence >= next_delivery)
FROM store

-- name: wrong_facets
SELECT (SELECT count(*) FROM (SELECT * FROM webhook_facets EXCEPT SELECT * FROM webhook_facet))
    + (SELECT count(*) FROM (SELECT * FROM webhook_facet EXCEPT SELECT * FROM webhook_facets))

-- name: wrong_counts
SELECT count(*) FROM (
    SELECT * FROM delivery_counts EXCEPT SELECT * FROM delivery_count
    UNION
    SELECT webhook, 0, 0 FROM delivery_count WHERE webhook NOT IN (SELECT webhook FROM delivery_counts)
)

-- name: sealed_webhooks
SELECT id, name, secrets, encrypted_headers FROM webhook WHERE secrets IS NOT NULL OR encrypted_headers IS NOT NULL

-- name: sealed_inbounds
SELECT id, name, secrets FROM inbound
