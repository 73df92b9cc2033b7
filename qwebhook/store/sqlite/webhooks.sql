-- name: columns
-- What `rows.webhook_from` reads, in its order.
w.row, w.id, w.version, w.name, w.url, w.description, w.event_types, w.filter, w.headers, w.encrypted_header_names,
w.secrets IS NOT NULL, w.enabled, w.level, w.owner_id, w.check_certificate_revocation, w.enable_cloud_event_delivery,
w.origin, w.settings, w.disabled_reason, w.disabled_reason_code, w.created_at, w.created_by, w.updated_at, w.updated_by

-- name: list
-- A range of the index that has the webhooks of one facet in the order asked for. {facets}, {columns}, {where}, {order}
-- and {direction} are put in by the caller; CROSS JOIN has SQLite begin with the facet. Of several facets, any of which
-- will do, the webhooks have to be sorted.
SELECT {columns} FROM webhook_facet AS f CROSS JOIN webhook AS w ON w.row = f.webhook
WHERE f.facet IN ({facets}) AND {where} ORDER BY f.{order} {direction}, f.webhook {direction} LIMIT ?

-- name: where facet
EXISTS (SELECT 1 FROM webhook_facet AS o WHERE o.webhook = f.webhook AND o.facet IN ({facets}))
-- name: where name
-- A substring has no index. This reads one that has the names and little else from end to end, once for the list; the
-- + keeps SQLite from beginning with it, and having to sort.
+f.webhook IN (SELECT s.webhook FROM webhook_facet AS s WHERE s.facet = 'all' AND instr(casefold(s.name), ?))
-- name: where url
-- URLs are ASCII.
+f.webhook IN (SELECT s.webhook FROM webhook_facet AS s WHERE s.facet = 'all' AND instr(lower(s.url), ?))
-- name: where beyond
-- The keyset: rows beyond the edge of the page before. {comparison} is < or >.
(f.{order}, f.webhook) {comparison} (?, ?)

-- name: rarest_facet
-- Of several restrictions, each a JSON array of facets any of which will do, the number of the one that the fewest
-- webhooks satisfy, as far as a thousand are few.
SELECT key FROM json_each(?) AS asked ORDER BY (
    SELECT count(*) FROM (
        SELECT 1 FROM webhook_facet AS f WHERE f.facet IN (SELECT value FROM json_each(asked.value)) LIMIT 1000
    )
) LIMIT 1

-- name: present_facets
-- Those of several facets (a JSON array) that any webhook has.
SELECT value FROM json_each(?) AS asked WHERE EXISTS (SELECT 1 FROM webhook_facet AS f WHERE f.facet = asked.value)

-- name: count_facet
SELECT count(*) FROM webhook_facet WHERE facet = ?

-- name: get
SELECT {columns} FROM webhook AS w WHERE w.id = ?

-- name: by_name
SELECT {columns} FROM webhook AS w WHERE w.name = ? ORDER BY w.row LIMIT 3

-- name: by_prefix
-- A range, so that the index on id serves: from the prefix to the prefix and the last character there is.
SELECT {columns} FROM webhook AS w WHERE w.id >= ? AND w.id < ? ORDER BY w.id LIMIT 3

-- name: insert
INSERT INTO webhook (
    id, version, name, url, description, event_types, filter, headers, encrypted_header_names, encrypted_headers,
    secrets, enabled, level, owner_id, check_certificate_revocation, enable_cloud_event_delivery, origin, settings,
    created_at, created_by, updated_at, updated_by
) VALUES (
    :id, (SELECT version + 1 FROM store), :name, :url, :description, :event_types, :filter, :headers,
    :encrypted_header_names, :encrypted_headers, :secrets, :enabled, :level, :owner_id,
    :check_certificate_revocation, :enable_cloud_event_delivery, :origin, :settings, :now, :by, :now, :by
) RETURNING row

-- name: update
-- The sealed columns are written apart, since most changes leave them alone.
UPDATE webhook SET
    version = (SELECT version + 1 FROM store), name = :name, url = :url, description = :description,
    event_types = :event_types, filter = :filter, headers = :headers,
    encrypted_header_names = :encrypted_header_names, enabled = :enabled, level = :level, owner_id = :owner_id,
    check_certificate_revocation = :check_certificate_revocation,
    enable_cloud_event_delivery = :enable_cloud_event_delivery, settings = :settings,
    disabled_reason = :disabled_reason, disabled_reason_code = :disabled_reason_code,
    updated_at = :now, updated_by = :by
WHERE row = :row

-- name: touch
UPDATE webhook SET version = (SELECT version + 1 FROM store) WHERE row = ?

-- name: give
-- What comes from now on is for the user whose it is, what came before is not.
UPDATE webhook SET
    version = (SELECT version + 1 FROM store), own_from = (SELECT next_delivery FROM store)
WHERE row = ?

-- name: seal_secrets
UPDATE webhook SET version = (SELECT version + 1 FROM store), secrets = ? WHERE row = ?

-- name: seal_encrypted_headers
UPDATE webhook SET version = (SELECT version + 1 FROM store), encrypted_headers = ? WHERE row = ?

-- name: sealed
SELECT encrypted_headers, secrets FROM webhook WHERE row = ?

-- name: delete
DELETE FROM webhook WHERE row = ?

-- name: clear_failing
DELETE FROM webhook_failing WHERE webhook = ?

-- name: cancel_started
-- Deliveries that have had an attempt are on record and stay there, as cancelled.
UPDATE delivery SET state = 'cancelled', next_attempt_at = NULL
WHERE sequence IN (SELECT sequence FROM pending WHERE webhook = ? AND attempt > 1)

-- name: cancel_pending
DELETE FROM pending WHERE webhook = ?

-- name: versions
SELECT row, version FROM webhook

-- name: endpoint
SELECT {columns}, w.encrypted_headers, w.secrets FROM webhook AS w WHERE w.row = ?
