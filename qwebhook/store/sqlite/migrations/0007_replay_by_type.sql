-- A replay looks at the events of its webhook's types only, so that one over many webhooks costs what they get.
DROP INDEX event_accepted;
CREATE INDEX event_of_type ON event (type, accepted_at, row);
