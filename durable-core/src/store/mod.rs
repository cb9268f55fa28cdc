//! Stores: the traits that backends implement, and the data in their methods.
//!
//! [`CheckpointStore`] and [`ExecutionStore`] are the minimum for a backend: with them, `durable::run` works. The methods of
//! [`WorkStore`], [`CallbackStore`], [`AdminStore`], [`QueueStore`] and [`ScheduleStore`] have defaults that fail with
//! [`StoreErrorKind::Unsupported`], so a backend starts with empty implementations of these traits and adds what it supports.
//! A type that implements all of them is a [`Store`].
//!
//! A wrapper of a store forwards the methods that it does not change with [`forward_store!`]. The suite in
//! `durable_core::conformance` (feature `conformance`) checks the contracts of the traits.

mod callback;
mod capabilities;
mod chain;
mod change;
mod checkpoint;
#[cfg(feature = "checksum")]
mod checksum;
mod counts;
mod error;
mod execution;
mod fork;
mod forward;
mod lease;
mod limits;
mod memory;
mod message;
pub mod notifier;
mod open;
mod schedule;
mod sealed;
mod traits;
mod transaction;
mod work;

pub use callback::CallbackId;
pub use capabilities::{Capabilities, Durability};
pub(crate) use chain::{cancel_chain, is_chain_running};
pub use checkpoint::{Ack, Batch, ExecutionUpdate, Fence, Page};
#[cfg(feature = "checksum")]
pub use checksum::Checksum;
pub use counts::{Count, Counts};
pub use error::{StoreError, StoreErrorKind};
use execution::cancelled_before_run;
pub use execution::{Execution, ExecutionStatus, NewExecution, Parent};
pub use fork::ForkedFrom;
pub use forward::forward_store;
pub use lease::{Filter, Lease, Order, Started};
pub use memory::MemoryStore;
pub use message::{Message, NewMessage};
pub use open::{IntoStore, OpenStore};
pub use schedule::{Firing, ScheduleEntry};
#[cfg(feature = "aes-gcm")]
pub use sealed::AesGcm;
pub use sealed::{IntoCodec, PayloadCodec, SealContext, SealedStore, Subject};
pub(crate) use sealed::{refuse_sealed, seal_within};
use traits::unsupported;
pub use traits::{
    AdminStore, CallbackStore, CheckpointStore, ExecutionStore, MessageStore, QueueStore,
    ScheduleStore, Store, WorkStore,
};
pub(crate) use transaction::OwnTransactions;
pub use transaction::TransactionStore;
pub use work::{
    Change, ClaimRequest, Claimed, HandlerBuild, Queue, QueueEntry, QueueState, Rate, Rewind,
    WorkerFilter,
};
