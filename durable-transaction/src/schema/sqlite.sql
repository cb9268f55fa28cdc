-- Outcomes of steps that run in a transaction of this database.
CREATE TABLE IF NOT EXISTS durable_transactions (
    execution  TEXT NOT NULL,
    -- Tells executions apart that had the same id one after the other.
    lineage    TEXT NOT NULL,
    -- Empty in the fence row of the execution.
    operation  TEXT NOT NULL,
    -- In the fence row, the highest fence that has committed.
    fence      INTEGER NOT NULL,
    -- NULL in the fence row, and for an error, which is JSON.
    codec      TEXT,
    data       BLOB,
    -- Seconds since the Unix epoch.
    written_at INTEGER NOT NULL DEFAULT (unixepoch()),
    PRIMARY KEY (execution, lineage, operation)
) WITHOUT ROWID, STRICT;
