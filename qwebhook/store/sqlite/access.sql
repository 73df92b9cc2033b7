-- name: version
-- Rises with every change of a webhook, a token or an inbound.
SELECT version FROM store

-- name: insert_token
INSERT INTO token (id, name, digest, role, user_id, created_at) VALUES (?, ?, ?, ?, ?, ?)

-- name: tokens_by_digest
SELECT digest, id, name, role, user_id, created_at FROM token

-- name: tokens
SELECT t.id, t.name, t.role, t.user_id, t.created_at, u.used_at
FROM token AS t LEFT JOIN token_use AS u ON u.token = t.id ORDER BY t.name COLLATE NOCASE, t.name

-- name: token
-- By its id, else by its name.
SELECT t.id, t.name, t.role, t.user_id, t.created_at, u.used_at
FROM token AS t LEFT JOIN token_use AS u ON u.token = t.id
WHERE t.id = ?1 OR t.name = ?1 ORDER BY t.id = ?1 DESC LIMIT 1

-- name: delete_token
DELETE FROM token WHERE id = ?

-- name: note_token_use
-- What has been revoked meanwhile is left out, and a later use is not put back by an earlier one.
INSERT INTO token_use (token, used_at) SELECT id, ?2 FROM token WHERE id = ?1
ON CONFLICT (token) DO UPDATE SET used_at = max(used_at, excluded.used_at)

-- name: insert_inbound
INSERT INTO inbound (id, name, secrets, secret_count, created_at, created_by) VALUES (?, ?, ?, ?, ?, ?)

-- name: inbounds
SELECT id, name, secret_count, created_at, created_by FROM inbound ORDER BY name COLLATE NOCASE, name

-- name: inbound
-- By its id, else by its name.
SELECT id, name, secret_count, created_at, created_by FROM inbound
WHERE id = ?1 OR name = ?1 ORDER BY id = ?1 DESC LIMIT 1

-- name: delete_inbound
DELETE FROM inbound WHERE id = ?

-- name: inbound_secrets
SELECT id, secrets FROM inbound ORDER BY name
