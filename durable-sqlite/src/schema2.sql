-- Columns and tables for workers, queues and schedules. The table of executions is created anew, so that
-- columns that are read often stay in front of those that may be large.

CREATE TABLE executions_2 (
    -- Upper half of the row keys of its operations.
    key          INTEGER PRIMARY KEY CHECK (key < 2147483648),
    id           TEXT NOT NULL UNIQUE,
    handler      TEXT NOT NULL,
    status       TEXT NOT NULL,
    -- Number of the newest lease. Grows with each lease.
    fence        INTEGER NOT NULL DEFAULT 0,
    -- Id of the batch that released the newest lease, to recognise a repetition of it.
    last_batch   INTEGER,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    -- Earliest time of its first run.
    start_at     INTEGER,
    wake_at      INTEGER,
    -- When a worker may claim it; NULL while it is not due or must first leave its queue.
    due          INTEGER,
    -- When its queue may admit it; NULL while it does not wait in a queue.
    enqueued     INTEGER,
    -- The same, while it is held back because its queue key is at its limit.
    held         INTEGER,
    queue        TEXT,
    queue_key    TEXT,
    priority     INTEGER NOT NULL DEFAULT 0,
    -- 1 from when its queue admitted it until its end.
    admitted     INTEGER NOT NULL DEFAULT 0,
    -- 1 while it is paused.
    paused       INTEGER NOT NULL DEFAULT 0,
    -- Build of the handler that claimed it last.
    build        TEXT,
    -- Builds under which it blocked since it last ran, each followed by a line feed.
    tried        TEXT,
    -- Number of crashes in a row without a new operation, and the row key of the last operation then.
    crashes      INTEGER NOT NULL DEFAULT 0,
    crashed_at   INTEGER NOT NULL DEFAULT 0,
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

INSERT INTO executions_2
    (key, id, handler, status, fence, last_batch, created_at, updated_at, wake_at, due, report, error, changes, cancel,
     next, parent, parent_seq, parent_operation, input_codec, output_codec, input, output)
SELECT key, id, handler, status, fence, last_batch, created_at, updated_at, wake_at,
       CASE status WHEN 'queued' THEN created_at WHEN 'suspended' THEN wake_at END,
       report, error, changes, cancel, next, parent, parent_seq, parent_operation, input_codec, output_codec, input,
       output
FROM executions;

DROP TABLE executions;
ALTER TABLE executions_2 RENAME TO executions;

-- Executions that may be claimed, earliest first, without reading those that are suspended or have ended.
CREATE INDEX executions_due ON executions (handler, due) WHERE due IS NOT NULL;
CREATE INDEX executions_enqueued ON executions (queue, handler, priority, enqueued) WHERE enqueued IS NOT NULL;
CREATE INDEX executions_held ON executions (queue, queue_key, priority, held) WHERE held IS NOT NULL;
CREATE INDEX executions_admitted ON executions (queue, queue_key) WHERE admitted = 1;
CREATE INDEX executions_blocked ON executions (handler) WHERE status = 'blocked';
-- Leases of dead owners, and expired ones.
CREATE INDEX leases_owner ON leases (owner, expires_at);

CREATE TABLE queues (
    name        TEXT PRIMARY KEY,
    concurrency INTEGER,
    per_key     INTEGER,
    -- Rate limit: at most `starts` starts within `per` milliseconds.
    starts      INTEGER,
    per         INTEGER,
    paused      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Recent starts, for queues with a rate limit.
CREATE TABLE queue_starts (
    queue  TEXT NOT NULL,
    at     INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (queue, at, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE schedules (
    name        TEXT PRIMARY KEY,
    plan        TEXT NOT NULL,
    handler     TEXT NOT NULL,
    queue       TEXT,
    queue_key   TEXT,
    priority    INTEGER NOT NULL,
    next_at     INTEGER,
    last        TEXT,
    paused      INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    input_codec TEXT NOT NULL,
    input       BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX schedules_next ON schedules (next_at) WHERE paused = 0 AND next_at IS NOT NULL;
