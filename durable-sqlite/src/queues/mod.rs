//! Queues: their limits, and the executions in them.

mod admission;

use durable_core::Timestamp;
use durable_core::store::{Queue, QueueEntry, QueueState, Rate, StoreError, StoreErrorKind};
use rusqlite::{Connection, OptionalExtension, Row, params};

pub(crate) use admission::admit;

use crate::error::Fault;
use crate::session::{Session, Write};

fn millis(rate: Rate) -> i64 {
    i64::try_from(rate.per.as_millis()).unwrap_or(i64::MAX)
}

/// Counts the running executions of a queue, or of one key in it, up to `limit`.
fn running(
    conn: &Connection,
    queue: &str,
    queue_key: Option<&str>,
    limit: u32,
) -> Result<u32, Fault> {
    let all = "SELECT count(*) FROM (SELECT 1 FROM executions WHERE admitted = 1 AND queue = ?1 LIMIT ?2)";
    let of_key = "SELECT count(*) FROM (SELECT 1 FROM executions WHERE admitted = 1 AND queue = ?1 AND queue_key = ?3 \
                  LIMIT ?2)";
    Ok(match queue_key {
        None => conn
            .prepare_cached(all)?
            .query_row(params![queue, limit], |row| row.get(0))?,
        Some(key) => conn
            .prepare_cached(of_key)?
            .query_row(params![queue, limit, key], |row| row.get(0))?,
    })
}

/// Records a start for the rate limit of a queue.
pub(crate) fn note_start(conn: &Connection, queue: &str, now: Timestamp) -> Result<(), Fault> {
    let insert = "INSERT INTO queue_starts (queue, at, number) SELECT ?1, ?2, coalesce(max(number), 0) + 1 FROM \
                  queue_starts WHERE queue = ?1 AND at = ?2";
    conn.prepare_cached(insert)?
        .execute(params![queue, now.as_millis()])?;
    Ok(())
}

/// Puts the next execution that was held back for the same queue key in line again, after one of them
/// ended.
pub(crate) fn release_held(conn: &Connection, entry: &QueueEntry) -> Result<(), Fault> {
    let Some(queue_key) = &entry.key else {
        return Ok(());
    };
    let update = "UPDATE executions SET enqueued = held, held = NULL WHERE key = (SELECT key FROM executions WHERE \
                  queue = ?1 AND queue_key = ?2 AND held IS NOT NULL ORDER BY priority DESC, held, key LIMIT 1)";
    conn.prepare_cached(update)?
        .execute(params![entry.queue, queue_key])?;
    Ok(())
}

const SELECT_QUEUE: &str =
    "SELECT name, concurrency, per_key, starts, per, paused FROM queues WHERE name = ?1";

/// Reads the limits of a queue; none if it was never set up.
fn get(conn: &Connection, name: &str) -> Result<Queue, Fault> {
    let found = conn
        .prepare_cached(SELECT_QUEUE)?
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

/// Reads the state of every queue that was set up or has executions in it.
pub(crate) fn states(conn: &Connection) -> Result<Vec<QueueState>, Fault> {
    let names = "SELECT name FROM queues UNION SELECT queue FROM executions WHERE enqueued IS NOT NULL UNION SELECT \
                 queue FROM executions WHERE held IS NOT NULL UNION SELECT queue FROM executions WHERE admitted = 1 \
                 ORDER BY 1";
    let mut names = conn.prepare_cached(names)?;
    let names = names.query_map([], |row| row.get::<_, String>(0))?;
    let count = "SELECT (SELECT count(*) FROM executions WHERE enqueued IS NOT NULL AND queue = ?1) + (SELECT count(*) \
                 FROM executions WHERE held IS NOT NULL AND queue = ?1), (SELECT count(*) FROM executions WHERE \
                 admitted = 1 AND queue = ?1), (SELECT min(due) FROM (SELECT min(enqueued) AS due FROM executions WHERE \
                 enqueued IS NOT NULL AND queue = ?1 UNION ALL SELECT min(held) FROM executions WHERE held IS NOT NULL \
                 AND queue = ?1))";
    let mut count = conn.prepare_cached(count)?;
    let mut states = Vec::new();
    for name in names {
        let name = name?;
        let (waiting, running, oldest) = count.query_row([&name], |row| {
            Ok((
                row.get::<_, i64>(0)?.unsigned_abs(),
                row.get::<_, i64>(1)?.unsigned_abs(),
                row.get::<_, Option<i64>>(2)?.map(Timestamp::from_millis),
            ))
        })?;
        states.push(QueueState {
            queue: get(conn, &name)?,
            waiting,
            oldest,
            running,
        });
    }
    Ok(states)
}

/// Sets the limits of a queue.
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

/// Removes the limits of a queue.
pub(crate) struct Remove(pub(crate) String);

impl Write for Remove {
    type Answer = ();

    fn run(&self, conn: &Connection, session: &Session) -> Result<(), Fault> {
        let Self(name) = self;
        let delete = "DELETE FROM queues WHERE name = ?1";
        if conn.prepare_cached(delete)?.execute([name])? == 0 {
            let message = format!("there is no queue `{name}` in `{}`", session.path.display());
            return Err(StoreError::new(StoreErrorKind::NotFound, message).into());
        }
        conn.prepare_cached("DELETE FROM queue_starts WHERE queue = ?1")?
            .execute([name])?;
        release_all(conn, session, name)
    }
}

/// Puts every execution that was held back in line again: new limits may hold back others.
fn release_all(conn: &Connection, session: &Session, name: &str) -> Result<(), Fault> {
    let update =
        "UPDATE executions SET enqueued = held, held = NULL WHERE queue = ?1 AND held IS NOT NULL";
    conn.prepare_cached(update)?.execute([name])?;
    session.notifier.note_due();
    Ok(())
}
