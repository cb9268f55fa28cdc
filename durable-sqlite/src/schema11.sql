-- An execution changes its state twice in each run. Running ones are found by their leases, so that the index only
-- changes when they stop running. Leases are few enough to be searched without an index.
DROP INDEX executions_state;
CREATE INDEX executions_state ON executions (status, handler, created_at, id) WHERE status <> 'running';
DROP INDEX leases_owner;
