-- Words and numbers as `durable-core` defines them; times in milliseconds since the Unix epoch. In texts, U+001A
-- followed by `0` stands for U+0000, which PostgreSQL does not take, and followed by `1` for itself.

CREATE TABLE @.executions (
    -- Made by the process that starts the execution; grows with time, so that neighbours were started together.
    key          int8 PRIMARY KEY,
    id           text COLLATE "C" NOT NULL UNIQUE,
    handler      text COLLATE "C" NOT NULL,
    status       text COLLATE "C" NOT NULL,
    -- Grows with each lease. The newest lease has this number.
    fence        int8 NOT NULL DEFAULT 0,
    -- The batch that gave up the newest lease, to recognise its repetition.
    last_batch   int8,
    created_at   int8 NOT NULL,
    updated_at   int8 NOT NULL,
    -- When it may first run.
    start_at     int8,
    wake_at      int8,
    -- When a worker may claim it; NULL while there is nothing to claim or its queue comes first.
    due          int8,
    -- When its queue may let it run; NULL while it waits for nothing or something else.
    enqueued     int8,
    -- The same, set aside while as many run of its key as may.
    held         int8,
    queue        text COLLATE "C",
    queue_key    text COLLATE "C",
    priority     int4 NOT NULL DEFAULT 0,
    -- Whether its queue has let it run and it has not ended.
    admitted     bool NOT NULL DEFAULT false,
    paused       bool NOT NULL DEFAULT false,
    -- The build of the handler that claimed it last.
    build        text,
    -- The builds it was blocked under since it last went on, each followed by a line feed.
    tried        text,
    -- How often in a row a holder was gone while this was its last operation.
    crashes      int4 NOT NULL DEFAULT 0,
    crashed_at   int8 NOT NULL DEFAULT 0,
    report       text,
    error        text,
    -- How often it was changed from outside.
    changes      int8 NOT NULL DEFAULT 0,
    cancel       bool NOT NULL DEFAULT false,
    -- The id of the execution that goes on in its place.
    next         text,
    -- The operation that waits for its end: id of the execution, position and id of the operation.
    parent           text,
    parent_seq       int8,
    parent_operation bytea,
    input_codec      text NOT NULL,
    input            bytea NOT NULL,
    input_checksum   int4,
    -- Rust type of the input, where it is known.
    input_type       text,
    output_codec     text,
    output           bytea,
    output_checksum  int4
) WITH (fillfactor = 80);

-- What may be claimed, soonest first, without a look at what sleeps, waits for others or has ended.
CREATE INDEX executions_due ON @.executions (handler, due) WHERE due IS NOT NULL;
CREATE INDEX executions_enqueued ON @.executions (queue, handler, priority, enqueued) WHERE enqueued IS NOT NULL;
CREATE INDEX executions_held ON @.executions (queue, queue_key, priority, held) WHERE held IS NOT NULL;
CREATE INDEX executions_admitted ON @.executions (queue, queue_key) WHERE admitted;
-- Listings are paged by id.
CREATE INDEX executions_status ON @.executions (status, id);
CREATE INDEX executions_handler ON @.executions (handler, id);
CREATE INDEX executions_queue ON @.executions (queue, id) WHERE queue IS NOT NULL;

-- One row for each execution that is being run, and for none that sleeps. Nothing but the key is indexed, so that a
-- renewal rewrites one page.
CREATE TABLE @.leases (
    execution  int8 PRIMARY KEY,
    fence      int8 NOT NULL,
    -- The process that holds it.
    owner      text NOT NULL,
    -- The call that was granted it, to recognise its repetition.
    claim      int8 NOT NULL,
    -- By the clock of the database.
    expires_at int8 NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE @.records (
    execution     int8 NOT NULL,
    seq           int8 NOT NULL,
    ord           int8 NOT NULL,
    started_at    int8 NOT NULL,
    ended_at      int8,
    due_at        int8,
    turn          int8,
    deadline      int8,
    -- In nanoseconds.
    heartbeat     int8,
    extent        int8,
    attempt       int4 NOT NULL,
    interruptions int4 NOT NULL,
    checksum      int4,
    secret        bool NOT NULL,
    id            bytea NOT NULL,
    -- NULL at the top.
    parent        bytea,
    kind          text NOT NULL,
    name          text NOT NULL,
    -- The key of a site that runs once for each of many.
    item          text,
    label         text,
    status        text NOT NULL,
    source        text NOT NULL,
    value_type    text,
    -- Rust type of what a poll carries.
    state_type    text,
    codec         text,
    data          bytea,
    error         text,
    -- The id of a callback or of an invoked execution.
    handle        text,
    fingerprint   bytea,
    PRIMARY KEY (execution, seq)
);

-- Which records the outside has changed while their execution runs, by the number of the change, for its next
-- checkpoint to tell. Emptied with each claim.
CREATE TABLE @.changes (
    execution int8 NOT NULL,
    number    int8 NOT NULL,
    seq       int8 NOT NULL,
    PRIMARY KEY (execution, number)
);

CREATE TABLE @.queues (
    name        text COLLATE "C" PRIMARY KEY,
    concurrency int8,
    per_key     int8,
    -- At most so many starts within so many milliseconds.
    starts      int8,
    per         int8,
    paused      bool NOT NULL
);

-- When executions were let run lately, for queues with a rate.
CREATE TABLE @.queue_starts (
    queue  text COLLATE "C" NOT NULL,
    at     int8 NOT NULL,
    number int8 NOT NULL,
    PRIMARY KEY (queue, at, number)
);

CREATE TABLE @.schedules (
    name           text COLLATE "C" PRIMARY KEY,
    plan           text NOT NULL,
    handler        text NOT NULL,
    queue          text,
    queue_key      text,
    priority       int4 NOT NULL,
    next_at        int8,
    last           text,
    paused         bool NOT NULL,
    revision       int8 NOT NULL,
    input_codec    text NOT NULL,
    input          bytea NOT NULL,
    input_checksum int4
);

CREATE INDEX schedules_next ON @.schedules (next_at) WHERE NOT paused AND next_at IS NOT NULL;
