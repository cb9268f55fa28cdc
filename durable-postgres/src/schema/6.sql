-- Executions in the order of their start, within each status of each handler and all together: for counts, and for
-- listings with the newest first.
CREATE INDEX executions_state ON @.executions (status, handler, created_at, id);
CREATE INDEX executions_started ON @.executions (created_at, id);
