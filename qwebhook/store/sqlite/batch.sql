-- name: in_memory
-- The view below needs no file of its own.
PRAGMA temp_store = MEMORY

-- name: view
-- Its columns are the parameters of `write`: a JSON array of rows for each table, and the numbers of the store as it is
-- thought to be and as it is then. NULL: within a transaction, whose beginning and end see to the numbers.
CREATE TEMP VIEW IF NOT EXISTS batch (
    version, next_event, next_delivery, after_event, after_delivery, events, pendings, done, deliveries, retried, attempts
) AS SELECT NULL, NULL, NULL, NULL, NULL, '', '', '', '', '', ''

-- name: trigger
CREATE TEMP TRIGGER IF NOT EXISTS batch_written INSTEAD OF INSERT ON batch BEGIN
    SELECT RAISE(ABORT, 'the store has changed') FROM store
    WHERE version <> NEW.version OR next_event <> NEW.next_event OR next_delivery <> NEW.next_delivery;

    -- Within a transaction the keys may be there already, with the same rows.
    INSERT INTO event_key (row, key, accepted_at)
    SELECT value ->> 0, value ->> 2, value ->> 3 FROM json_each(NEW.events) WHERE true
    ON CONFLICT (key) DO UPDATE
    SET accepted_at = iif(row = excluded.row, accepted_at, RAISE(ABORT, 'an event came before'));

    INSERT INTO event (row, type, key, accepted_at, body, trace)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, CAST(value ->> 4 AS BLOB), value ->> 5
    FROM json_each(NEW.events);

    INSERT INTO pending (webhook, due, sequence, event, attempt, triggered_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each(NEW.pendings);

    DELETE FROM pending
    WHERE (webhook, due, sequence) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(NEW.done));

    -- The first attempt makes the record, later ones update it.
    INSERT INTO delivery (sequence, webhook, event, type, status, state, attempts, triggered_at, next_attempt_at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, 1, value ->> 6, value ->> 7
    FROM json_each(NEW.deliveries);

    UPDATE delivery SET status = latest.value ->> 1, state = latest.value ->> 2, attempts = latest.value ->> 3,
        next_attempt_at = latest.value ->> 4
    FROM json_each(NEW.retried) AS latest WHERE sequence = latest.value ->> 0;

    INSERT INTO attempt (
        id, started_at, duration, first_byte, outcome, reason, url, request_headers, request_body, status_code,
        response_headers, response_body
    ) SELECT
        value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
        value ->> 8, value ->> 9, value ->> 10, value ->> 11
    FROM json_each(NEW.attempts);

    UPDATE store SET next_event = NEW.after_event, next_delivery = NEW.after_delivery
    WHERE next_event < NEW.after_event OR next_delivery < NEW.after_delivery;
END

-- name: write
INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
