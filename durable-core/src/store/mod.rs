//! Where checkpoints are kept: the traits that every backend implements.

mod error;
mod limits;
mod memory;
mod sealed;

use std::sync::Arc;
use std::time::Duration;

pub use error::{StoreError, StoreErrorKind};
pub use memory::MemoryStore;
#[cfg(feature = "aes-gcm")]
pub use sealed::AesGcm;
pub use sealed::{PayloadCodec, SealContext, SealedStore, Subject};
pub(crate) use sealed::{is_sealing, refuse_sealed, text as sealed_text};

use crate::error::OperationError;
use crate::record::{Payload, Record};
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
    /// What becomes of the execution itself.
    pub execution: Option<ExecutionUpdate>,
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
}

/// Answer to an accepted checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ack {
    /// The fence of the next checkpoint, where the store changes it each time.
    pub fence: Option<Fence>,
    /// Records of this execution that others changed meanwhile.
    pub changed: Vec<Record>,
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
    /// Largest sum of values in one batch. A single larger update travels alone.
    pub max_batch: usize,
    /// Most operations in one execution; `None` where only space limits them.
    pub max_operations: Option<u64>,
}

impl Capabilities {
    /// Limits of a store that takes values of up to 64 MiB and any number of operations.
    pub const fn roomy(durability: Durability) -> Self {
        Self {
            durability,
            max_value: 64 << 20,
            max_batch: 256 << 20,
            max_operations: None,
        }
    }

    /// The same with another limit for a single value.
    #[must_use]
    pub const fn with_max_value(mut self, bytes: usize) -> Self {
        self.max_value = bytes;
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

/// How far an execution has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExecutionStatus {
    /// Started, never run yet.
    Queued,
    /// A process holds its lease, or held it when it died.
    Running,
    /// Waits for a time or an event; no process holds it.
    Suspended,
    /// Ended with an output.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Code and history disagree; a fixed deploy or a rollback resumes it.
    Blocked,
}

impl ExecutionStatus {
    /// Every status there is.
    pub const ALL: [Self; 6] = [
        Self::Queued,
        Self::Running,
        Self::Suspended,
        Self::Succeeded,
        Self::Failed,
        Self::Blocked,
    ];

    /// The word that stores, tables and commands use. Never changes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
        }
    }

    /// The status that [`ExecutionStatus::as_str`] writes as `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether the execution has ended for good.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

impl std::fmt::Display for ExecutionStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an execution is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewExecution {
    /// Its id.
    pub id: ExecutionId,
    /// Name of the handler that runs it.
    pub handler: String,
    /// The encoded input.
    pub input: Payload,
    /// When it was started.
    pub created_at: Timestamp,
}

/// The persisted state of an execution, its operations apart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Execution {
    /// Its id.
    pub id: ExecutionId,
    /// Name of the handler that runs it.
    pub handler: String,
    /// How far it has come.
    pub status: ExecutionStatus,
    /// The encoded input.
    pub input: Payload,
    /// The encoded output, once succeeded.
    pub output: Option<Payload>,
    /// The error, once failed.
    pub error: Option<OperationError>,
    /// What disagrees, while blocked.
    pub report: Option<String>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
    /// When it is due again, while suspended.
    pub wake_at: Option<Timestamp>,
}

impl Execution {
    /// The state right after a start.
    pub fn queued(new: NewExecution) -> Self {
        Self {
            id: new.id,
            handler: new.handler,
            status: ExecutionStatus::Queued,
            input: new.input,
            output: None,
            error: None,
            report: None,
            created_at: new.created_at,
            updated_at: new.created_at,
            wake_at: None,
        }
    }

    /// The report as people can read it: of one that is sealed, only that it is and with what.
    pub fn readable_report(&self) -> Option<&str> {
        let report = self.report.as_deref()?;
        Some(sealed_text::read_report(report).map_or(report, |(note, _)| note))
    }

    /// Notes that a lease was granted: the execution runs, whatever it waited for.
    pub fn claimed(&mut self, now: Timestamp) {
        self.status = ExecutionStatus::Running;
        self.updated_at = now;
        (self.wake_at, self.report) = (None, None);
    }

    /// Applies what a checkpoint says about the execution itself.
    pub fn apply(&mut self, update: &ExecutionUpdate, now: Timestamp) {
        self.updated_at = now;
        (self.wake_at, self.report) = (None, None);
        match update {
            ExecutionUpdate::Suspend { wake_at } => {
                self.status = ExecutionStatus::Suspended;
                self.wake_at = *wake_at;
            }
            ExecutionUpdate::Succeed { output } => {
                self.status = ExecutionStatus::Succeeded;
                self.output = Some(output.clone());
            }
            ExecutionUpdate::Fail { error } => {
                self.status = ExecutionStatus::Failed;
                self.error = Some(error.clone());
            }
            ExecutionUpdate::Block { report } => {
                self.status = ExecutionStatus::Blocked;
                self.report = Some(report.clone());
            }
        }
    }
}

/// A granted lease: who holds it may run the execution and write its checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What checkpoints are written under.
    pub fence: Fence,
    /// The execution as of the grant: running.
    pub execution: Execution,
    /// Whether the holder before ended without giving the lease up: killed, expired or cut off.
    pub unclean: bool,
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
/// * A claim of an execution that has ended fails with [`StoreErrorKind::Conflict`]; a blocked one
///   may be claimed.
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

    /// All records of an execution, in ascending order of [`Record::seq`]. Needs no lease.
    fn history<'a>(&'a self, id: &'a ExecutionId)
    -> BoxFuture<'a, Result<Vec<Record>, StoreError>>;
}
