//! Where checkpoints are kept: the traits that every backend implements.

mod callback;
mod chain;
mod change;
#[cfg(feature = "checksum")]
mod checksum;
mod error;
mod execution;
mod limits;
mod memory;
mod open;
mod schedule;
mod sealed;
mod work;

use std::sync::Arc;
use std::time::Duration;

pub use callback::CallbackId;
pub(crate) use chain::cancel_chain;
#[cfg(feature = "checksum")]
pub use checksum::Checksum;
pub use error::{StoreError, StoreErrorKind};
use execution::cancelled_unrun;
pub use execution::{Execution, ExecutionStatus, NewExecution, Parent};
pub use memory::MemoryStore;
pub use open::{IntoStore, OpenStore};
pub use schedule::{Firing, ScheduleEntry};
#[cfg(feature = "aes-gcm")]
pub use sealed::AesGcm;
pub(crate) use sealed::refuse_sealed;
pub use sealed::{IntoCodec, PayloadCodec, SealContext, SealedStore, Subject};
pub use work::{
    Change, ClaimRequest, Claimed, HandlerBuild, Queue, QueueEntry, QueueState, Rate, Rewind,
    WorkerFilter,
};

use crate::model::error::OperationError;
use crate::model::payload::Payload;
use crate::model::record::{Completion, Record};
use crate::{BoxFuture, ExecutionId, Timestamp};

/// Permission to write an execution's checkpoints, as of the last acknowledgement.
///
/// The token is the store's: opaque to everyone else, compared by the store with what it expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The execution the permission is for.
    pub execution: ExecutionId,
    /// What the store recognises the holder by.
    pub token: Arc<str>,
}

/// What one checkpoint writes, all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// The same for every repetition of this batch; unique among the batches under one fence.
    pub id: u64,
    /// Records to put, in this order: a scope comes before what it holds.
    pub records: Vec<Record>,
    /// Executions to start together with the records of the operations that wait for them.
    pub children: Vec<NewExecution>,
    /// Changes from outside that the writer knows of: see [`Ack::changes`].
    pub seen: u64,
    /// What becomes of the execution itself.
    pub execution: Option<ExecutionUpdate>,
}

impl Batch {
    /// Gives up a lease, with nothing else to say. What the outside has changed meanwhile is seen
    /// by whoever claims the execution next.
    pub(crate) fn giving_up(update: ExecutionUpdate) -> Arc<Self> {
        Arc::new(Self {
            id: u64::MAX,
            seen: u64::MAX,
            execution: Some(update),
            ..Self::default()
        })
    }
}

/// A change of the execution's own state. Every one of them gives up the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExecutionUpdate {
    /// Nothing to do until then, or until an outside event when there is no time.
    Suspend {
        /// When the execution is due again.
        wake_at: Option<Timestamp>,
    },
    /// The handler returned this value.
    Succeed {
        /// The encoded output.
        output: Payload,
    },
    /// The handler ended with this error.
    Fail {
        /// The error, as it will be reported for ever.
        error: OperationError,
    },
    /// Code and history disagree; nothing runs until a fixed deploy or a rollback resumes it.
    Block {
        /// What disagrees, for the people who have to mend it.
        report: String,
    },
    /// It was cancelled, and has stopped.
    Cancel {
        /// What the cancellation left behind, for reports.
        error: OperationError,
    },
    /// It goes on as another execution with a fresh history.
    Continue {
        /// The next execution of the chain, started with this checkpoint and for the same parent.
        next: NewExecution,
    },
}

impl ExecutionUpdate {
    /// Whether the execution ends with it for good.
    pub const fn is_end(&self) -> bool {
        match self {
            Self::Suspend { .. } | Self::Block { .. } => false,
            Self::Succeed { .. }
            | Self::Fail { .. }
            | Self::Cancel { .. }
            | Self::Continue { .. } => true,
        }
    }
}

/// Answer to an accepted checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ack {
    /// The fence of the next checkpoint, where the store changes it each time.
    pub fence: Option<Fence>,
    /// Records of this execution that others changed since [`Batch::seen`].
    pub changed_records: Vec<Record>,
    /// How often the execution was changed from outside so far.
    pub changes: u64,
    /// Whether the execution is to be cancelled.
    pub cancel: bool,
    /// Whether the execution is to stop at its next durable boundary until it is resumed.
    pub paused: bool,
}

/// One page of an execution's records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Records in ascending order of [`Record::seq`].
    pub records: Vec<Record>,
    /// The `seq` to go on after, if there is more.
    pub next: Option<u64>,
}

/// What survives what, once a checkpoint is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Durability {
    /// Lost with the process.
    Memory,
    /// Survives the end of the process, perhaps not a power failure.
    Process,
    /// Survives a power failure.
    Power,
}

impl std::fmt::Display for Durability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory (lost when the process ends)",
            Self::Process => "process (survives a crash of the process)",
            Self::Power => "power (survives power loss)",
        })
    }
}

/// What a store can hold. Sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// What an acknowledged checkpoint survives.
    pub durability: Durability,
    /// Largest encoded value of one operation.
    pub max_value: usize,
    /// Largest encoded output of an execution.
    pub max_output: usize,
    /// Largest sum of values in one batch. A single larger update travels alone.
    pub max_batch: usize,
    /// Most operations in one execution; `None` where only space limits them.
    pub max_operations: Option<u64>,
    /// Largest error of one operation, as its texts take up in JSON. Longer ones are shortened.
    pub max_error: usize,
    /// Largest encoded input of an invoked execution.
    pub max_input: usize,
    /// Most bytes that all checkpoints of one execution may write; `None` where only space limits
    /// them.
    pub max_total_bytes: Option<u64>,
    /// Longest timer; `None` where time has no end.
    pub max_timer: Option<Duration>,
    /// Whether the store is a service that ends timers and begins invocations by itself.
    ///
    /// Then nothing is settled by this process's clock, a suspension writes nothing, records are
    /// recognised by their ids alone (their names are what people read, their order is the store's),
    /// and what an invocation has to continue for is left behind as a timer.
    pub service_driven: bool,
    /// Whether values are kept as text: those that are none take a third more.
    pub text_only: bool,
    /// Whether an execution can be started for a tenant ([`NewExecution::tenant`]).
    pub tenants: bool,
    /// Whether what stands in a finished scope is loaded again although the scope's own value is
    /// recorded. Where it is not, a scope that needs it on replay records no value, or a summary.
    pub keeps_children: bool,
}

impl Capabilities {
    /// CallbackTimeouts of a store that takes values of up to 64 MiB and any number of operations.
    pub const fn unlimited(durability: Durability) -> Self {
        Self {
            durability,
            max_value: 64 << 20,
            max_output: 64 << 20,
            max_batch: 256 << 20,
            max_operations: None,
            max_error: 64 << 20,
            max_input: 64 << 20,
            max_total_bytes: None,
            max_timer: None,
            service_driven: false,
            text_only: false,
            tenants: false,
            keeps_children: true,
        }
    }

    /// The same with another limit for a single value, outputs of executions included.
    #[must_use]
    pub const fn with_max_value(mut self, bytes: usize) -> Self {
        self.max_value = bytes;
        self.max_output = bytes;
        self
    }
}

/// What replay needs of a store. Implemented by every backend.
///
/// # Contract
///
/// * [`checkpoint`](Self::checkpoint) is atomic: either everything in the batch is kept or nothing.
/// * It is fenced: with a fence that is no longer the current one it changes nothing and fails with
///   [`StoreErrorKind::FenceLost`].
/// * It may be repeated with the same batch after an error that left its fate open; the second
///   time has no further effect.
/// * When it has answered, the batch survives what [`Capabilities::durability`] promises.
/// * [`load`](Self::load) sees every acknowledged checkpoint.
/// * The futures may be dropped at any time; a checkpoint under way then either happens or does not.
/// * A record that the outside has settled keeps its outcome, whatever a checkpoint says about it.
/// * A suspension by a writer that has not [seen](Batch::seen) every change from outside is due at
///   once: nothing that happens between the last look and the suspension is lost.
/// * A child named in a batch is started with it, unless there is an execution with its id already.
/// * The end of an execution that has a [parent](NewExecution::parent) settles the parent's
///   operation in the same transaction, and counts as a change of the parent from outside; unless
///   the parent has ended, or its operation has.
/// * The next execution of a chain has the parent of the one before, which is told only when the
///   last one ends.
pub trait CheckpointStore: Send + Sync + 'static {
    /// Records with a `seq` above `after`, in ascending order; everything fits in one page where
    /// the store has no reason to split.
    fn load<'a>(&'a self, fence: &'a Fence, after: u64) -> BoxFuture<'a, Result<Page, StoreError>>;

    /// Writes a batch under `fence`.
    fn checkpoint<'a>(
        &'a self,
        fence: &'a Fence,
        batch: Arc<Batch>,
    ) -> BoxFuture<'a, Result<Ack, StoreError>>;

    /// What the store can hold and what it survives.
    fn capabilities(&self) -> Capabilities;
}

/// A granted lease: who holds it may run the execution and write its checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What checkpoints are written under.
    pub fence: Fence,
    /// The execution as of the grant: running.
    pub execution: Execution,
    /// Whether the holder before ended without giving the lease up: killed, expired or cut off.
    pub was_interrupted: bool,
    /// How often in a row, this time included, a holder ended like that without having recorded
    /// any new operation.
    pub crashes: u32,
}

/// Answer to a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// The execution is new.
    Created(Execution),
    /// An execution with this id was there before; it is unchanged.
    Existing(Execution),
}

/// Which executions to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only these states; all when empty.
    pub status: Vec<ExecutionStatus>,
    /// Only executions of this handler.
    pub handler: Option<String>,
    /// Only executions that were started in this queue.
    pub queue: Option<String>,
    /// Only executions whose id begins with this.
    pub prefix: Option<String>,
    /// Only executions that were started at this time or later.
    pub created_from: Option<Timestamp>,
    /// Only executions that were started before this time.
    pub created_before: Option<Timestamp>,
    /// Only executions whose state last changed before this time.
    pub updated_before: Option<Timestamp>,
    /// Only executions that are paused, or only those that are not.
    pub paused: Option<bool>,
    /// Only executions whose id comes after this one; how a listing goes on.
    pub after: Option<ExecutionId>,
    /// At most this many; the store's default when zero.
    pub limit: usize,
}

/// What running many executions needs of a store besides [`CheckpointStore`].
///
/// # Contract
///
/// * [`start`](Self::start) is idempotent by id and never changes an existing execution.
/// * [`claim`](Self::claim) grants a lease to one holder at a time. A lease ends when its holder
///   gives it up, when it expires, or as soon as the store knows that the holder's process has
///   ended. A new lease makes every older fence of the execution invalid.
/// * A claim of an execution that has ended or is paused fails with [`StoreErrorKind::Conflict`]; a
///   blocked one may be claimed.
/// * [`claim_due`](Self::claim_due) grants the same leases as `claim` does, of what is due. One
///   execution that cannot be read keeps no other from being claimed.
/// * What is readable is what was acknowledged.
pub trait ExecutionStore: CheckpointStore {
    /// Starts an execution unless its id is taken.
    fn start(&self, new: NewExecution) -> BoxFuture<'_, Result<Started, StoreError>>;

    /// Takes the lease of an execution until `now + ttl`.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Leased`] while another holder is alive, [`StoreErrorKind::NotFound`],
    /// [`StoreErrorKind::Conflict`] when the execution has ended.
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

    /// The execution with this id.
    fn get<'a>(&'a self, id: &'a ExecutionId) -> BoxFuture<'a, Result<Execution, StoreError>>;

    /// Executions in ascending order of their ids.
    fn list(&self, filter: Filter) -> BoxFuture<'_, Result<Vec<Execution>, StoreError>>;

    /// Settles a callback from outside.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`] for an id that is no callback's, [`StoreErrorKind::Conflict`]
    /// when it was settled before or its execution has ended.
    fn complete<'a>(
        &'a self,
        callback: &'a CallbackId,
        outcome: Completion,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Notes that whoever will settle a callback is alive: its heartbeat time begins anew, within
    /// its deadline. Counts as a change from outside, but makes no suspended execution due.
    ///
    /// # Errors
    ///
    /// Those of [`complete`](Self::complete).
    fn heartbeat<'a>(
        &'a self,
        callback: &'a CallbackId,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Asks for an execution's cancellation. It stops at its next durable boundary, for which a
    /// suspended one is due at once; one that has never run ends at once, and one that has ended
    /// is left as it is.
    fn cancel<'a>(
        &'a self,
        id: &'a ExecutionId,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Ends once the execution has been changed from outside more often than `seen`, has ended or
    /// is blocked, by whatever process.
    fn changed<'a>(
        &'a self,
        id: &'a ExecutionId,
        seen: u64,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// All records of an execution, in ascending order of [`Record::seq`]. Needs no lease.
    fn history<'a>(&'a self, id: &'a ExecutionId)
    -> BoxFuture<'a, Result<Vec<Record>, StoreError>>;

    /// Claims what is due of what is `wanted`, soonest first, and what its queue lets run, highest
    /// priority first. Never looks at what is not due.
    fn claim_due<'a>(
        &'a self,
        wanted: &'a WorkerFilter,
        how: ClaimRequest,
    ) -> BoxFuture<'a, Result<Claimed, StoreError>>;

    /// Ends once something may be due that was not, since this call answered with `seen`; at once
    /// when it never did. The passing of time is not told of: see [`Claimed::next_due`].
    fn ready(&self, seen: u64) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Does to an execution what an operator asks for.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`], and [`StoreErrorKind::Conflict`] when the execution is in no
    /// state for it; nothing was changed then.
    fn change<'a>(
        &'a self,
        id: &'a ExecutionId,
        change: Change,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Every queue that was set up or has something in it, by name.
    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueState>, StoreError>>;

    /// Sets up a queue, in place of how it was. One that nobody set up has no limits.
    fn put_queue(&self, queue: Queue) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Forgets how a queue was set up; what is in it stays.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`].
    fn remove_queue<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The schedules that fire by this time, or all, by name.
    fn schedules(
        &self,
        due_by: Option<Timestamp>,
    ) -> BoxFuture<'_, Result<Vec<ScheduleEntry>, StoreError>>;

    /// Sets up a schedule, in place of the one of the same name.
    fn put_schedule(&self, schedule: ScheduleEntry) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Forgets a schedule; what it has started goes on.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::NotFound`].
    fn remove_schedule<'a>(
        &'a self,
        name: &'a ExecutionId,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Fires a schedule, unless it was changed meanwhile: then nothing happens and it answers
    /// `false`.
    fn fire(&self, firing: Firing) -> BoxFuture<'_, Result<bool, StoreError>>;
}
