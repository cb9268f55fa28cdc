//! Queues: how they are set up, and what is in them.

mod pass;

use durable_core::Timestamp;
use durable_core::store::{Queue, QueueEntry, QueueState, Rate, StoreError, StoreErrorKind};
use rusqlite::{Connection, OptionalExtension, Row, params};

pub(crate) use pass::let_through;

use crate::error::Fault;
use crate::session::{Session, Write};

fn millis(rate: Rate) -> i64 {
    i64::try_from(rate.per.as_millis()).unwrap_or(i64::MAX)
}

/// How many executions of a queue run, or of one key in it; no more than `most` are counted.
fn running(conn: &Connection, queue: &str, of: Option<&str>, most: u32) -> Result<u32, Fault> {
    let all = "SELECT count(*) FROM (SELECT 1 FROM executions WHERE admitted = 1 AND queue = ?1 LIMIT ?2)";
    let of_key = "SELECT count(*) FROM (SELECT 1 FROM executions WHERE admitted = 1 AND queue = ?1 AND queue_key = ?3 \
                  LIMIT ?2)";
    Ok(match of {
        None => conn
            .prepare_cached(all)?
            .query_row(params![queue, most], |row| row.get(0))?,
        Some(key) => conn
            .prepare_cached(of_key)?
            .query_row(params![queue, most, key], |row| row.get(0))?,
    })
}

/// An execution was let run.
pub(crate) fn note_start(conn: &Connection, queue: &str, now: Timestamp) -> Result<(), Fault> {
    let insert = "INSERT INTO queue_starts (queue, at, number) SELECT ?1, ?2, coalesce(max(number), 0) + 1 FROM \
                  queue_starts WHERE queue = ?1 AND at = ?2";
    conn.prepare_cached(insert)?
        .execute(params![queue, now.as_millis()])?;
    Ok(())
}

/// One of a key has ended: the next one waits like others.
pub(crate) fn release_held(conn: &Connection, place: &QueueEntry) -> Result<(), Fault> {
    let Some(of) = &place.key else {
        return Ok(());
    };
    let update = "UPDATE executions SET enqueued = held, held = NULL WHERE key = (SELECT key FROM executions WHERE \
                  queue = ?1 AND queue_key = ?2 AND held IS NOT NULL ORDER BY priority DESC, held, key LIMIT 1)";
    conn.prepare_cached(update)?
        .execute(params![place.queue, of])?;
    Ok(())
}

const QUEUE: &str =
    "SELECT name, concurrency, per_key, starts, per, paused FROM queues WHERE name = ?1";

/// How a queue is set up.
fn get(conn: &Connection, name: &str) -> Result<Queue, Fault> {
    let found = conn
        .prepare_cached(QUEUE)?
        .query_row([name], queue)
        .optional()?;
    Ok(found.unwrap_or_else(|| Queue {
        name: name.to_owned(),
        ..Queue::default()
    }))
}

fn queue(row: &Row<'_>) -> rusqlite::Result<Queue> {
    let (starts, per): (Option<u32>, Option<i64>) = (row.get(3)?, row.get(4)?);
    let rate = starts.zip(per).map(|(starts, per)| Rate {
        starts,
        per: std::time::Duration::from_millis(per.unsigned_abs()),
    });
    Ok(Queue {
        name: row.get(0)?,
        concurrency: row.get(1)?,
        concurrency_per_key: row.get(2)?,
        rate,
        paused: row.get(5)?,
    })
}

/// Every queue that was set up or has something in it.
pub(crate) fn states(conn: &Connection) -> Result<Vec<QueueState>, Fault> {
    let names = "SELECT name FROM queues UNION SELECT queue FROM executions WHERE enqueued IS NOT NULL UNION SELECT \
                 queue FROM executions WHERE held IS NOT NULL UNION SELECT queue FROM executions WHERE admitted = 1 \
                 ORDER BY 1";
    let mut names = conn.prepare_cached(names)?;
    let names = names.query_map([], |row| row.get::<_, String>(0))?;
    let count = "SELECT (SELECT count(*) FROM executions WHERE enqueued IS NOT NULL AND queue = ?1) + (SELECT count(*) \
                 FROM executions WHERE held IS NOT NULL AND queue = ?1), (SELECT count(*) FROM executions WHERE \
                 admitted = 1 AND queue = ?1)";
    let mut count = conn.prepare_cached(count)?;
    let mut states = Vec::new();
    for name in names {
        let name = name?;
        let (waiting, running) = count.query_row([&name], |row| {
            Ok((
                row.get::<_, i64>(0)?.unsigned_abs(),
                row.get::<_, i64>(1)?.unsigned_abs(),
            ))
        })?;
        states.push(QueueState {
            queue: get(conn, &name)?,
            waiting,
            running,
        });
    }
    Ok(states)
}

/// Sets up a queue.
pub(crate) struct Put(pub(crate) Queue);

impl Write for Put {
    type Answer = ();

    fn run(&self, conn: &Connection, session: &Session) -> Result<(), Fault> {
        let Self(queue) = self;
        let insert = "INSERT OR REPLACE INTO queues (name, concurrency, per_key, starts, per, paused) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        conn.prepare_cached(insert)?.execute(params![
            queue.name,
            queue.concurrency,
            queue.concurrency_per_key,
            queue.rate.map(|rate| rate.starts),
            queue.rate.map(millis),
            queue.paused,
        ])?;
        release_all(conn, session, &queue.name)
    }
}

/// Forgets how a queue was set up.
pub(crate) struct Remove(pub(crate) String);

impl Write for Remove {
    type Answer = ();

    fn run(&self, conn: &Connection, session: &Session) -> Result<(), Fault> {
        let Self(name) = self;
        let delete = "DELETE FROM queues WHERE name = ?1";
        if conn.prepare_cached(delete)?.execute([name])? == 0 {
            let message = format!(
                "no queue `{name}` was set up in `{}`",
                session.path.display()
            );
            return Err(StoreError::new(StoreErrorKind::NotFound, message).into());
        }
        conn.prepare_cached("DELETE FROM queue_starts WHERE queue = ?1")?
            .execute([name])?;
        release_all(conn, session, name)
    }
}

/// Other limits may hold other executions back.
fn release_all(conn: &Connection, session: &Session, name: &str) -> Result<(), Fault> {
    let update =
        "UPDATE executions SET enqueued = held, held = NULL WHERE queue = ?1 AND held IS NOT NULL";
    conn.prepare_cached(update)?.execute([name])?;
    session.news.note_due();
    Ok(())
}
