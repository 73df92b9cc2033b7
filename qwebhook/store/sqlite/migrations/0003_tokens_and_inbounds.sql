-- When tokens were last used: apart from the tokens, since every change of those makes each server read them again.
CREATE TABLE token_use (
    token TEXT PRIMARY KEY,             -- its id
    used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER token_use_ended AFTER DELETE ON token BEGIN DELETE FROM token_use WHERE token = OLD.id; END;

-- Whose signatures let events in.
CREATE TABLE inbound (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    secrets BLOB NOT NULL,              -- sealed JSON array
    secret_count INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER inbound_inserted AFTER INSERT ON inbound BEGIN UPDATE store SET version = version + 1; END;
CREATE TRIGGER inbound_updated AFTER UPDATE ON inbound BEGIN UPDATE store SET version = version + 1; END;
CREATE TRIGGER inbound_deleted AFTER DELETE ON inbound BEGIN UPDATE store SET version = version + 1; END;
