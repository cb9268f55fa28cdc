//! Queues: settings, states, and counts of running executions.

mod admission;

use durable_core::Timestamp;
use durable_core::store::{Queue, QueueEntry, QueueState, Rate, StoreError, StoreErrorKind};

pub(crate) use admission::{admit, waiting};

use crate::connection::{Conn, params};
use crate::database::{Attempt, Work};
use crate::driver::Row;
use crate::error::Fault;
use crate::session::milliseconds;
use crate::text::{original, stored};

/// Number of running executions of a queue, or of one key in it. Counting stops at `most`.
async fn running(conn: &Conn<'_>, queue: &str, of: Option<&str>, most: u32) -> Result<u32, Fault> {
    let all = "SELECT count(*) FROM (SELECT 1 FROM @.executions WHERE admitted AND queue = $1 LIMIT $2) AS counted";
    let of_key = "SELECT count(*) FROM (SELECT 1 FROM @.executions WHERE admitted AND queue = $1 AND queue_key = $3 LIMIT \
                  $2) AS counted";
    let (queue, most) = (stored(queue), i64::from(most));
    let rows = match of {
        None => {
            conn.query(all, params![queue => TEXT, most => INT8])
                .await?
        }
        Some(of) => {
            let of = stored(of);
            conn.query(of_key, params![queue => TEXT, most => INT8, of => TEXT])
                .await?
        }
    };
    let count = rows.first().map(|row| row.try_get::<i64>(0)).transpose()?;
    Ok(u32::try_from(count.unwrap_or(0)).unwrap_or(u32::MAX))
}

/// Records starts of a queue with a rate limit.
pub(crate) async fn note_starts(
    conn: &Conn<'_>,
    queue: &str,
    now: Timestamp,
    count: usize,
) -> Result<(), Fault> {
    let insert = "INSERT INTO @.queue_starts (queue, at, number) SELECT $1, $2, coalesce((SELECT max(number) FROM \
                  @.queue_starts WHERE queue = $1 AND at = $2), 0) + more FROM generate_series(1, $3) AS more";
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    conn.query(
        insert,
        params![stored(queue) => TEXT, now.as_millis() => INT8, count => INT8],
    )
    .await?;
    Ok(())
}

/// Releases the next held execution of a key after one has ended.
///
/// The queue is locked first, as it is when executions of the key are held.
pub(crate) async fn release_held(conn: &Conn<'_>, entry: &QueueEntry) -> Result<(), Fault> {
    let Some(of) = &entry.key else {
        return Ok(());
    };
    let queue = stored(&entry.queue);
    conn.query(LOCKED, params![queue => TEXT]).await?;
    let update = "UPDATE @.executions SET enqueued = held, held = NULL WHERE key = (SELECT key FROM @.executions WHERE \
                  queue = $1 AND queue_key = $2 AND held IS NOT NULL ORDER BY priority DESC, held, key LIMIT 1)";
    conn.query(update, params![queue => TEXT, stored(of) => TEXT])
        .await?;
    Ok(())
}

const LOCKED: &str = "SELECT name, concurrency, per_key, starts, per, paused FROM @.queues WHERE name = $1 FOR UPDATE";

/// Reads the settings of a queue and locks them until the end of the transaction.
async fn locked(conn: &Conn<'_>, name: &str) -> Result<Queue, Fault> {
    let rows = conn.query(LOCKED, params![stored(name) => TEXT]).await?;
    let found = rows.first().map(queue).transpose()?;
    Ok(found.unwrap_or_else(|| Queue {
        name: name.to_owned(),
        ..Queue::default()
    }))
}

fn queue(row: &Row) -> Result<Queue, Fault> {
    let number = |index| {
        let found = row.try_get::<Option<i64>>(index)?;
        Ok::<_, Fault>(found.map(|number| u32::try_from(number).unwrap_or(u32::MAX)))
    };
    let per: Option<i64> = row.try_get(4)?;
    let rate = number(3)?.zip(per).map(|(starts, per)| Rate {
        starts,
        per: std::time::Duration::from_millis(per.unsigned_abs()),
    });
    Ok(Queue {
        name: original(row.try_get(0)?),
        concurrency: number(1)?,
        concurrency_per_key: number(2)?,
        rate,
        paused: row.try_get(5)?,
    })
}

/// Reads every queue that has settings or executions.
pub(crate) struct States;

impl Work for States {
    type Answer = Vec<QueueState>;
    const TRANSACTION: bool = false;

    async fn run(&self, conn: &Conn<'_>, _: &mut Attempt<'_>) -> Result<Vec<QueueState>, Fault> {
        let select = "SELECT coalesce(q.name, c.queue), q.concurrency, q.per_key, q.starts, q.per, coalesce(q.paused, \
                      false), coalesce(c.waiting, 0), coalesce(c.running, 0), c.oldest FROM @.queues q FULL JOIN (SELECT queue, \
                      (sum(waiting))::int8 AS waiting, (sum(running))::int8 AS running, min(due) AS oldest FROM (SELECT queue, 1 \
                      AS waiting, 0 AS running, enqueued AS due FROM @.executions WHERE enqueued IS NOT NULL UNION ALL \
                      SELECT queue, 1, 0, held FROM @.executions WHERE held IS NOT NULL UNION ALL SELECT queue, 0, 1, \
                      NULL::int8 FROM @.executions WHERE admitted) \
                      AS each GROUP BY queue) AS c ON c.queue = q.name ORDER BY 1";
        let mut states = Vec::new();
        for row in conn.query(select, &[]).await? {
            states.push(QueueState {
                queue: queue(&row)?,
                waiting: row.try_get::<i64>(6)?.unsigned_abs(),
                running: row.try_get::<i64>(7)?.unsigned_abs(),
                oldest: row.try_get::<Option<i64>>(8)?.map(Timestamp::from_millis),
            });
        }
        Ok(states)
    }
}

/// Writes the settings of a queue.
pub(crate) struct Put(pub(crate) Queue);

impl Work for Put {
    type Answer = ();

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<(), Fault> {
        let Self(queue) = self;
        let insert = "INSERT INTO @.queues (name, concurrency, per_key, starts, per, paused) VALUES ($1, $2, $3, $4, $5, \
                      $6) ON CONFLICT (name) DO UPDATE SET concurrency = $2, per_key = $3, starts = $4, per = $5, paused \
                      = $6";
        conn.query(
            insert,
            params![
                stored(&queue.name) => TEXT,
                queue.concurrency.map(i64::from) => INT8,
                queue.concurrency_per_key.map(i64::from) => INT8,
                queue.rate.map(|rate| i64::from(rate.starts)) => INT8,
                queue.rate.map(|rate| milliseconds(rate.per)) => INT8,
                queue.paused => BOOL,
            ],
        )
        .await?;
        release_all(conn, attempt, &queue.name).await
    }
}

/// Removes the settings of a queue.
pub(crate) struct Remove(pub(crate) String);

impl Work for Remove {
    type Answer = ();

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<(), Fault> {
        let Self(name) = self;
        let delete = "DELETE FROM @.queues WHERE name = $1 RETURNING 1";
        let gone = conn.query(delete, params![stored(name) => TEXT]).await?;
        if gone.is_empty() && !attempt.unsure {
            let location = &attempt.session.location;
            let message = format!("there is no queue `{name}` in PostgreSQL at {location}");
            return Err(StoreError::new(StoreErrorKind::NotFound, message).into());
        }
        let delete = "DELETE FROM @.queue_starts WHERE queue = $1";
        conn.query(delete, params![stored(name) => TEXT]).await?;
        release_all(conn, attempt, name).await
    }
}

/// Releases all held executions, as the new limits may admit them.
async fn release_all(conn: &Conn<'_>, attempt: &mut Attempt<'_>, name: &str) -> Result<(), Fault> {
    let update = "UPDATE @.executions SET enqueued = held, held = NULL WHERE queue = $1 AND held IS NOT NULL";
    conn.query(update, params![stored(name) => TEXT]).await?;
    attempt.events.record_due();
    Ok(())
}
