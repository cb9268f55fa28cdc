//! Admission: chooses which executions may leave their queues, in order.

use std::collections::HashMap;

use durable_core::store::{ClaimRequest, Queue, WorkerFilter};

use super::{locked, running};
use crate::claim_due::Candidate;
use crate::connection::{Conn, params};
use crate::error::Fault;
use crate::session::milliseconds;
use crate::text::{original, stored};

/// Number of executions of a queue that are read at once.
const CHUNK: usize = 64;

/// Queues that have waiting executions, found without reading all of those.
const NAMES: &str = "WITH RECURSIVE names AS (SELECT (SELECT min(queue) FROM @.executions WHERE enqueued IS NOT NULL) AS \
                     name UNION ALL SELECT (SELECT min(queue) FROM @.executions WHERE enqueued IS NOT NULL AND queue > \
                     names.name) FROM names WHERE names.name IS NOT NULL) SELECT name FROM names WHERE name IS NOT NULL";

/// Execution that waits in a queue.
struct Waiting {
    priority: i32,
    at: i64,
    key: i64,
    handler: String,
    of: Option<String>,
}

/// Returns the names of the queues that have waiting executions.
pub(crate) async fn waiting(conn: &Conn<'_>) -> Result<Vec<String>, Fault> {
    let rows = conn.query(NAMES, &[]).await?;
    let names = rows.iter().map(|row| Ok(original(row.try_get(0)?)));
    names.collect()
}

/// Adds executions that the `queues` admit. Returns when they may admit more.
pub(crate) async fn admit(
    conn: &Conn<'_>,
    filter: &WorkerFilter,
    request: ClaimRequest,
    queues: Vec<String>,
    candidates: &mut Vec<Candidate>,
) -> Result<Option<i64>, Fault> {
    let mut opens = None;
    for name in queues {
        if !filter.serves(&name) {
            continue;
        }
        let pass = Admission {
            conn,
            filter,
            now: request.now.as_millis(),
            queue: locked(conn, &name).await?,
        };
        let first = candidates.len();
        let more = pass.admit(request.limit, candidates).await?;
        // The order within the queue must survive the sort of all candidates by time.
        let mut earliest = i64::MAX;
        for candidate in candidates[first..].iter_mut().rev() {
            earliest = earliest.min(candidate.at);
            candidate.at = earliest;
        }
        opens = [opens, more].into_iter().flatten().min();
    }
    Ok(opens)
}

/// Admission from one queue.
struct Admission<'a, 'c> {
    conn: &'a Conn<'c>,
    filter: &'a WorkerFilter,
    now: i64,
    queue: Queue,
}

impl Admission<'_, '_> {
    /// Adds executions that may leave the queue. Returns the time at which it may admit more, if
    /// only time prevents that.
    async fn admit(
        &self,
        room: usize,
        candidates: &mut Vec<Candidate>,
    ) -> Result<Option<i64>, Fault> {
        let (open, mut opens) = self.capacity(room).await?;
        let (mut count, mut running_of) = (0, HashMap::new());
        let mut chosen: Vec<i64> = Vec::new();
        while count < open {
            let mut held = Vec::new();
            for one in self.waiting((open - count).min(CHUNK), &chosen).await? {
                if !self
                    .has_room_for(one.of.as_deref(), &mut running_of)
                    .await?
                {
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
            // The held executions have made room for others in the chunk.
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

    /// Number of executions that may start now, at most `room`, and when the rate limit allows
    /// more.
    async fn capacity(&self, room: usize) -> Result<(usize, Option<i64>), Fault> {
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
        // Starts in the future were recorded before the clock was set back.
        let old = "DELETE FROM @.queue_starts WHERE queue = $1 AND (at <= $2 OR at > $3)";
        let from = self.now.saturating_sub(per);
        self.conn
            .query(old, params![name => TEXT, from => INT8, self.now => INT8])
            .await?;
        let select = "SELECT count(*), min(at) FROM @.queue_starts WHERE queue = $1";
        let rows = self.conn.query(select, params![name => TEXT]).await?;
        let (mut starts, mut first) = (0, None);
        if let Some(row) = rows.first() {
            (starts, first) = (row.try_get::<i64>(0)?, row.try_get::<Option<i64>>(1)?);
        }
        let starts = usize::try_from(starts).unwrap_or(usize::MAX);
        let left = (rate.starts.max(1) as usize).saturating_sub(starts);
        let reopens = first.unwrap_or(self.now).saturating_add(per);
        Ok((open.min(left), (left <= open).then_some(reopens)))
    }

    /// The next executions: highest priority first, then the longest due. Rows that another worker
    /// has locked are skipped, as they are about to leave the queue.
    async fn waiting(&self, count: usize, but: &[i64]) -> Result<Vec<Waiting>, Fault> {
        let select = "SELECT key, enqueued, queue_key, priority, handler FROM @.executions WHERE queue = $1 AND handler = \
                      $2 AND priority = $3 AND enqueued <= $4 AND key <> ALL($6) ORDER BY enqueued, key LIMIT $5 FOR \
                      UPDATE SKIP LOCKED";
        let limit = i64::try_from(count).unwrap_or(i64::MAX);
        let mut waiting = Vec::new();
        for handler in &self.filter.handlers {
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
                        of: row.try_get::<Option<&str>>(2)?.map(original),
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

    /// The highest priority of a waiting execution, below another priority.
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
        let found = rows.first().map(|row| row.try_get::<Option<i32>>(0));
        Ok(found.transpose()?.flatten())
    }

    /// Whether one more execution of this key may run. If so, counts it as running.
    async fn has_room_for(
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

    /// Holds executions back until others of their keys end.
    async fn hold(&self, keys: &[i64]) -> Result<(), Fault> {
        let update = "UPDATE @.executions SET held = enqueued, enqueued = NULL WHERE key = ANY($1)";
        self.conn.query(update, params![keys => INT8_ARRAY]).await?;
        Ok(())
    }

    /// When the next execution that is not due yet will be.
    async fn next_enqueued(&self) -> Result<Option<i64>, Fault> {
        let select = "SELECT min(enqueued) FROM @.executions WHERE queue = $1 AND handler = $2 AND priority = $3 AND \
                      enqueued > $4";
        let mut next = None;
        for handler in &self.filter.handlers {
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
                let at = rows.first().map(|row| row.try_get::<Option<i64>>(0));
                next = [next, at.transpose()?.flatten()]
                    .into_iter()
                    .flatten()
                    .min();
            }
        }
        Ok(next)
    }
}
