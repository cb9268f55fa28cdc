-- Messages to executions, in the order in which they were accepted.
CREATE TABLE @.messages (
    -- Key of the execution that receives it.
    execution   int8 NOT NULL,
    number      int8 NOT NULL,
    -- Id of the execution it was sent to: in a chain perhaps an earlier one.
    sent_to     text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    name        text NOT NULL,
    codec       text NOT NULL,
    payload     bytea NOT NULL,
    sent_at     int8 NOT NULL,
    -- Covers all columns above but the first.
    checksum    int4 NOT NULL,
    -- Position of the operation that received it, or NULL while it waits.
    received_by int8,
    PRIMARY KEY (execution, number)
);

CREATE UNIQUE INDEX messages_by_id ON @.messages (execution, id);
