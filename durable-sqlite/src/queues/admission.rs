//! Admission: which executions may leave their queues, and in which order.

use std::collections::HashMap;

use durable_core::Timestamp;
use durable_core::store::{ClaimRequest, Queue, WorkerFilter};
use rusqlite::{Connection, params};

use super::{get, millis, running};
use crate::candidate::Candidate;
use crate::error::Fault;

/// Number of waiting executions read at a time.
const PAGE_SIZE: usize = 64;

/// Execution that waits in a queue.
struct Waiting {
    priority: i64,
    at: i64,
    key: i64,
    queue_key: Option<String>,
}

/// Adds the executions that queues admit to `candidates`. Returns when queues may admit more.
pub(crate) fn admit(
    conn: &Connection,
    worker: &WorkerFilter,
    request: ClaimRequest,
    candidates: &mut Vec<Candidate>,
) -> Result<Option<Timestamp>, Fault> {
    let mut next_at = None;
    let next = "SELECT min(queue) FROM executions WHERE enqueued IS NOT NULL AND queue > ?1";
    let mut next = conn.prepare_cached(next)?;
    let mut name = String::new();
    while let Some(found) = next.query_row([&name], |row| row.get::<_, Option<String>>(0))? {
        name = found;
        if !worker.serves(&name) {
            continue;
        }
        let admission = Admission {
            conn,
            worker,
            now: request.now.as_millis(),
            queue: get(conn, &name)?,
        };
        let first = candidates.len();
        let admitted = admission.admit(request.limit, candidates)?;
        // Candidates of all queues are sorted by time later: keep the order within this queue.
        let mut earliest = i64::MAX;
        for candidate in candidates[first..].iter_mut().rev() {
            earliest = earliest.min(candidate.at);
            candidate.at = earliest;
        }
        next_at = [next_at, admitted.next_at].into_iter().flatten().min();
    }
    Ok(next_at.map(Timestamp::from_millis))
}

/// Admission from one queue.
struct Admission<'a> {
    conn: &'a Connection,
    worker: &'a WorkerFilter,
    now: i64,
    queue: Queue,
}

/// Result of an admission.
struct Admitted {
    count: usize,
    /// When the queue may admit more without any other event, in milliseconds since the Unix epoch.
    next_at: Option<i64>,
}

impl Admission<'_> {
    /// Admits at most `limit` executions. Those whose key is at its limit are held back.
    fn admit(&self, limit: usize, candidates: &mut Vec<Candidate>) -> Result<Admitted, Fault> {
        let (free, next_at) = self.free_slots(limit)?;
        let mut admitted = Admitted { count: 0, next_at };
        let mut running_of_keys = HashMap::new();
        loop {
            let wanted = (free - admitted.count).min(PAGE_SIZE);
            if wanted == 0 {
                break;
            }
            let waiting = self.waiting(wanted, candidates)?;
            let mut held = false;
            for execution in waiting.into_iter().take(wanted) {
                if !self.key_admits(execution.queue_key.as_deref(), &mut running_of_keys)? {
                    self.hold(execution.key)?;
                    held = true;
                    continue;
                }
                admitted.count += 1;
                candidates.push(Candidate {
                    key: execution.key,
                    at: execution.at,
                    was_interrupted: false,
                    starts_in: self.queue.rate.map(|_| self.queue.name.clone()),
                });
            }
            // Executions that were held back leave room for others.
            if !held {
                break;
            }
        }
        if free > 0 {
            admitted.next_at = [admitted.next_at, self.next_enqueued()?]
                .into_iter()
                .flatten()
                .min();
        }
        Ok(admitted)
    }

    /// Returns how many more executions may run, at most `limit`, and when the rate admits more.
    fn free_slots(&self, limit: usize) -> Result<(usize, Option<i64>), Fault> {
        let queue = &self.queue;
        if queue.paused {
            return Ok((0, None));
        }
        let mut free = limit;
        if let Some(limit) = queue.concurrency {
            let running = running(self.conn, &queue.name, None, limit)?;
            free = free.min(limit.saturating_sub(running) as usize);
        }
        let Some(rate) = queue.rate.filter(|_| free > 0) else {
            return Ok((free, None));
        };
        let window = millis(rate);
        // Starts in the future were recorded before the clock was set back.
        let delete = "DELETE FROM queue_starts WHERE queue = ?1 AND (at <= ?2 OR at > ?3)";
        let from = self.now.saturating_sub(window);
        self.conn
            .prepare_cached(delete)?
            .execute(params![queue.name, from, self.now])?;
        let select = "SELECT count(*), min(at) FROM queue_starts WHERE queue = ?1";
        let (starts, first): (u32, Option<i64>) = self
            .conn
            .prepare_cached(select)?
            .query_row([&queue.name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let left = rate.starts.max(1).saturating_sub(starts) as usize;
        let next_at = first.unwrap_or(self.now).saturating_add(window);
        Ok((free.min(left), (left <= free).then_some(next_at)))
    }

    /// Reads the next `count` waiting executions that are not among `chosen`: highest priority first,
    /// then earliest due.
    fn waiting(&self, count: usize, chosen: &[Candidate]) -> Result<Vec<Waiting>, Fault> {
        let select = "SELECT key, enqueued, queue_key FROM executions WHERE queue = ?1 AND handler = ?2 AND \
                      priority = ?3 AND enqueued <= ?4 ORDER BY enqueued LIMIT ?5";
        let mut select = self.conn.prepare_cached(select)?;
        let limit = i64::try_from(count + chosen.len()).unwrap_or(i64::MAX);
        let mut waiting = Vec::new();
        for handler in &self.worker.handlers {
            let (mut found, mut below) = (0, None);
            while let Some(priority) = self.next_priority(&handler.name, below)? {
                below = Some(priority);
                let params = params![self.queue.name, handler.name, priority, self.now, limit];
                let mut rows = select.query(params)?;
                while let Some(row) = rows.next()? {
                    let key = row.get(0)?;
                    if chosen.iter().any(|candidate| candidate.key == key) {
                        continue;
                    }
                    found += 1;
                    waiting.push(Waiting {
                        priority,
                        at: row.get(1)?,
                        key,
                        queue_key: row.get(2)?,
                    });
                }
                if found >= count {
                    break;
                }
            }
        }
        waiting.sort_by_key(|execution| (-execution.priority, execution.at, execution.key));
        Ok(waiting)
    }

    /// Returns the highest priority below `below` with a waiting execution.
    fn next_priority(&self, handler: &str, below: Option<i64>) -> Result<Option<i64>, Fault> {
        let select = "SELECT max(priority) FROM executions WHERE enqueued IS NOT NULL AND queue = ?1 AND handler = ?2 \
                      AND priority < ?3";
        let below = below.unwrap_or(i64::MAX);
        let highest = self
            .conn
            .prepare_cached(select)?
            .query_row(params![self.queue.name, handler, below], |row| row.get(0))?;
        Ok(highest)
    }

    /// Whether another execution of this queue key may run. If so, counts it as running.
    fn key_admits(
        &self,
        queue_key: Option<&str>,
        running_of_keys: &mut HashMap<String, u32>,
    ) -> Result<bool, Fault> {
        let (Some(queue_key), Some(limit)) = (queue_key, self.queue.concurrency_per_key) else {
            return Ok(true);
        };
        let running = match running_of_keys.get(queue_key) {
            Some(running) => *running,
            None => running(self.conn, &self.queue.name, Some(queue_key), limit)?,
        };
        let admits = running < limit;
        running_of_keys.insert(queue_key.to_owned(), running + u32::from(admits));
        Ok(admits)
    }

    /// Holds an execution back until another one of its queue key ends.
    fn hold(&self, key: i64) -> Result<(), Fault> {
        let update = "UPDATE executions SET held = enqueued, enqueued = NULL WHERE key = ?1";
        self.conn.prepare_cached(update)?.execute([key])?;
        Ok(())
    }

    /// Returns the earliest time at which another execution of this queue becomes due.
    fn next_enqueued(&self) -> Result<Option<i64>, Fault> {
        let select = "SELECT min(enqueued) FROM executions WHERE queue = ?1 AND handler = ?2 AND priority = ?3 AND \
                      enqueued > ?4";
        let mut select = self.conn.prepare_cached(select)?;
        let mut next = None;
        for handler in &self.worker.handlers {
            let mut below = None;
            while let Some(priority) = self.next_priority(&handler.name, below)? {
                below = Some(priority);
                let params = params![self.queue.name, handler.name, priority, self.now];
                let at: Option<i64> = select.query_row(params, |row| row.get(0))?;
                next = [next, at].into_iter().flatten().min();
            }
        }
        Ok(next)
    }
}
