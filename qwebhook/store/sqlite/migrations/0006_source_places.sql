-- How far each source has been read, in the source's own time: where reading goes on after a restart.
CREATE TABLE source_place (
    source TEXT PRIMARY KEY,            -- such as audits:https://TENANT
    since INTEGER NOT NULL,             -- where it began; before that nothing is wanted
    reached INTEGER NOT NULL,
    at INTEGER NOT NULL                 -- when that was written down, in the machine's time
) STRICT, WITHOUT ROWID;
