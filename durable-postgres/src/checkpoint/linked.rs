//! Batches that change other executions too: children, the parent, a successor, a queue.

use durable_core::store::{Ack, Execution, ExecutionUpdate};
use durable_core::{Clock, ExecutionId, SystemClock, Timestamp};

use super::{Checkpoint, group};
use crate::checksums;
use crate::columns::{due, encode_error};
use crate::connection::{Conn, params};
use crate::database::{Attempt, Work};
use crate::error::Fault;
use crate::executions::{find_locked, not_found};
use crate::external::ParentCompletion;
use crate::messages;
use crate::notifier::Events;
use crate::queues;
use crate::rows::Stored;
use crate::session::Counters;
use crate::start;
use crate::text::stored;

/// Writes a batch that changes other executions, in a transaction.
pub(crate) struct Linked(pub(crate) Checkpoint);

impl Work for Linked {
    type Answer = Ack;

    async fn run(&self, conn: &Conn<'_>, attempt: &mut Attempt<'_>) -> Result<Ack, Fault> {
        let Self(checkpoint) = self;
        let session = attempt.session;
        // Writing the records first, as for any other batch, locks the lease and checks the fence.
        let mut plain = checkpoint.clone();
        let mut batch = (*checkpoint.batch).clone();
        let update = batch.execution.take();
        let children = std::mem::take(&mut batch.children);
        plain.batch = batch.into();
        let mut no_events = Events::default();
        let written = group::write_group(conn, session, &[&plain], &mut no_events).await?;
        let mut ack = match written.into_iter().next() {
            Some(Ok(ack)) => ack,
            _ => return Ok(super::repeated(conn, session, checkpoint).await??),
        };
        let children: Vec<_> = children.into_iter().map(Execution::queued).collect();
        start::insert(conn, attempt, &children).await?;
        if let Some(update) = &update {
            ack.changes = self.end(conn, attempt, update).await?;
        }
        Counters::add(&session.counters.batches, 1);
        Ok(ack)
    }
}

impl Linked {
    /// Writes the status update. Returns the number of external events of the execution.
    async fn end(
        &self,
        conn: &Conn<'_>,
        attempt: &mut Attempt<'_>,
        update: &ExecutionUpdate,
    ) -> Result<u64, Fault> {
        let Self(checkpoint) = self;
        let (id, location) = (&checkpoint.fence.execution, &attempt.session.location);
        let now = SystemClock.now();
        let found = find_locked(conn, location, id).await?;
        let Stored {
            key, mut execution, ..
        } = found.ok_or_else(|| not_found(location, id))?;
        execution.apply(update, checkpoint.batch.seen, now);
        let completion = ParentCompletion::of(conn, attempt, &execution, now).await?;
        self.release(conn, key, &execution).await?;
        let (changes, settled) = (execution.changes, execution.status.is_settled());
        attempt.events.record(id, changes, settled);
        attempt.events.record_due();
        if let ExecutionUpdate::Continue { next } = update {
            let mut next = Execution::queued(execution.successor(next));
            next.admitted = next.queue.is_some();
            start::insert(conn, attempt, std::slice::from_ref(&next)).await?;
            messages::move_waiting(conn, key, &next.id).await?;
        } else if let (true, Some(entry)) = (execution.status.is_terminal(), &execution.queue) {
            queues::release_held(conn, entry).await?;
        }
        if let Some(completion) = completion {
            completion.write(conn, attempt).await?;
        }
        Ok(changes)
    }

    async fn release(&self, conn: &Conn<'_>, key: i64, execution: &Execution) -> Result<(), Fault> {
        let Self(checkpoint) = self;
        let error = execution.error.as_ref().map(encode_error).transpose()?;
        let output = execution.output.as_ref();
        let update = "WITH released AS (DELETE FROM @.leases WHERE execution = $1) UPDATE @.executions SET status = $2, \
                      updated_at = $3, last_batch = $4, wake_at = $5, report = $6, error = $7, output_codec = $8, output \
                      = $9, output_checksum = $13, next = $10, due = $11, admitted = $12, tried = CASE $2 WHEN 'blocked' THEN coalesce(tried, \
                      '') || coalesce(build, '') || chr(10) END WHERE key = $1";
        conn.query(
            update,
            params![
                key => INT8,
                execution.status.as_str() => TEXT,
                execution.updated_at.as_millis() => INT8,
                checkpoint.batch.id.cast_signed() => INT8,
                execution.wake_at.map(Timestamp::as_millis) => INT8,
                execution.report.as_deref().map(stored) => TEXT,
                error => TEXT,
                output.map(|output| stored(&output.codec)) => TEXT,
                output.map(|output| &output.data[..]) => BYTEA,
                execution.next.as_ref().map(ExecutionId::as_str) => TEXT,
                due(execution).0 => INT8,
                execution.admitted => BOOL,
                output.map(|output| checksums::of_output(&execution.id, output)) => INT4,
            ],
        )
        .await?;
        Ok(())
    }
}
