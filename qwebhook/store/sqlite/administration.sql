-- name: columns
-- What `webhooks.from_row` reads, in its order.
row, id, version, name, url, description, event_types, filter, headers, encrypted_header_names, secrets IS NOT NULL,
enabled, level, owner_id, check_certificate_revocation, enable_cloud_event_delivery, origin, settings,
disabled_reason, disabled_reason_code, created_at, created_by, updated_at, updated_by

-- name: list
-- {columns}, {where}, {order} and {direction} are put in by the caller from the fragments below.
SELECT {columns} FROM webhook AS w WHERE {where} ORDER BY {order} {direction}, row {direction} LIMIT ?

-- name: where name
instr(casefold(name), ?)
-- name: where url
instr(casefold(url), ?)
-- name: where enabled
enabled = ?
-- name: where event_type
-- One for each type asked for: all must be subscribed.
EXISTS (SELECT 1 FROM webhook_event_type AS t WHERE t.type = ? AND t.webhook = w.row)
-- name: where level
level = ?
-- name: where origins
origin IN (SELECT value FROM json_each(?))
-- name: where owner_id
owner_id = ?
-- name: where created_by_user_id
created_by = ?
-- name: where updated_by_user_id
updated_by = ?
-- name: where beyond
-- The keyset: rows beyond the edge of the page before. {comparison} is < or >. SQLite finds the edge in an index by
-- the first condition only, since a collation in a pair keeps it from using one.
{order} {comparison}= ? AND ({order}, row) {comparison} (?, ?)

-- name: order name
name COLLATE NOCASE
-- name: order url
url COLLATE NOCASE
-- name: order createdAt
created_at
-- name: order updatedAt
updated_at

-- name: get
SELECT {columns} FROM webhook WHERE id = ?

-- name: by_name
SELECT {columns} FROM webhook WHERE name = ? ORDER BY row LIMIT 3

-- name: by_prefix
-- A range, so that the index on id serves; {upper} is the prefix and the last character there is.
SELECT {columns} FROM webhook WHERE id >= ? AND id < ? ORDER BY id LIMIT 3

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

-- name: seal_secrets
UPDATE webhook SET version = (SELECT version + 1 FROM store), secrets = ? WHERE row = ?

-- name: seal_encrypted_headers
UPDATE webhook SET version = (SELECT version + 1 FROM store), encrypted_headers = ? WHERE row = ?

-- name: sealed
SELECT encrypted_headers, secrets FROM webhook WHERE row = ?

-- name: delete
DELETE FROM webhook WHERE row = ?

-- name: clear_event_types
DELETE FROM webhook_event_type WHERE webhook = ?

-- name: add_event_type
INSERT INTO webhook_event_type (type, webhook) VALUES (?, ?)

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
SELECT {columns}, encrypted_headers, secrets FROM webhook WHERE row = ?

-- name: token_insert
INSERT INTO token (id, name, digest, role, user_id, created_at) VALUES (?, ?, ?, ?, ?, ?)

-- name: tokens
SELECT digest, id, name, role, user_id, created_at FROM token

-- name: version
SELECT version FROM store
