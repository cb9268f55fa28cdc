//! Checkpoints: loaded with one range read, written with one fenced statement.

mod group;
mod inbox;
mod linked;
mod updates;

use std::sync::Arc;

use durable_core::Record;
use durable_core::store::{Ack, Batch, ExecutionUpdate, Fence, Message, Page, StoreError};

pub(crate) use group::write_group;
pub(crate) use linked::Linked;

use crate::columns::position;
use crate::connection::{Conn, params};
use crate::database::{Attempt, Work};
use crate::driver::Row;
use crate::error::Fault;
use crate::rows::{self, record_columns};
use crate::session::{Counters, Links, Session, Token};

/// Records of a page, at most.
const PAGE: usize = 20_000;

/// A batch with the lease it is written under.
#[derive(Clone)]
pub(crate) struct Checkpoint {
    pub(crate) fence: Fence,
    pub(crate) token: Token,
    pub(crate) batch: Arc<Batch>,
    /// Links to other executions; `None` if unknown.
    pub(crate) links: Option<Links>,
}

impl Checkpoint {
    /// Whether the batch changes only its own execution, so that it can share a statement with
    /// other batches.
    pub(crate) fn is_independent(&self) -> bool {
        if !self.batch.children.is_empty() {
            return false;
        }
        match &self.batch.execution {
            None | Some(ExecutionUpdate::Suspend { .. } | ExecutionUpdate::Block { .. }) => true,
            Some(ExecutionUpdate::Continue { .. }) => false,
            Some(_) => self
                .links
                .is_some_and(|links| !links.parent && !links.keyed),
        }
    }
}

/// Loads the records after a position.
pub(crate) struct Load {
    pub(crate) fence: Fence,
    pub(crate) token: Token,
    pub(crate) after: u64,
}

impl Work for Load {
    type Answer = Page;
    const TRANSACTION: bool = false;

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<Page, Fault> {
        const SELECT: &str = concat!(
            "SELECT ",
            record_columns!(),
            " FROM @.records WHERE execution = $1 AND seq > $2 ORDER BY seq LIMIT $3"
        );
        Counters::add(&attempt.session.counters.reads, 1);
        let (key, after) = (self.token.key, position(self.after));
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
        let rows = conn
            .query(SELECT, params![key => INT8, after => INT8, limit => INT8])
            .await?;
        let records = rows::records(&rows, &self.fence.execution, &attempt.session.location)?;
        let more = records.len() == PAGE;
        Ok(Page {
            next: records.last().filter(|_| more).map(|last| last.seq),
            records,
        })
    }
}

/// State of an execution that the acknowledgement of a batch reports.
pub(crate) struct Current {
    pub(crate) changes: u64,
    pub(crate) cancel: bool,
    pub(crate) paused: bool,
}

impl Current {
    /// Decodes the three columns from `first`.
    pub(crate) fn read(row: &Row, first: usize) -> Result<Self, Fault> {
        Ok(Self {
            changes: row.try_get::<i64>(first)?.cast_unsigned(),
            cancel: row.try_get(first + 1)?,
            paused: row.try_get(first + 2)?,
        })
    }

    /// The acknowledgement of an accepted batch.
    pub(crate) async fn ack(
        self,
        conn: &Conn<'_>,
        session: &Session,
        checkpoint: &Checkpoint,
        messages: Vec<Message>,
    ) -> Result<Ack, Fault> {
        let changed = match self.changes > checkpoint.batch.seen {
            true => changed(conn, session, checkpoint).await?,
            false => Vec::new(),
        };
        Ok(Ack {
            fence: None,
            changed_records: changed,
            messages,
            changes: self.changes,
            cancel: self.cancel,
            paused: self.paused,
        })
    }
}

/// The records with external updates that the batch has not seen.
async fn changed(
    conn: &Conn<'_>,
    session: &Session,
    checkpoint: &Checkpoint,
) -> Result<Vec<Record>, Fault> {
    const SELECT: &str = concat!(
        "SELECT ",
        record_columns!(),
        " FROM @.records WHERE execution = $1 AND seq IN (SELECT seq FROM @.changes WHERE execution = $1 AND number > $2) \
         ORDER BY seq"
    );
    Counters::add(&session.counters.reads, 1);
    let (key, seen) = (checkpoint.token.key, position(checkpoint.batch.seen));
    let rows = conn
        .query(SELECT, params![key => INT8, seen => INT8])
        .await?;
    rows::records(&rows, &checkpoint.fence.execution, &session.location)
}

/// The answer if the lease is gone: an acknowledgement if this same batch released it in an earlier
/// attempt.
pub(crate) async fn repeated(
    conn: &Conn<'_>,
    session: &Session,
    checkpoint: &Checkpoint,
) -> Result<Result<Ack, StoreError>, Fault> {
    let lost = || Err(checkpoint.fence.lost());
    if checkpoint.batch.execution.is_none() {
        return Ok(lost());
    }
    let select = "SELECT changes, cancel, paused FROM @.executions WHERE key = $1 AND fence = $2 AND last_batch = $3";
    let Token { key, number } = checkpoint.token;
    let batch = checkpoint.batch.id.cast_signed();
    let rows = conn
        .query(select, params![key => INT8, number => INT8, batch => INT8])
        .await?;
    match rows.first() {
        Some(row) => {
            let current = Current::read(row, 0)?;
            // The lease is released, so nobody receives messages under it.
            let ack = current.ack(conn, session, checkpoint, Vec::new());
            ack.await.map(Ok)
        }
        None => Ok(lost()),
    }
}
