-- What workers, queues and schedules need. The table of executions is made anew, so that what is
-- looked at often stays in front of what may be large.

CREATE TABLE executions_2 (
    -- Half of the key of an operation.
    key          INTEGER PRIMARY KEY CHECK (key < 2147483648),
    id           TEXT NOT NULL UNIQUE,
    handler      TEXT NOT NULL,
    status       TEXT NOT NULL,
    -- Grows with each lease. The newest lease has this number.
    fence        INTEGER NOT NULL DEFAULT 0,
    -- The batch that gave up the newest lease, to recognise its repetition.
    last_batch   INTEGER,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    -- When it may first run.
    start_at     INTEGER,
    wake_at      INTEGER,
    -- When a worker may claim it; NULL while there is nothing to claim or its queue comes first.
    due          INTEGER,
    -- When its queue may let it run; NULL while it waits for nothing or something else.
    enqueued     INTEGER,
    -- The same, set aside while as many run of its key as may.
    held         INTEGER,
    queue        TEXT,
    queue_key    TEXT,
    priority     INTEGER NOT NULL DEFAULT 0,
    -- 1 from when its queue let it run to its end.
    admitted     INTEGER NOT NULL DEFAULT 0,
    -- 1 until it is resumed.
    paused       INTEGER NOT NULL DEFAULT 0,
    -- The build of the handler that claimed it last.
    build        TEXT,
    -- The builds it was blocked under since it last went on, each followed by a line feed.
    tried        TEXT,
    -- How often in a row a holder was gone while this was its last operation.
    crashes      INTEGER NOT NULL DEFAULT 0,
    crashed_at   INTEGER NOT NULL DEFAULT 0,
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

-- What may be claimed, soonest first, without a look at what sleeps, waits for others or has ended.
CREATE INDEX executions_due ON executions (handler, due) WHERE due IS NOT NULL;
CREATE INDEX executions_enqueued ON executions (queue, handler, priority, enqueued) WHERE enqueued IS NOT NULL;
CREATE INDEX executions_held ON executions (queue, queue_key, priority, held) WHERE held IS NOT NULL;
CREATE INDEX executions_admitted ON executions (queue, queue_key) WHERE admitted = 1;
CREATE INDEX executions_blocked ON executions (handler) WHERE status = 'blocked';
-- Whose leases were left behind or have expired.
CREATE INDEX leases_owner ON leases (owner, expires_at);

CREATE TABLE queues (
    name        TEXT PRIMARY KEY,
    concurrency INTEGER,
    per_key     INTEGER,
    -- At most so many starts within so many milliseconds.
    starts      INTEGER,
    per         INTEGER,
    paused      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- When executions were let run lately, for queues with a rate.
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
