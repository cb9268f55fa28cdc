-- Outcomes of steps that run in a transaction of this database.
CREATE TABLE IF NOT EXISTS durable_transactions (
    execution  varchar(512) COLLATE "C" NOT NULL,
    -- Tells executions apart that had the same id one after the other.
    lineage    varchar(64) COLLATE "C" NOT NULL,
    -- Empty in the fence row of the execution.
    operation  varchar(64) COLLATE "C" NOT NULL,
    -- In the fence row, the highest fence that has committed.
    fence      bigint NOT NULL,
    -- NULL in the fence row, and for an error, which is JSON.
    codec      text,
    data       bytea,
    written_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (execution, lineage, operation)
);
