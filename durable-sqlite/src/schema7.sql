-- Messages to executions, in the order in which they were accepted.
CREATE TABLE messages (
    execution   INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    -- Id of the execution it was sent to: in a chain perhaps an earlier one.
    sent_to     TEXT NOT NULL,
    id          TEXT NOT NULL,
    name        TEXT NOT NULL,
    codec       TEXT NOT NULL,
    payload     BLOB NOT NULL,
    sent_at     INTEGER NOT NULL,
    -- Covers all columns above but the first.
    checksum    INTEGER NOT NULL,
    -- Position of the operation that received it, or NULL while it waits.
    received_by INTEGER,
    PRIMARY KEY (execution, number)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX messages_by_id ON messages (execution, id);
