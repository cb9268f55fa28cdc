-- Words and numbers as `durable-core` defines them; times in milliseconds since the Unix epoch.

CREATE TABLE executions (
    -- Half of the key of an operation.
    key          INTEGER PRIMARY KEY CHECK (key < 2147483648),
    id           TEXT NOT NULL UNIQUE,
    handler      TEXT NOT NULL,
    status       TEXT NOT NULL,
    -- Leases granted so far. The newest lease has this number.
    fence        INTEGER NOT NULL DEFAULT 0,
    -- The batch that gave up the newest lease, to recognise its repetition.
    last_batch   INTEGER,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    wake_at      INTEGER,
    report       TEXT,
    error        TEXT,
    -- How often it was changed from outside.
    changes      INTEGER NOT NULL DEFAULT 0,
    -- 1 once it is to be cancelled.
    cancel       INTEGER NOT NULL DEFAULT 0,
    -- The id of the execution that goes on in its place.
    next         TEXT,
    -- The operation that waits for its end: id of the execution, position and id of the operation.
    parent           TEXT,
    parent_seq       INTEGER,
    parent_operation BLOB,
    input_codec  TEXT NOT NULL,
    output_codec TEXT,
    input        BLOB NOT NULL,
    output       BLOB
) STRICT;

-- What may be claimed, soonest first, without a look at what has ended.
CREATE INDEX executions_due ON executions (wake_at) WHERE status IN ('queued', 'suspended');

-- One row for each execution that is being run, and for none that sleeps.
CREATE TABLE leases (
    execution  INTEGER PRIMARY KEY,
    fence      INTEGER NOT NULL,
    owner      TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

-- Clustered by execution, so that a resume is one range read. One integer holds execution and
-- position: SQLite appends to such a table without rewriting the pages before, unlike to one with a
-- key of two columns.
CREATE TABLE operations (
    -- execution << 32 | seq
    place         INTEGER PRIMARY KEY,
    id            BLOB NOT NULL,
    -- NULL at the top.
    parent        BLOB,
    kind          TEXT NOT NULL,
    name          TEXT NOT NULL,
    -- NULL for a site that runs once, a number for a turn, a text for a key.
    occurrence    ANY,
    label         TEXT,
    ord           INTEGER NOT NULL,
    status        TEXT NOT NULL,
    attempt       INTEGER NOT NULL,
    interruptions INTEGER NOT NULL,
    started_at    INTEGER NOT NULL,
    ended_at      INTEGER,
    due_at        INTEGER,
    value_type    TEXT,
    codec         TEXT,
    data          BLOB,
    error         TEXT,
    secret        INTEGER NOT NULL,
    source        TEXT NOT NULL,
    -- The id of a callback or of an invoked execution.
    handle        TEXT,
    deadline      INTEGER,
    -- In nanoseconds.
    heartbeat     INTEGER,
    extent        INTEGER
) STRICT;

-- Which operations the outside has changed while their execution runs, by the number of the change,
-- for its next checkpoint to tell. Emptied with each claim.
CREATE TABLE changes (
    execution INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    PRIMARY KEY (execution, number)
) STRICT, WITHOUT ROWID;
