//! Calls on the database, repeated until they succeed or time is up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use durable_core::store::StoreError;

use crate::connection::{Conn, Connector};
use crate::error::Fault;
use crate::notifier::{Events, send};
use crate::pool::Pool;
use crate::session::{Counters, Session};

/// How long a call is repeated while the database cannot be used.
const RETRY_FOR: Duration = Duration::from_secs(5);

/// Everything that calls need.
pub(crate) struct Database {
    pub(crate) session: Arc<Session>,
    pub(crate) connector: Arc<Connector>,
    /// For everything but checkpoints and starts.
    pub(crate) pool: Arc<Pool>,
    /// For checkpoints and starts.
    pub(crate) writes: Arc<Pool>,
}

/// A piece of work, done whole or not at all.
pub(crate) trait Work: Sync {
    type Answer: Send;

    /// Whether it consists of several statements.
    const TRANSACTION: bool = true;

    fn run(
        &self,
        conn: &Conn,
        attempt: &mut Attempt<'_>,
    ) -> impl Future<Output = Result<Self::Answer, Fault>> + Send;
}

/// One attempt at a piece of work.
pub(crate) struct Attempt<'a> {
    pub(crate) session: &'a Session,
    /// ParentCompletion once it is committed.
    pub(crate) events: Events,
    /// Whether an attempt before may have been committed without an answer.
    pub(crate) unsure: bool,
}

/// Repeats attempts that failed for a reason that passes.
pub(crate) struct Retries {
    until: Instant,
    delay: Duration,
    /// Whether an attempt may have been committed without an answer.
    pub(crate) unsure: bool,
}

impl Retries {
    pub(crate) fn new() -> Self {
        Self {
            until: Instant::now() + RETRY_FOR,
            delay: Duration::from_millis(10),
            unsure: false,
        }
    }

    /// Waits before another attempt, or answers with the error that ends them.
    pub(crate) async fn failed(
        &mut self,
        fault: Fault,
        database: &Database,
    ) -> Result<(), StoreError> {
        let session = &*database.session;
        if fault.lost_connection() {
            self.unsure = true;
            database.pool.clear();
            database.writes.clear();
        }
        if !fault.is_passing() || Instant::now() + self.delay > self.until {
            return Err(fault.at(&session.location));
        }
        tracing::debug!(?fault, "the database failed, trying again");
        Counters::add(&session.counters.retries, 1);
        let jitter = self.delay.mul_f64(fastrand::f64());
        tokio::time::sleep(self.delay / 2 + jitter).await;
        self.delay = (self.delay * 2).min(Duration::from_millis(500));
        Ok(())
    }
}

impl Database {
    /// Does `work` and tells of it.
    pub(crate) async fn run<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        let mut retries = Retries::new();
        loop {
            match self.try_once(&work, retries.unsure).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => retries.failed(fault, self).await?,
            }
        }
    }

    /// Tells of what was committed.
    pub(crate) async fn publish(&self, conn: &Conn, events: Events) {
        let messages = self.session.notifier.publish(events);
        if messages.is_empty() || !self.connector.options().listen {
            return;
        }
        if let Err(fault) = send(conn, &messages).await {
            tracing::debug!(?fault, "other processes are not told, they will look");
        }
    }

    async fn try_once<W: Work>(&self, work: &W, unsure: bool) -> Result<W::Answer, Fault> {
        let conn = self.pool.get().await?;
        let mut attempt = Attempt {
            session: &self.session,
            events: Events::default(),
            unsure,
        };
        if !W::TRANSACTION {
            let answer = work.run(&conn, &mut attempt).await?;
            self.publish(&conn, attempt.events).await;
            return Ok(answer);
        }
        conn.begin();
        let done = work.run(&conn, &mut attempt).await;
        match done {
            Ok(answer) => {
                conn.commit().await?;
                Counters::add(&self.session.counters.commits, 1);
                self.publish(&conn, attempt.events).await;
                Ok(answer)
            }
            Err(fault) => {
                if !fault.lost_connection() {
                    conn.roll_back().await?;
                }
                Err(fault)
            }
        }
    }
}
