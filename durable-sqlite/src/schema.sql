-- Status and kind words are those of `durable-core`. Times are in milliseconds since the Unix epoch.

CREATE TABLE executions (
    -- Upper half of the row keys of its operations.
    key          INTEGER PRIMARY KEY CHECK (key < 2147483648),
    id           TEXT NOT NULL UNIQUE,
    handler      TEXT NOT NULL,
    status       TEXT NOT NULL,
    -- Number of leases granted so far, and the number of the newest lease.
    fence        INTEGER NOT NULL DEFAULT 0,
    -- Id of the batch that released the newest lease, to recognise a repetition of it.
    last_batch   INTEGER,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    wake_at      INTEGER,
    report       TEXT,
    error        TEXT,
    -- Number of external updates.
    changes      INTEGER NOT NULL DEFAULT 0,
    -- 1 once its cancellation was requested.
    cancel       INTEGER NOT NULL DEFAULT 0,
    -- Id of the execution that continues it.
    next         TEXT,
    -- Operation that waits for its end: id of the execution, position and id of the operation.
    parent           TEXT,
    parent_seq       INTEGER,
    parent_operation BLOB,
    input_codec  TEXT NOT NULL,
    output_codec TEXT,
    input        BLOB NOT NULL,
    output       BLOB
) STRICT;

-- Executions that may be claimed, earliest first, without reading those that have ended.
CREATE INDEX executions_due ON executions (wake_at) WHERE status IN ('queued', 'suspended');

-- One row for each execution that is being run.
CREATE TABLE leases (
    execution  INTEGER PRIMARY KEY,
    fence      INTEGER NOT NULL,
    owner      TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

-- Clustered by execution, so that a resume is one range scan. A single integer holds execution and
-- position, because SQLite appends to such a table without rewriting earlier pages, unlike to one with
-- a key of two columns.
CREATE TABLE operations (
    -- execution << 32 | seq
    place         INTEGER PRIMARY KEY,
    id            BLOB NOT NULL,
    -- NULL at the top level.
    parent        BLOB,
    kind          TEXT NOT NULL,
    name          TEXT NOT NULL,
    -- NULL for a call site that runs once, a number for an ordered occurrence, a text for a keyed one.
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
    -- Id of a callback or of an invoked execution.
    handle        TEXT,
    deadline      INTEGER,
    -- In nanoseconds.
    heartbeat     INTEGER,
    extent        INTEGER
) STRICT;

-- Operations changed by external updates while their execution runs, by the number of the update. The
-- next checkpoint returns them to the holder. Emptied by each claim.
CREATE TABLE changes (
    execution INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    PRIMARY KEY (execution, number)
) STRICT, WITHOUT ROWID;
