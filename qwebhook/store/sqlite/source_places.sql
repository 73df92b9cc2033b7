-- name: place
SELECT since, reached FROM source_place WHERE source = ?

-- name: keep_place
INSERT INTO source_place (source, since, reached, at) VALUES (?, ?, ?, ?)
ON CONFLICT (source) DO UPDATE SET since = excluded.since, reached = excluded.reached, at = excluded.at
