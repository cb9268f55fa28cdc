//! One look at the queues: what may leave them, in order.

use std::collections::HashMap;

use durable_core::Timestamp;
use durable_core::store::{ClaimRequest, Queue, WorkerFilter};
use rusqlite::{Connection, params};

use super::{get, millis, running};
use crate::candidate::Candidate;
use crate::error::Fault;

/// As many of a queue are looked at in one go.
const HANDFUL: usize = 64;

/// An execution that waits in a queue.
struct Waiting {
    priority: i64,
    at: i64,
    key: i64,
    of: Option<String>,
}

/// Adds what the queues let run, and says when they let more.
pub(crate) fn let_through(
    conn: &Connection,
    wanted: &WorkerFilter,
    how: ClaimRequest,
    candidates: &mut Vec<Candidate>,
) -> Result<Option<Timestamp>, Fault> {
    let mut opens = None;
    let next = "SELECT min(queue) FROM executions WHERE enqueued IS NOT NULL AND queue > ?1";
    let mut next = conn.prepare_cached(next)?;
    let mut name = String::new();
    while let Some(found) = next.query_row([&name], |row| row.get::<_, Option<String>>(0))? {
        name = found;
        if !wanted.serves(&name) {
            continue;
        }
        let pass = Pass {
            conn,
            wanted,
            now: how.now.as_millis(),
            queue: get(conn, &name)?,
        };
        let first = candidates.len();
        let through = pass.let_through(how.limit, candidates)?;
        // Whatever is before another in its queue is before it among all.
        let mut earliest = i64::MAX;
        for candidate in candidates[first..].iter_mut().rev() {
            earliest = earliest.min(candidate.at);
            candidate.at = earliest;
        }
        opens = [opens, through.opens].into_iter().flatten().min();
    }
    Ok(opens.map(Timestamp::from_millis))
}

/// One look at a queue.
struct Pass<'a> {
    conn: &'a Connection,
    wanted: &'a WorkerFilter,
    now: i64,
    queue: Queue,
}

struct Through {
    count: usize,
    /// When there may be more, as far as time tells.
    opens: Option<i64>,
}

impl Pass<'_> {
    fn let_through(&self, room: usize, candidates: &mut Vec<Candidate>) -> Result<Through, Fault> {
        let mut through = Through {
            count: 0,
            opens: None,
        };
        let (open, reopens) = self.open(room)?;
        through.opens = reopens;
        let mut of_key = HashMap::new();
        loop {
            let wanted = (open - through.count).min(HANDFUL);
            if wanted == 0 {
                break;
            }
            let waiting = self.waiting(wanted, candidates)?;
            let mut held = false;
            for one in waiting.into_iter().take(wanted) {
                if !self.takes(one.of.as_deref(), &mut of_key)? {
                    self.hold(one.key)?;
                    held = true;
                    continue;
                }
                through.count += 1;
                candidates.push(Candidate {
                    key: one.key,
                    at: one.at,
                    was_interrupted: false,
                    starts_in: self.queue.rate.map(|_| self.queue.name.clone()),
                });
            }
            // Those that were set aside have made place for others.
            if !held {
                break;
            }
        }
        if open > 0 {
            through.opens = [through.opens, self.next_enqueued()?]
                .into_iter()
                .flatten()
                .min();
        }
        Ok(through)
    }

    /// How many more may run, at most `room`, and when time lets more.
    fn open(&self, room: usize) -> Result<(usize, Option<i64>), Fault> {
        let queue = &self.queue;
        if queue.paused {
            return Ok((0, None));
        }
        let mut open = room;
        if let Some(limit) = queue.concurrency {
            let running = running(self.conn, &queue.name, None, limit)?;
            open = open.min(limit.saturating_sub(running) as usize);
        }
        let Some(rate) = queue.rate.filter(|_| open > 0) else {
            return Ok((open, None));
        };
        let per = millis(rate);
        // Those in the future are from before the clock was set back.
        let old = "DELETE FROM queue_starts WHERE queue = ?1 AND (at <= ?2 OR at > ?3)";
        let from = self.now.saturating_sub(per);
        self.conn
            .prepare_cached(old)?
            .execute(params![queue.name, from, self.now])?;
        let select = "SELECT count(*), min(at) FROM queue_starts WHERE queue = ?1";
        let (starts, first): (u32, Option<i64>) = self
            .conn
            .prepare_cached(select)?
            .query_row([&queue.name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let left = rate.starts.max(1).saturating_sub(starts) as usize;
        let reopens = first.unwrap_or(self.now).saturating_add(per);
        Ok((open.min(left), (left <= open).then_some(reopens)))
    }

    /// What may run next: highest priority first, then the longest due.
    fn waiting(&self, count: usize, but: &[Candidate]) -> Result<Vec<Waiting>, Fault> {
        let select = "SELECT key, enqueued, queue_key FROM executions WHERE queue = ?1 AND handler = ?2 AND \
                      priority = ?3 AND enqueued <= ?4 ORDER BY enqueued LIMIT ?5";
        let mut select = self.conn.prepare_cached(select)?;
        let limit = i64::try_from(count + but.len()).unwrap_or(i64::MAX);
        let mut waiting = Vec::new();
        for handler in &self.wanted.handlers {
            let (mut found, mut below) = (0, None);
            while let Some(priority) = self.highest(&handler.name, below)? {
                below = Some(priority);
                let of = params![self.queue.name, handler.name, priority, self.now, limit];
                let mut rows = select.query(of)?;
                while let Some(row) = rows.next()? {
                    let key = row.get(0)?;
                    if but.iter().any(|chosen| chosen.key == key) {
                        continue;
                    }
                    found += 1;
                    waiting.push(Waiting {
                        priority,
                        at: row.get(1)?,
                        key,
                        of: row.get(2)?,
                    });
                }
                if found >= count {
                    break;
                }
            }
        }
        waiting.sort_by_key(|one| (-one.priority, one.at, one.key));
        Ok(waiting)
    }

    /// The highest priority that something waits with, below another.
    fn highest(&self, handler: &str, below: Option<i64>) -> Result<Option<i64>, Fault> {
        let select = "SELECT max(priority) FROM executions WHERE enqueued IS NOT NULL AND queue = ?1 AND handler = ?2 \
                      AND priority < ?3";
        let below = below.unwrap_or(i64::MAX);
        let highest = self
            .conn
            .prepare_cached(select)?
            .query_row(params![self.queue.name, handler, below], |row| row.get(0))?;
        Ok(highest)
    }

    /// Whether one more of this key may run; it counts as running then.
    fn takes(
        &self,
        of: Option<&str>,
        running_of: &mut HashMap<String, u32>,
    ) -> Result<bool, Fault> {
        let (Some(of), Some(limit)) = (of, self.queue.concurrency_per_key) else {
            return Ok(true);
        };
        let known = match running_of.get(of) {
            Some(known) => *known,
            None => running(self.conn, &self.queue.name, Some(of), limit)?,
        };
        let takes = known < limit;
        running_of.insert(of.to_owned(), known + u32::from(takes));
        Ok(takes)
    }

    /// Sets an execution aside until another one of its key ends.
    fn hold(&self, key: i64) -> Result<(), Fault> {
        let update = "UPDATE executions SET held = enqueued, enqueued = NULL WHERE key = ?1";
        self.conn.prepare_cached(update)?.execute([key])?;
        Ok(())
    }

    /// When the next one comes that is not due yet.
    fn next_enqueued(&self) -> Result<Option<i64>, Fault> {
        let select = "SELECT min(enqueued) FROM executions WHERE queue = ?1 AND handler = ?2 AND priority = ?3 AND \
                      enqueued > ?4";
        let mut select = self.conn.prepare_cached(select)?;
        let mut next = None;
        for handler in &self.wanted.handlers {
            let mut below = None;
            while let Some(priority) = self.highest(&handler.name, below)? {
                below = Some(priority);
                let of = params![self.queue.name, handler.name, priority, self.now];
                let at: Option<i64> = select.query_row(of, |row| row.get(0))?;
                next = [next, at].into_iter().flatten().min();
            }
        }
        Ok(next)
    }
}
