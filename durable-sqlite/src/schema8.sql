-- `traceparent` of the caller that started it.
ALTER TABLE executions ADD COLUMN trace TEXT;
