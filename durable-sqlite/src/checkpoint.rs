//! Checkpoint: writes a batch of records, new executions and the outcome of the run.

use std::sync::Arc;

use bytes::Bytes;
use durable_core::store::{
    Ack, Batch, Execution, ExecutionStatus, ExecutionUpdate, Fence, NewExecution, Parent,
    QueueEntry, StoreError, StoreErrorKind,
};
use durable_core::{Clock, ExecutionId, Payload, Record, SystemClock, Timestamp};
use rusqlite::{Connection, params};

use crate::cells::Cells;
use crate::checksums::OutcomeColumns;
use crate::error::Fault;
use crate::external::ParentCompletion;
use crate::messages;
use crate::queues;
use crate::reads;
use crate::rows::{self, put, put_open};
use crate::session::{Session, Token, Write};
use crate::writes::insert;

macro_rules! current {
    ($more:literal) => {
        concat!(
            "SELECT id, fence, last_batch, status, changes, cancel, paused",
            $more,
            " FROM executions WHERE key = ?1"
        )
    };
}

const CURRENT: &str = current!("");
const CURRENT_AT_END: &str =
    current!(", parent, parent_seq, parent_operation, queue, queue_key, priority");

/// Writes a batch under a lease.
pub(crate) struct Checkpoint {
    pub(crate) fence: Fence,
    pub(crate) token: Token,
    pub(crate) batch: Arc<Batch>,
}

/// State of the execution and its lease before the batch.
struct Current {
    /// Whether the batch must be written. False for a repetition of the batch that released the lease.
    fresh: bool,
    changes: u64,
    cancel: bool,
    paused: bool,
    /// Operation that waits for the execution. Like `queue`, only read if the batch has an outcome.
    parent: Option<Parent>,
    queue: Option<QueueEntry>,
}

/// Outcome of the run: the updated execution, and the operation that waits for it.
struct Outcome<'a> {
    update: &'a ExecutionUpdate,
    execution: Execution,
    parent: Option<ParentCompletion>,
}

impl Write for Checkpoint {
    type Answer = Ack;
    const IS_BATCH: bool = true;

    fn size(&self) -> usize {
        self.batch.records.iter().map(Record::size).sum()
    }

    fn run(&self, conn: &Connection, session: &Session) -> Result<Ack, Fault> {
        // Everything is read before the first write: rows that cannot be decoded refuse the batch.
        let current = self.current(conn, session)?;
        let changed_records = self.changed_records(conn, session, &current)?;
        let (id, key) = (&self.fence.execution, self.token.key);
        let messages = messages::waiting(conn, &session.path, id, key, &self.batch)?;
        if current.fresh {
            let outcome = self.outcome(conn, session, &current)?;
            self.write(conn, session, outcome)?;
        }
        Ok(Ack {
            fence: None,
            changed_records,
            messages,
            changes: current.changes,
            cancel: current.cancel,
            paused: current.paused,
        })
    }

    fn settled(&self, outcome: &mut Result<Ack, StoreError>, session: &Session) {
        let released = match outcome {
            Ok(_) => self.batch.execution.is_some(),
            Err(error) => error.kind() == StoreErrorKind::FenceLost,
        };
        if released {
            session.forget(self.token);
        }
    }
}

impl Checkpoint {
    /// Reads the execution and checks that the lease is the current one.
    fn current(&self, conn: &Connection, session: &Session) -> Result<Current, Fault> {
        let ends = self.batch.execution.is_some();
        let select = if ends { CURRENT_AT_END } else { CURRENT };
        let mut statement = conn.prepare_cached(select)?;
        let mut rows = statement.query([self.token.key])?;
        let Some(row) = rows.next()? else {
            return Err(self.fence.lost().into());
        };
        let same_id = row
            .get_ref(0)?
            .as_str()
            .is_ok_and(|id| id == self.fence.execution.as_str());
        let (newest, last): (i64, Option<i64>) = (row.get(1)?, row.get(2)?);
        let holds_newest = same_id && newest == self.token.number;
        // An execution runs as long as its newest lease is held, so the row of the lease need not be read.
        let fresh = row.get_ref(3)?.as_str() == Ok(ExecutionStatus::Running.as_str());
        let repeated = last == Some(self.batch.id.cast_signed());
        if !holds_newest || !(fresh || repeated) {
            return Err(self.fence.lost().into());
        }
        let undecodable = |damage| {
            let what = format_args!("execution `{}`", self.fence.execution);
            reads::undecodable(&session.path, what, &damage, "")
        };
        let cells = ends.then(|| Cells::of(row, 13)).transpose();
        let cells = cells.map_err(undecodable)?;
        let parent = cells.as_ref().map(|row| rows::parent(row, [7, 8, 9]));
        let queue = cells
            .as_ref()
            .map(|row| rows::queue_entry(row, [10, 11, 12]));
        Ok(Current {
            fresh,
            changes: row.get::<_, i64>(4)?.cast_unsigned(),
            cancel: row.get(5)?,
            paused: row.get(6)?,
            parent: parent.transpose().map_err(undecodable)?.flatten(),
            queue: queue.transpose().map_err(undecodable)?.flatten(),
        })
    }

    /// Reads the records changed by external updates that the holder has not seen, as they are after
    /// the batch.
    fn changed_records(
        &self,
        conn: &Connection,
        session: &Session,
        current: &Current,
    ) -> Result<Vec<Record>, Fault> {
        let seen = self.batch.seen;
        if current.changes <= seen {
            return Ok(Vec::new());
        }
        let (id, key) = (&self.fence.execution, self.token.key);
        let mut changed = reads::changed(conn, &session.path, id, key, seen)?;
        for stored in &mut changed {
            let mut written = self.batch.records.iter().rev();
            let written = written.find(|record| record.seq == stored.seq);
            if let (Some(record), false) = (written, stored.status.is_terminal()) {
                stored.clone_from(record);
            }
        }
        Ok(changed)
    }

    /// Computes the outcome of the run, if the batch has one.
    fn outcome(
        &self,
        conn: &Connection,
        session: &Session,
        current: &Current,
    ) -> Result<Option<Outcome<'_>>, Fault> {
        let Some(update) = &self.batch.execution else {
            return Ok(None);
        };
        let now = SystemClock.now();
        let mut execution = placeholder(self.fence.execution.clone(), now);
        execution.changes = current.changes;
        execution.parent.clone_from(&current.parent);
        execution.queue.clone_from(&current.queue);
        (execution.admitted, execution.paused) = (current.queue.is_some(), current.paused);
        execution.apply(update, self.batch.seen, now);
        let parent = ParentCompletion::of(conn, session, &execution, now)?;
        Ok(Some(Outcome {
            update,
            execution,
            parent,
        }))
    }

    fn write(
        &self,
        conn: &Connection,
        session: &Session,
        outcome: Option<Outcome<'_>>,
    ) -> Result<(), Fault> {
        for record in &self.batch.records {
            if record.kind.is_external() {
                put_open(conn, self.token.key, record)?;
            } else {
                put(conn, self.token.key, record)?;
                messages::mark(conn, self.token.key, record)?;
            }
        }
        for child in &self.batch.children {
            insert(conn, session, &Execution::queued(child.clone()))?;
        }
        match outcome {
            Some(outcome) => self.release(conn, session, outcome),
            None => Ok(()),
        }
    }

    /// Writes the outcome of the run and releases the lease.
    fn release(
        &self,
        conn: &Connection,
        session: &Session,
        outcome: Outcome<'_>,
    ) -> Result<(), Fault> {
        let execution = outcome.execution;
        let columns = OutcomeColumns::of(&execution)?;
        let update = "UPDATE executions SET status = ?2, updated_at = ?3, last_batch = ?4, wake_at = ?5, report = ?6, \
                      error = ?7, output_codec = ?8, output = ?9, next = ?10, due = ?11, admitted = ?12, \
                      output_checksum = ?13, error_checksum = ?14, report_checksum = ?15, tried = CASE \
                      ?2 WHEN 'blocked' THEN coalesce(tried, '') || coalesce(build, '') || char(10) END WHERE key = ?1";
        let (due, _) = rows::due(&execution);
        conn.prepare_cached(update)?.execute(params![
            self.token.key,
            execution.status.as_str(),
            execution.updated_at.as_millis(),
            self.batch.id.cast_signed(),
            execution.wake_at.map(Timestamp::as_millis),
            execution.report,
            columns.error,
            execution.output.as_ref().map(|output| &*output.codec),
            execution.output.as_ref().map(|output| &output.data[..]),
            execution.next.as_ref().map(ExecutionId::as_str),
            due,
            execution.admitted,
            columns.output_checksum,
            columns.error_checksum,
            columns.report_checksum,
        ])?;
        let settled = execution.status.is_settled();
        session
            .notifier
            .note(&execution.id, execution.changes, settled);
        session.notifier.note_due();
        conn.prepare_cached("DELETE FROM leases WHERE execution = ?1")?
            .execute([self.token.key])?;
        if let ExecutionUpdate::Continue { next } = outcome.update {
            let mut next = Execution::queued(execution.successor(next));
            next.admitted = next.queue.is_some();
            insert(conn, session, &next)?;
            messages::move_waiting(conn, self.token.key, &next.id)?;
        } else if let (true, Some(entry)) = (execution.status.is_terminal(), &execution.queue) {
            queues::release_held(conn, entry)?;
        }
        match outcome.parent {
            Some(parent) => parent.write(conn, session),
            None => Ok(()),
        }
    }
}

/// Builds an execution to apply an update to. Only the fields that updates read or write matter.
fn placeholder(id: ExecutionId, now: Timestamp) -> Execution {
    Execution::queued(NewExecution::new(
        id,
        "",
        Payload {
            codec: "".into(),
            data: Bytes::new(),
        },
        now,
    ))
}
