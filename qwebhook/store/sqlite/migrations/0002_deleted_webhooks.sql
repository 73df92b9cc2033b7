-- The ids of deleted webhooks, so that their history, which is kept like any other, can still say whose it is.
CREATE TABLE deleted_webhook (
    row INTEGER PRIMARY KEY,            -- as it was in webhook
    id TEXT NOT NULL
) STRICT;
CREATE TRIGGER webhook_remembered AFTER DELETE ON webhook
BEGIN INSERT INTO deleted_webhook (row, id) VALUES (OLD.row, OLD.id); END;
