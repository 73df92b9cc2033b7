-- From which delivery on a webhook's history is that of the user whose it is: not what came before it was given to them.
ALTER TABLE webhook ADD COLUMN own_from INTEGER NOT NULL DEFAULT 0;
-- Whose these were before is not on record, if others than their owner had to do with them.
UPDATE webhook SET own_from = (SELECT next_delivery FROM store)
WHERE level = 'user' AND (created_by IS NOT owner_id OR updated_by IS NOT owner_id);

-- How a replay has fared is asked also when its webhook has been deleted meanwhile.
CREATE INDEX deleted_webhook_id ON deleted_webhook (id);
