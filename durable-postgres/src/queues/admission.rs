//! One look at the queues: what may leave them, in order.

use std::collections::HashMap;

use durable_core::store::{ClaimRequest, Queue, WorkerFilter};

use super::{locked, running};
use crate::claim_due::Candidate;
use crate::connection::{Conn, params};
use crate::error::Fault;
use crate::session::milliseconds;
use crate::text::{original, stored};

/// As many of a queue are looked at in one go.
const CHUNK: usize = 64;

/// Queues with something in them, without a look at everything that is in them.
const NAMES: &str = "WITH RECURSIVE names AS (SELECT (SELECT min(queue) FROM @.executions WHERE enqueued IS NOT NULL) AS \
                     name UNION ALL SELECT (SELECT min(queue) FROM @.executions WHERE enqueued IS NOT NULL AND queue > \
                     names.name) FROM names WHERE names.name IS NOT NULL) SELECT name FROM names WHERE name IS NOT NULL";

/// An execution that waits in a queue.
struct Waiting {
    priority: i32,
    at: i64,
    key: i64,
    handler: String,
    of: Option<String>,
}

/// Adds what the queues let run, and says when they let more.
pub(crate) async fn admit(
    conn: &Conn,
    wanted: &WorkerFilter,
    how: ClaimRequest,
    candidates: &mut Vec<Candidate>,
) -> Result<Option<i64>, Fault> {
    let mut opens = None;
    for row in conn.query(NAMES, &[]).await? {
        let name = original(row.try_get(0)?);
        if !wanted.serves(&name) {
            continue;
        }
        let pass = Admission {
            conn,
            wanted,
            now: how.now.as_millis(),
            queue: locked(conn, &name).await?,
        };
        let first = candidates.len();
        let more = pass.admit(how.limit, candidates).await?;
        // Whatever is before another in its queue is before it among all.
        let mut earliest = i64::MAX;
        for candidate in candidates[first..].iter_mut().rev() {
            earliest = earliest.min(candidate.at);
            candidate.at = earliest;
        }
        opens = [opens, more].into_iter().flatten().min();
    }
    Ok(opens)
}

/// One look at a queue.
struct Admission<'a> {
    conn: &'a Conn,
    wanted: &'a WorkerFilter,
    now: i64,
    queue: Queue,
}

impl Admission<'_> {
    /// Adds what may leave the queue. When there may be more, as far as time tells.
    async fn admit(
        &self,
        room: usize,
        candidates: &mut Vec<Candidate>,
    ) -> Result<Option<i64>, Fault> {
        let (open, mut opens) = self.open(room).await?;
        let (mut count, mut running_of) = (0, HashMap::new());
        let mut chosen: Vec<i64> = Vec::new();
        while count < open {
            let mut held = Vec::new();
            for one in self.waiting((open - count).min(CHUNK), &chosen).await? {
                if !self.takes(one.of.as_deref(), &mut running_of).await? {
                    held.push(one.key);
                    continue;
                }
                count += 1;
                chosen.push(one.key);
                candidates.push(Candidate {
                    starts_in: self.queue.rate.map(|_| self.queue.name.clone()),
                    ..Candidate::due(one.key, one.at, one.handler)
                });
            }
            // Those that were set aside have made room for others.
            if held.is_empty() {
                break;
            }
            self.hold(&held).await?;
        }
        if open > 0 {
            let next = self.next_enqueued().await?;
            opens = [opens, next].into_iter().flatten().min();
        }
        Ok(opens)
    }

    /// How many more may run, at most `room`, and when time lets more.
    async fn open(&self, room: usize) -> Result<(usize, Option<i64>), Fault> {
        let queue = &self.queue;
        if queue.paused {
            return Ok((0, None));
        }
        let mut open = room;
        if let Some(limit) = queue.concurrency {
            let running = running(self.conn, &queue.name, None, limit).await?;
            open = open.min(limit.saturating_sub(running) as usize);
        }
        let Some(rate) = queue.rate.filter(|_| open > 0) else {
            return Ok((open, None));
        };
        let per = milliseconds(rate.per);
        let name = stored(&queue.name);
        // Those in the future are from before the clock was set back.
        let old = "DELETE FROM @.queue_starts WHERE queue = $1 AND (at <= $2 OR at > $3)";
        let from = self.now.saturating_sub(per);
        self.conn
            .query(old, params![name => TEXT, from => INT8, self.now => INT8])
            .await?;
        let select = "SELECT count(*), min(at) FROM @.queue_starts WHERE queue = $1";
        let rows = self.conn.query(select, params![name => TEXT]).await?;
        let (mut starts, mut first) = (0, None);
        if let Some(row) = rows.first() {
            (starts, first) = (row.try_get::<_, i64>(0)?, row.try_get::<_, Option<i64>>(1)?);
        }
        let starts = usize::try_from(starts).unwrap_or(usize::MAX);
        let left = (rate.starts.max(1) as usize).saturating_sub(starts);
        let reopens = first.unwrap_or(self.now).saturating_add(per);
        Ok((open.min(left), (left <= open).then_some(reopens)))
    }

    /// What may run next: highest priority first, then the longest due. What another worker has
    /// locked is about to leave the queue.
    async fn waiting(&self, count: usize, but: &[i64]) -> Result<Vec<Waiting>, Fault> {
        let select = "SELECT key, enqueued, queue_key, priority, handler FROM @.executions WHERE queue = $1 AND handler = \
                      $2 AND priority = $3 AND enqueued <= $4 AND key <> ALL($6) ORDER BY enqueued, key LIMIT $5 FOR \
                      UPDATE SKIP LOCKED";
        let limit = i64::try_from(count).unwrap_or(i64::MAX);
        let mut waiting = Vec::new();
        for handler in &self.wanted.handlers {
            let (mut found, mut below) = (0, i64::MAX);
            while let Some(priority) = self.highest(&handler.name, below).await? {
                below = i64::from(priority);
                let rows = self
                    .conn
                    .query(
                        select,
                        params![
                            stored(&self.queue.name) => TEXT,
                            stored(&handler.name) => TEXT,
                            priority => INT4,
                            self.now => INT8,
                            limit => INT8,
                            but => INT8_ARRAY,
                        ],
                    )
                    .await?;
                for row in rows {
                    found += 1;
                    waiting.push(Waiting {
                        key: row.try_get(0)?,
                        at: row.try_get(1)?,
                        of: row.try_get::<_, Option<&str>>(2)?.map(original),
                        priority,
                        handler: handler.name.clone(),
                    });
                }
                if found >= count {
                    break;
                }
            }
        }
        waiting.sort_by_key(|one| (-i64::from(one.priority), one.at, one.key));
        waiting.truncate(count);
        Ok(waiting)
    }

    /// The highest priority that something waits with, below another.
    async fn highest(&self, handler: &str, below: i64) -> Result<Option<i32>, Fault> {
        let select = "SELECT max(priority) FROM @.executions WHERE enqueued IS NOT NULL AND queue = $1 AND handler = $2 \
                      AND priority < $3";
        let (queue, handler) = (stored(&self.queue.name), stored(handler));
        let rows = self
            .conn
            .query(
                select,
                params![queue => TEXT, handler => TEXT, below => INT8],
            )
            .await?;
        let found = rows.first().map(|row| row.try_get::<_, Option<i32>>(0));
        Ok(found.transpose()?.flatten())
    }

    /// Whether one more of this key may run; it counts as running then.
    async fn takes(
        &self,
        of: Option<&str>,
        running_of: &mut HashMap<String, u32>,
    ) -> Result<bool, Fault> {
        let (Some(of), Some(limit)) = (of, self.queue.concurrency_per_key) else {
            return Ok(true);
        };
        let known = match running_of.get(of) {
            Some(known) => *known,
            None => running(self.conn, &self.queue.name, Some(of), limit).await?,
        };
        let takes = known < limit;
        running_of.insert(of.to_owned(), known + u32::from(takes));
        Ok(takes)
    }

    /// Sets executions aside until others of their keys end.
    async fn hold(&self, keys: &[i64]) -> Result<(), Fault> {
        let update = "UPDATE @.executions SET held = enqueued, enqueued = NULL WHERE key = ANY($1)";
        self.conn.query(update, params![keys => INT8_ARRAY]).await?;
        Ok(())
    }

    /// When the next one comes that is not due yet.
    async fn next_enqueued(&self) -> Result<Option<i64>, Fault> {
        let select = "SELECT min(enqueued) FROM @.executions WHERE queue = $1 AND handler = $2 AND priority = $3 AND \
                      enqueued > $4";
        let mut next = None;
        for handler in &self.wanted.handlers {
            let mut below = i64::MAX;
            while let Some(priority) = self.highest(&handler.name, below).await? {
                below = i64::from(priority);
                let rows = self
                    .conn
                    .query(
                        select,
                        params![
                            stored(&self.queue.name) => TEXT,
                            stored(&handler.name) => TEXT,
                            priority => INT4,
                            self.now => INT8,
                        ],
                    )
                    .await?;
                let at = rows.first().map(|row| row.try_get::<_, Option<i64>>(0));
                next = [next, at.transpose()?.flatten()]
                    .into_iter()
                    .flatten()
                    .min();
            }
        }
        Ok(next)
    }
}
