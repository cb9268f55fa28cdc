-- Outcomes of steps that run in a transaction of this database.
CREATE TABLE IF NOT EXISTS durable_transactions (
    execution  varchar(512) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- Tells executions apart that had the same id one after the other.
    lineage    varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- Empty in the fence row of the execution.
    operation  varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- In the fence row, the highest fence that has committed.
    fence      bigint NOT NULL,
    -- NULL in the fence row, and for an error, which is JSON.
    codec      varchar(255) CHARACTER SET utf8mb4,
    data       longblob,
    written_at timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    PRIMARY KEY (execution, lineage, operation)
) ENGINE = InnoDB;
