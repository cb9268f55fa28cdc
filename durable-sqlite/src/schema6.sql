-- Labels of an execution: a JSON object, or NULL if it has none. Covered by the checksum of the input.
ALTER TABLE executions ADD COLUMN labels TEXT;

-- Execution whose history this one began with: a JSON object, or NULL. Covered by the checksum of the input.
ALTER TABLE executions ADD COLUMN forked_from TEXT;

-- The same labels, one row for each, to find executions by them. Within a label they are in the order of their ids, as
-- listings return them.
CREATE TABLE labels (
    label        TEXT NOT NULL,
    value        TEXT NOT NULL,
    execution_id TEXT NOT NULL,
    -- Key of the execution.
    execution    INTEGER NOT NULL,
    PRIMARY KEY (label, value, execution_id)
) STRICT, WITHOUT ROWID;
