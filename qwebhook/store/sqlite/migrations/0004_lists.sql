-- Lists cost what they show, however much there is: each restriction in each order is a range of an index.

-- A facet is something that a list of webhooks can be restricted to: 'enabled=1', 'owner=ID', 'type=NAME', or 'all'.
-- A webhook has a row for each of its own, with what lists are ordered by.
CREATE TABLE webhook_facet (
    webhook INTEGER NOT NULL,
    facet TEXT NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    url TEXT NOT NULL COLLATE NOCASE,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (webhook, facet)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_facet_name ON webhook_facet (facet, name, webhook);
CREATE INDEX webhook_facet_url ON webhook_facet (facet, url, webhook);
CREATE INDEX webhook_facet_created ON webhook_facet (facet, created_at, webhook);
CREATE INDEX webhook_facet_updated ON webhook_facet (facet, updated_at, webhook);

-- What webhook_facet has to hold. Of three origins, any two are all but one.
CREATE VIEW webhook_facets (webhook, facet, name, url, created_at, updated_at) AS
SELECT w.row, f.value, w.name, w.url, w.created_at, w.updated_at
FROM webhook AS w, json_each(json_array(
    'all', 'enabled=' || w.enabled, 'level=' || w.level, 'owner=' || w.owner_id, 'creator=' || w.created_by,
    'updater=' || w.updated_by, 'origin=' || w.origin,
    iif(w.origin <> 'api', 'origin!=api', NULL), iif(w.origin <> 'automations', 'origin!=automations', NULL),
    iif(w.origin <> 'management-console', 'origin!=management-console', NULL)
)) AS f
WHERE f.value IS NOT NULL
UNION ALL
SELECT w.row, 'type=' || t.value, w.name, w.url, w.created_at, w.updated_at
FROM webhook AS w, json_each(w.event_types) AS t;

CREATE TRIGGER webhook_faceted AFTER INSERT ON webhook BEGIN
    INSERT INTO webhook_facet SELECT * FROM webhook_facets WHERE webhook = NEW.row;
END;
CREATE TRIGGER webhook_refaceted
AFTER UPDATE OF name, url, event_types, enabled, level, owner_id, updated_at, updated_by ON webhook BEGIN
    DELETE FROM webhook_facet WHERE webhook = OLD.row;
    INSERT INTO webhook_facet SELECT * FROM webhook_facets WHERE webhook = NEW.row;
END;
CREATE TRIGGER webhook_unfaceted AFTER DELETE ON webhook BEGIN
    DELETE FROM webhook_facet WHERE webhook = OLD.row;
END;
INSERT INTO webhook_facet SELECT * FROM webhook_facets;

DROP TABLE webhook_event_type;
DROP INDEX webhook_name;
DROP INDEX webhook_url;
DROP INDEX webhook_created;
DROP INDEX webhook_updated;
DROP INDEX webhook_owner;

-- There are two statuses: what is not restricted to one is read from both and merged, so that four indexes do for
-- every combination of webhook, type and status in both orders. Each costs every delivery a little.
DROP INDEX delivery_webhook;
DROP INDEX delivery_status;
DROP INDEX delivery_type;
CREATE INDEX delivery_of_webhook ON delivery (webhook, status, sequence);
CREATE INDEX delivery_of_webhook_and_type ON delivery (webhook, type, status, sequence);
CREATE INDEX delivery_of_type ON delivery (type, status, sequence);
CREATE INDEX delivery_of_status ON delivery (status, sequence);

-- How many deliveries are on record, by their status.
CREATE TABLE delivery_count (
    webhook INTEGER PRIMARY KEY,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL
) STRICT;
CREATE TRIGGER delivery_counted AFTER INSERT ON delivery BEGIN
    INSERT INTO delivery_count (webhook, succeeded, failed)
    VALUES (NEW.webhook, NEW.status = 'success', NEW.status <> 'success')
    ON CONFLICT (webhook) DO UPDATE
    SET succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed;
END;
CREATE TRIGGER delivery_recounted AFTER UPDATE OF status ON delivery WHEN OLD.status <> NEW.status BEGIN
    UPDATE delivery_count
    SET succeeded = succeeded + (NEW.status = 'success') - (OLD.status = 'success'),
        failed = failed + (NEW.status <> 'success') - (OLD.status <> 'success')
    WHERE webhook = NEW.webhook;
END;
CREATE TRIGGER delivery_uncounted AFTER DELETE ON delivery BEGIN
    UPDATE delivery_count
    SET succeeded = succeeded - (OLD.status = 'success'), failed = failed - (OLD.status <> 'success')
    WHERE webhook = OLD.webhook;
    DELETE FROM delivery_count WHERE webhook = OLD.webhook AND succeeded = 0 AND failed = 0;
END;
-- What delivery_count has to hold.
CREATE VIEW delivery_counts (webhook, succeeded, failed) AS
SELECT webhook, sum(status = 'success'), sum(status <> 'success') FROM delivery GROUP BY webhook;
INSERT INTO delivery_count SELECT * FROM delivery_counts;
