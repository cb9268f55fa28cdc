//! Units of work on the database, with retries after transient errors.

use std::sync::Arc;
use std::time::{Duration, Instant};

use durable_core::store::StoreError;

use crate::connection::{Conn, Connector};
use crate::error::Fault;
use crate::notifier::{Events, send};
use crate::pool::Pool;
use crate::session::{Counters, Session};

/// How long a unit of work is retried while the database is unavailable.
const RETRY_FOR: Duration = Duration::from_secs(5);

/// Session and connections of an open store.
pub(crate) struct Database {
    pub(crate) session: Arc<Session>,
    pub(crate) connector: Arc<Connector>,
    /// Connections for everything but checkpoints and starts.
    pub(crate) pool: Arc<Pool>,
    /// Connections for checkpoints and starts.
    pub(crate) writes: Arc<Pool>,
}

/// Unit of work, done atomically.
pub(crate) trait Work: Sync {
    type Answer: Send;

    /// Whether it needs a transaction, as it has several statements.
    const TRANSACTION: bool = true;

    fn run(
        &self,
        conn: &Conn<'_>,
        attempt: &mut Attempt<'_>,
    ) -> impl Future<Output = Result<Self::Answer, Fault>> + Send;
}

/// One attempt at a unit of work.
pub(crate) struct Attempt<'a> {
    pub(crate) session: &'a Session,
    /// Events to publish after the commit.
    pub(crate) events: Events,
    /// Whether an earlier attempt may have been committed although its answer was lost.
    pub(crate) unsure: bool,
}

/// Retry policy for attempts that failed with a transient error.
pub(crate) struct Retries {
    until: Instant,
    delay: Duration,
    /// Whether an attempt may have been committed although its answer was lost.
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

    /// Waits before the next attempt.
    ///
    /// # Errors
    ///
    /// The error of the attempt, if it is not transient or time is up.
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
        if !fault.is_transient() || Instant::now() + self.delay > self.until {
            return Err(fault.at(&session.location));
        }
        tracing::debug!(?fault, "retrying after a transient error of the database");
        Counters::add(&session.counters.retries, 1);
        let jitter = self.delay.mul_f64(fastrand::f64());
        tokio::time::sleep(self.delay / 2 + jitter).await;
        self.delay = (self.delay * 2).min(Duration::from_millis(500));
        Ok(())
    }
}

impl Database {
    /// Runs `work`, with retries, and publishes its events.
    pub(crate) async fn run<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        let mut retries = Retries::new();
        loop {
            match self.try_once(&work, retries.unsure).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => retries.failed(fault, self).await?,
            }
        }
    }

    /// Publishes committed events to this process and to others.
    pub(crate) async fn publish(&self, conn: &Conn<'_>, events: Events) {
        let messages = self.session.notifier.publish(events);
        if messages.is_empty() || !self.connector.options().listen {
            return;
        }
        if let Err(fault) = send(conn, &messages).await {
            tracing::debug!(
                ?fault,
                "cannot notify other processes, they will notice when they poll"
            );
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
