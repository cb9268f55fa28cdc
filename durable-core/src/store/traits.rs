//! Traits that a backend implements, grouped by their callers.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use super::counts::{count, count_operations};
use super::{
    Ack, Batch, CallbackId, Capabilities, Change, ClaimRequest, Claimed, Counts, Execution, Fence,
    Filter, Firing, Lease, Message, NewExecution, NewMessage, Page, Queue, QueueState,
    ScheduleEntry, Started, StoreError, StoreErrorKind, WorkerFilter,
};
use crate::model::record::{Completion, Record};
use crate::{BoxFuture, ExecutionId, Timestamp};

/// Reads and writes the records of an execution. Replay needs nothing else.
///
/// # Contract
///
/// * [`checkpoint`](Self::checkpoint) is atomic: either everything in the batch is kept or nothing.
/// * It is fenced: with a fence that is not the current one it changes nothing and fails with
///   [`StoreErrorKind::FenceLost`].
/// * It may be repeated with the same batch after an error that leaves open whether the batch was written. The
///   repetition has no further effect.
/// * Once it has returned, the batch survives the failures named by [`Capabilities::durability`].
/// * [`load`](Self::load) sees every acknowledged checkpoint.
/// * The futures may be dropped at any time. A checkpoint in flight is then written completely or not at all.
/// * A record that an external event has settled keeps its outcome, even if a checkpoint contains another one.
/// * A suspension by a writer that has not [seen](Batch::seen) every external change is due at once, so that no event
///   before the suspension is missed.
/// * A child named in a batch is started with it, unless an execution with its id exists.
/// * The end of an execution that has a [parent](NewExecution::parent) settles the parent's operation in the same
///   transaction and counts as an external change of the parent, unless the parent or its operation has ended.
/// * The next execution of a chain has the same parent as the one before. The parent's operation is settled only
///   when the last one ends.
pub trait CheckpointStore: Send + Sync + 'static {
    /// Loads records with a `seq` above `after`, in ascending order. A store that has no reason to split them
    /// returns everything in one page.
    fn load<'a>(&'a self, fence: &'a Fence, after: u64) -> BoxFuture<'a, Result<Page, StoreError>>;

    /// Writes a batch under `fence`.
    fn checkpoint<'a>(
        &'a self,
        fence: &'a Fence,
        batch: Arc<Batch>,
    ) -> BoxFuture<'a, Result<Ack, StoreError>>;

    /// Returns the limits and properties of the store.
    fn capabilities(&self) -> Capabilities;
}

/// Starts, leases and observes executions. `durable::run` needs this trait and [`CheckpointStore`].
///
/// # Contract
///
/// * [`start`](Self::start) is idempotent by id and never changes an existing execution.
/// * [`claim`](Self::claim) grants a lease to one holder at a time. A lease ends when its holder releases it, when it
///   expires, or as soon as the store knows that the holder's process has ended. A new lease invalidates every
///   older fence of the execution.
/// * A claim of an execution that has ended or is paused fails with [`StoreErrorKind::Conflict`]. A blocked one may
///   be claimed.
/// * Every acknowledged change is visible to later reads.
pub trait ExecutionStore: CheckpointStore {
    /// Starts an execution, unless one with its id exists.
    fn start(&self, new: NewExecution) -> BoxFuture<'_, Result<Started, StoreError>>;

    /// Takes the lease of an execution until `now + ttl`.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Leased`] while another holder is alive, [`StoreErrorKind::NotFound`],
    /// [`StoreErrorKind::Conflict`] if the execution has ended or is paused.
    fn claim<'a>(
        &'a self,
        id: &'a ExecutionId,
        now: Timestamp,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>>;

    /// Extends the lease behind `fence` until `now + ttl`.
    fn renew<'a>(
        &'a self,
        fence: &'a Fence,
        now: Timestamp,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Returns the execution with this id.
    fn get<'a>(&'a self, id: &'a ExecutionId) -> BoxFuture<'a, Result<Execution, StoreError>>;

    /// Returns once the execution has had more than `seen` external changes, has ended or is blocked. Changes by
    /// other processes count.
    fn changed<'a>(
        &'a self,
        id: &'a ExecutionId,
        seen: u64,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Requests the cancellation of an execution. It stops at its next durable boundary. A suspended execution
    /// becomes due for that; one that has never run ends at once; one that has ended does not change.
    fn cancel<'a>(
        &'a self,
        id: &'a ExecutionId,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// Hands due executions to workers.
///
/// # Contract
///
/// * [`claim_due`](Self::claim_due) grants the same leases as [`ExecutionStore::claim`].
/// * An execution that cannot be read does not keep others from being claimed.
pub trait WorkStore: ExecutionStore {
    /// Claims due executions that match `filter`, within the limits of their queues: soonest first, and highest priority
    /// first within a queue. The cost does not depend on the number of executions that are not due.
    fn claim_due<'a>(
        &'a self,
        filter: &'a WorkerFilter,
        request: ClaimRequest,
    ) -> BoxFuture<'a, Result<Claimed, StoreError>> {
        let _ = (filter, request);
        unsupported("workers")
    }

    /// Returns once an execution may have become due since the call that returned `seen`. With a `seen` that no call
    /// returned, such as 0, returns at once. The passing of time does not count: see [`Claimed::next_due`].
    fn ready(&self, seen: u64) -> BoxFuture<'_, Result<u64, StoreError>> {
        let _ = seen;
        unsupported("workers")
    }
}

/// Settles callbacks for the external systems that execution code waits for.
pub trait CallbackStore: ExecutionStore {
    /// Completes or fails a callback.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`] if no callback has this id, [`StoreErrorKind::Conflict`] if it was settled before
    /// or its execution has ended.
    fn complete<'a>(
        &'a self,
        callback: &'a CallbackId,
        outcome: Completion,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let _ = (callback, outcome, now);
        unsupported("callbacks")
    }

    /// Records that the external system is alive: the callback's heartbeat timeout starts again, within its deadline.
    /// Counts as an external change, but does not make a suspended execution due.
    ///
    /// # Errors
    ///
    /// Those of [`complete`](Self::complete).
    fn heartbeat<'a>(
        &'a self,
        callback: &'a CallbackId,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let _ = (callback, now);
        unsupported("callbacks")
    }
}

/// Lists, reads and changes executions for operators.
pub trait AdminStore: ExecutionStore {
    /// Lists executions in the order of [`Filter::order`].
    fn list(&self, filter: Filter) -> BoxFuture<'_, Result<Vec<Execution>, StoreError>> {
        let _ = filter;
        unsupported("listings")
    }

    /// Counts executions by handler and status, in this order; `limit` executions at most. A store that can should count
    /// small groups in full and large ones in part: see [`Counts::within`].
    ///
    /// By default they are listed for it. A store that can count without reading inputs and outputs should.
    fn counts(&self, limit: usize) -> BoxFuture<'_, Result<Counts, StoreError>> {
        Box::pin(count(self, limit))
    }

    /// Counts the recorded operations of each execution: how far it has progressed. Unknown executions have none.
    ///
    /// By default their histories are read for it. A store that can count without reading values should.
    fn operation_counts<'a>(
        &'a self,
        ids: &'a [ExecutionId],
    ) -> BoxFuture<'a, Result<Vec<u64>, StoreError>> {
        Box::pin(count_operations(self, ids))
    }

    /// Returns all records of an execution, in ascending order of [`Record::seq`]. Needs no lease.
    fn history<'a>(
        &'a self,
        id: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        let _ = id;
        unsupported("histories")
    }

    /// Returns the records of the values that an execution has published ([`Record::published_name`]).
    ///
    /// By default its history is read for it. A store that can select them should.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`].
    fn published<'a>(
        &'a self,
        id: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        Box::pin(async move {
            let mut records = self.history(id).await?;
            records.retain(|record| record.published_name().is_some());
            Ok(records)
        })
    }

    /// Starts an execution whose history begins with `records`, unless one with its id exists. Keeps all of it or
    /// nothing. The records are numbered from 1 without gaps.
    fn fork(
        &self,
        new: NewExecution,
        records: Vec<Record>,
    ) -> BoxFuture<'_, Result<Started, StoreError>> {
        let _ = (new, records);
        unsupported("forks")
    }

    /// Applies an operator's change to an execution.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`], and [`StoreErrorKind::Conflict`] if the state of the execution does not allow
    /// the change. Nothing was changed then.
    fn change<'a>(
        &'a self,
        id: &'a ExecutionId,
        change: Change,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let _ = (id, change, now);
        unsupported("changes by operators")
    }
}

/// Keeps messages to executions until they are received.
///
/// # Contract
///
/// * Messages to one execution are numbered in the order in which the store accepted them.
/// * A checkpoint that puts a succeeded record of kind [`Receive`](crate::Kind::Receive) marks the message whose number is
///   the record's [`handle`](Record::handle) as received, in the same transaction. A cancelled record of that kind marks
///   it as not received again.
/// * A [rewind](Change::Rewind) marks the messages as not received again whose receiving records it removes.
/// * Messages are removed with their execution. When a chain continues, waiting messages move to its next execution.
pub trait MessageStore: ExecutionStore {
    /// Sends a message to an execution that has not ended. The execution need not have run yet. Counts as an external
    /// change. A message whose id the execution was sent before is ignored.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`], [`StoreErrorKind::Conflict`] if the execution has ended,
    /// [`StoreErrorKind::TooLarge`].
    fn send<'a>(
        &'a self,
        to: &'a ExecutionId,
        message: NewMessage,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let _ = (to, message, now);
        unsupported("messages")
    }

    /// Starts an execution that a message waits for, unless one with its id exists. Keeps both or nothing. An existing
    /// execution is not sent the message, so that the caller can compare it with the requested one first.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::TooLarge`].
    fn start_with_message(
        &self,
        new: NewExecution,
        message: NewMessage,
    ) -> BoxFuture<'_, Result<Started, StoreError>> {
        let _ = (new, message);
        unsupported("messages")
    }

    /// Returns the messages to an execution, received ones included, in ascending order of their numbers.
    fn messages<'a>(
        &'a self,
        id: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<Vec<Message>, StoreError>> {
        let _ = id;
        unsupported("messages")
    }
}

/// Keeps the settings of queues.
pub trait QueueStore: ExecutionStore {
    /// Returns every queue that has settings or holds an execution, by name.
    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueState>, StoreError>> {
        unsupported("queues")
    }

    /// Sets the limits of a queue and replaces earlier ones. A queue without settings has no limits.
    fn put_queue(&self, queue: Queue) -> BoxFuture<'_, Result<(), StoreError>> {
        let _ = queue;
        unsupported("queues")
    }

    /// Removes the settings of a queue. Executions in it stay.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`].
    fn remove_queue<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        let _ = name;
        unsupported("queues")
    }
}

/// Keeps schedules, and fires each schedule once for each of its times.
pub trait ScheduleStore: ExecutionStore {
    /// Returns the schedules that fire by this time, or all of them, by name.
    fn schedules(
        &self,
        due_by: Option<Timestamp>,
    ) -> BoxFuture<'_, Result<Vec<ScheduleEntry>, StoreError>> {
        let _ = due_by;
        unsupported("schedules")
    }

    /// Puts a schedule, and replaces an existing one with the same name.
    fn put_schedule(&self, schedule: ScheduleEntry) -> BoxFuture<'_, Result<(), StoreError>> {
        let _ = schedule;
        unsupported("schedules")
    }

    /// Removes a schedule. Executions that it started continue.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`].
    fn remove_schedule<'a>(
        &'a self,
        name: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let _ = name;
        unsupported("schedules")
    }

    /// Fires a schedule. Returns `false` and changes nothing if the schedule has changed since it was read.
    fn fire(&self, firing: Firing) -> BoxFuture<'_, Result<bool, StoreError>> {
        let _ = firing;
        unsupported("schedules")
    }
}

/// A complete store: every type that implements the traits in this module.
pub trait Store:
    Any + WorkStore + CallbackStore + AdminStore + MessageStore + QueueStore + ScheduleStore
{
}

impl<T> Store for T where
    T: WorkStore + CallbackStore + AdminStore + MessageStore + QueueStore + ScheduleStore
{
}

/// Returns the error of a backend that lacks an optional part.
pub(super) fn unsupported<T: Send + 'static>(
    part: &str,
) -> BoxFuture<'static, Result<T, StoreError>> {
    let message = format!(
        "this store does not support {part}: use a store that does, or implement the trait for it"
    );
    Box::pin(async move { Err(StoreError::new(StoreErrorKind::Unsupported, message)) })
}
