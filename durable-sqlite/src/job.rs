//! Jobs of the writer thread: queued writes and the channels for their answers.

use durable_core::store::StoreError;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::Fault;
use crate::session::{Session, Write};

/// Separates refusals, which answer one job, from failures of SQLite, which fail the transaction.
pub(crate) fn split_refusal<T>(done: Result<T, Fault>) -> rusqlite::Result<Result<T, StoreError>> {
    match done {
        Ok(answer) => Ok(Ok(answer)),
        Err(Fault::Refused(error)) => Ok(Err(error)),
        Err(Fault::Sql(error)) => Err(error),
    }
}

/// [`Job`] of any write.
pub(crate) trait QueuedJob: Send {
    /// Runs the write within the current transaction.
    fn run(&mut self, conn: &Connection, session: &Session) -> rusqlite::Result<()>;
    /// Updates the session after the transaction was committed.
    fn settled(&mut self, session: &Session);
    /// Whether this was a batch that was accepted.
    fn is_batch(&self) -> bool;
    /// Whether the write must survive power loss before the caller is answered.
    fn must_sync(&self) -> bool;
    /// Whether the caller stopped waiting.
    fn is_abandoned(&self) -> bool;
    /// Answers the caller: with the error if the transaction failed, otherwise with the outcome.
    fn answer(self: Box<Self>, failed: Option<StoreError>);
}

/// Queued write and the channel for its answer.
pub(crate) struct Job<W: Write> {
    write: W,
    /// Set once the write has run; final once the transaction is committed.
    outcome: Option<Result<W::Answer, StoreError>>,
    reply: oneshot::Sender<Result<W::Answer, StoreError>>,
}

impl<W: Write> Job<W> {
    pub(crate) fn new(write: W, reply: oneshot::Sender<Result<W::Answer, StoreError>>) -> Self {
        Self {
            write,
            outcome: None,
            reply,
        }
    }
}

impl<W: Write> QueuedJob for Job<W> {
    fn run(&mut self, conn: &Connection, session: &Session) -> rusqlite::Result<()> {
        self.outcome = Some(split_refusal(self.write.run(conn, session))?);
        Ok(())
    }

    fn settled(&mut self, session: &Session) {
        if let Some(outcome) = &mut self.outcome {
            self.write.settled(outcome, session);
        }
    }

    fn is_batch(&self) -> bool {
        W::IS_BATCH && matches!(self.outcome, Some(Ok(_)))
    }

    fn must_sync(&self) -> bool {
        self.write.must_sync()
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn answer(self: Box<Self>, failed: Option<StoreError>) {
        let answer = match (failed, self.outcome) {
            (Some(error), _) => Err(error),
            (None, Some(outcome)) => outcome,
            (None, None) => return,
        };
        // A caller that stopped waiting sees the committed state when it reads.
        let _ = self.reply.send(answer);
    }
}
