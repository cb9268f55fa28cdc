-- Labels of an execution: a JSON object, or NULL if it has none. Covered by the checksum of the input.
ALTER TABLE @.executions ADD COLUMN labels text;

-- Execution whose history this one began with: a JSON object, or NULL. Covered by the checksum of the input.
ALTER TABLE @.executions ADD COLUMN forked_from text;

-- The same labels, one row for each, to find executions by them. Within a label they are in the order of their ids, as
-- listings return them.
CREATE TABLE @.labels (
    label        text COLLATE "C" NOT NULL,
    value        text COLLATE "C" NOT NULL,
    execution_id text COLLATE "C" NOT NULL,
    -- Key of the execution.
    execution    int8 NOT NULL,
    PRIMARY KEY (label, value, execution_id)
);
