-- name: failing
SELECT webhook FROM webhook_failing

-- name: note_failure
INSERT INTO webhook_failing (webhook, since, failures) VALUES (?, ?, 1)
ON CONFLICT (webhook) DO UPDATE SET failures = failures + 1 RETURNING since, failures

-- name: clear_failing
DELETE FROM webhook_failing WHERE webhook = ?
