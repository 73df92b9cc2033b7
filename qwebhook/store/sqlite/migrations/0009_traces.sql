-- The trace of the request that brought an event, for its deliveries: traceparent, then tracestate after a space if it came.
ALTER TABLE event ADD COLUMN trace TEXT;
