-- A replay looks at the events of a time, and at each only for whether it was delivered or waits.
CREATE INDEX event_accepted ON event (accepted_at, row);
CREATE INDEX delivery_success ON delivery (event, webhook) WHERE status = 'success' AND event > 0;
-- How a replay has fared is told by the sequences of its deliveries.
CREATE INDEX pending_sequence ON pending (sequence);

-- Events that were sent again, and when last: their bodies stay as long as the record of that.
CREATE TABLE event_resent (
    event INTEGER PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER event_resent_ended AFTER DELETE ON event BEGIN DELETE FROM event_resent WHERE event = OLD.row; END;
