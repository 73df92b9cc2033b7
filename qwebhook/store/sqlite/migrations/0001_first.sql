-- The first schema. Times are milliseconds since the epoch, JSON columns are text, sealed columns are encrypted.

-- One row: the store itself. `version` rises with every change of a webhook or token, so that a server notices.
CREATE TABLE store (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    number INTEGER NOT NULL,            -- 0 to 4095, part of the ids of events and deliveries
    key_fingerprint TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 0,
    next_event INTEGER NOT NULL DEFAULT 1,
    next_delivery INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL
) STRICT;

-- AUTOINCREMENT: a row number is never used again, or a new webhook would inherit a deleted one's history.
CREATE TABLE webhook (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,           -- store.version at the last change
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    event_types TEXT NOT NULL,          -- JSON array
    filter TEXT NOT NULL,
    headers TEXT NOT NULL,              -- JSON object
    encrypted_header_names TEXT NOT NULL, -- JSON array
    encrypted_headers BLOB,             -- sealed JSON object
    secrets BLOB,                       -- sealed JSON array, the current secret first
    enabled INTEGER NOT NULL,
    level TEXT NOT NULL,
    owner_id TEXT,
    check_certificate_revocation INTEGER NOT NULL,
    enable_cloud_event_delivery INTEGER NOT NULL,
    origin TEXT NOT NULL,
    settings TEXT NOT NULL,             -- JSON object, qwebhook's own fields
    disabled_reason TEXT,
    disabled_reason_code TEXT,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL
) STRICT;
CREATE INDEX webhook_name_exact ON webhook (name);
CREATE INDEX webhook_name ON webhook (name COLLATE NOCASE, row);
CREATE INDEX webhook_url ON webhook (url COLLATE NOCASE, row);
CREATE INDEX webhook_created ON webhook (created_at, row);
CREATE INDEX webhook_updated ON webhook (updated_at, row);
CREATE INDEX webhook_owner ON webhook (owner_id, created_at, row);

-- One row for each type a webhook subscribes to, for the list's filter.
CREATE TABLE webhook_event_type (
    type TEXT NOT NULL,
    webhook INTEGER NOT NULL,
    PRIMARY KEY (type, webhook)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_event_type_webhook ON webhook_event_type (webhook);

-- Webhooks whose latest attempts failed: since when, and how many in a row.
CREATE TABLE webhook_failing (
    webhook INTEGER PRIMARY KEY,
    since INTEGER NOT NULL,
    failures INTEGER NOT NULL
) STRICT;

CREATE TABLE token (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    digest BLOB NOT NULL UNIQUE,        -- SHA-256 of the token
    role TEXT NOT NULL,
    user_id TEXT,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER webhook_inserted AFTER INSERT ON webhook BEGIN UPDATE store SET version = version + 1; END;
CREATE TRIGGER webhook_updated AFTER UPDATE ON webhook BEGIN UPDATE store SET version = version + 1; END;
CREATE TRIGGER webhook_deleted AFTER DELETE ON webhook BEGIN UPDATE store SET version = version + 1; END;
CREATE TRIGGER token_inserted AFTER INSERT ON token BEGIN UPDATE store SET version = version + 1; END;
CREATE TRIGGER token_updated AFTER UPDATE ON token BEGIN UPDATE store SET version = version + 1; END;
CREATE TRIGGER token_deleted AFTER DELETE ON token BEGIN UPDATE store SET version = version + 1; END;

-- Decides duplicates; outlives the events (100 days). Its row is the event's.
CREATE TABLE event_key (
    row INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,           -- base64 of 16 bytes
    accepted_at INTEGER NOT NULL
) STRICT;

CREATE TABLE event (
    row INTEGER PRIMARY KEY,
    type TEXT NOT NULL,
    key TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

-- The queue. Narrow, and a row goes when its delivery is done, so that its cost does not grow with history.
CREATE TABLE pending (
    webhook INTEGER NOT NULL,
    due INTEGER NOT NULL,
    sequence INTEGER NOT NULL,          -- the delivery's, in order of arrival
    event INTEGER NOT NULL,
    attempt INTEGER NOT NULL,           -- the coming one, from 1
    triggered_at INTEGER NOT NULL,
    PRIMARY KEY (webhook, due, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX pending_event ON pending (event);

-- History: a row from the first attempt on, updated by later ones.
CREATE TABLE delivery (
    sequence INTEGER PRIMARY KEY,
    webhook INTEGER NOT NULL,
    event INTEGER NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,               -- success, fail
    state TEXT NOT NULL,                -- delivered, retrying, dead, gone, cancelled
    attempts INTEGER NOT NULL,
    triggered_at INTEGER NOT NULL,
    next_attempt_at INTEGER,
    test INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX delivery_webhook ON delivery (webhook, sequence);
CREATE INDEX delivery_status ON delivery (webhook, status, sequence);
CREATE INDEX delivery_type ON delivery (webhook, type, sequence);

-- id = delivery's sequence * 64 + number of the attempt: one b-tree in order of arrival, and no other index.
CREATE TABLE attempt (
    id INTEGER PRIMARY KEY,
    started_at INTEGER NOT NULL,
    duration REAL NOT NULL,             -- ms
    first_byte REAL,                    -- ms
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    url TEXT NOT NULL,
    request_headers TEXT NOT NULL,      -- JSON object, encrypted headers omitted
    request_body TEXT,                  -- NULL: the event's
    status_code INTEGER,
    response_headers TEXT,              -- JSON array of pairs
    response_body TEXT
) STRICT;
