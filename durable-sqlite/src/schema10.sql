-- Executions of a queue in the order of their ids, for listings.
CREATE INDEX executions_queue ON executions (queue, id) WHERE queue IS NOT NULL;
