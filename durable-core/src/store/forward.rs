//! Forwarding for stores that wrap another store.

/// Implements methods of the store traits by calling the same methods of a field.
///
/// A wrapper implements each trait itself, writes the methods whose behaviour it changes, and forwards the rest. The
/// field may be a store or a pointer to one.
///
/// ```
/// use std::sync::Arc;
///
/// use durable_core::store::{
///     Ack, AdminStore, Batch, CallbackStore, CheckpointStore, ExecutionStore, Fence, MemoryStore, MessageStore,
///     QueueStore,
///     ScheduleStore, StoreError, WorkStore, forward_store,
/// };
/// use durable_core::BoxFuture;
///
/// /// Logs every checkpoint.
/// struct Logged {
///     inner: MemoryStore,
/// }
///
/// impl CheckpointStore for Logged {
///     forward_store!(inner: load, capabilities);
///
///     fn checkpoint<'a>(
///         &'a self,
///         fence: &'a Fence,
///         batch: Arc<Batch>,
///     ) -> BoxFuture<'a, Result<Ack, StoreError>> {
///         println!("{}: {} records", fence.execution, batch.records.len());
///         self.inner.checkpoint(fence, batch)
///     }
/// }
///
/// impl ExecutionStore for Logged {
///     forward_store!(inner: start, claim, renew, get, changed, cancel);
/// }
///
/// impl WorkStore for Logged {
///     forward_store!(inner: claim_due, ready);
/// }
///
/// impl CallbackStore for Logged {
///     forward_store!(inner: complete, heartbeat);
/// }
///
/// impl AdminStore for Logged {
///     forward_store!(inner: list, counts, operation_counts, history, published, fork, change);
/// }
///
/// impl MessageStore for Logged {
///     forward_store!(inner: send, start_with_message, messages);
/// }
///
/// impl QueueStore for Logged {
///     forward_store!(inner: queues, put_queue, remove_queue);
/// }
///
/// impl ScheduleStore for Logged {
///     forward_store!(inner: schedules, put_schedule, remove_schedule, fire);
/// }
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! forward_store {
    ($field:ident: $($method:ident),+ $(,)?) => {
        $($crate::forward_store!(@$method $field);)+
    };
    (@load $field:ident) => {
        $crate::forward_store!(@fn $field load(fence: &'a $crate::store::Fence, after: u64) -> $crate::store::Page);
    };
    (@checkpoint $field:ident) => {
        $crate::forward_store!(
            @fn $field checkpoint(fence: &'a $crate::store::Fence, batch: ::std::sync::Arc<$crate::store::Batch>)
                -> $crate::store::Ack
        );
    };
    (@capabilities $field:ident) => {
        fn capabilities(&self) -> $crate::store::Capabilities {
            self.$field.capabilities()
        }
    };
    (@start $field:ident) => {
        $crate::forward_store!(@fn_ $field start(new: $crate::store::NewExecution) -> $crate::store::Started);
    };
    (@claim $field:ident) => {
        $crate::forward_store!(
            @fn $field claim(id: &'a $crate::ExecutionId, now: $crate::Timestamp, ttl: ::std::time::Duration)
                -> $crate::store::Lease
        );
    };
    (@renew $field:ident) => {
        $crate::forward_store!(
            @fn $field renew(fence: &'a $crate::store::Fence, now: $crate::Timestamp, ttl: ::std::time::Duration) -> ()
        );
    };
    (@get $field:ident) => {
        $crate::forward_store!(@fn $field get(id: &'a $crate::ExecutionId) -> $crate::store::Execution);
    };
    (@changed $field:ident) => {
        $crate::forward_store!(@fn $field changed(id: &'a $crate::ExecutionId, seen: u64) -> ());
    };
    (@cancel $field:ident) => {
        $crate::forward_store!(@fn $field cancel(id: &'a $crate::ExecutionId, now: $crate::Timestamp) -> ());
    };
    (@claim_due $field:ident) => {
        $crate::forward_store!(
            @fn $field claim_due(filter: &'a $crate::store::WorkerFilter, request: $crate::store::ClaimRequest)
                -> $crate::store::Claimed
        );
    };
    (@ready $field:ident) => {
        $crate::forward_store!(@fn_ $field ready(seen: u64) -> u64);
    };
    (@complete $field:ident) => {
        $crate::forward_store!(
            @fn $field complete(
                callback: &'a $crate::store::CallbackId, outcome: $crate::record::Completion, now: $crate::Timestamp
            ) -> ()
        );
    };
    (@heartbeat $field:ident) => {
        $crate::forward_store!(
            @fn $field heartbeat(callback: &'a $crate::store::CallbackId, now: $crate::Timestamp) -> ()
        );
    };
    (@list $field:ident) => {
        $crate::forward_store!(
            @fn_ $field list(filter: $crate::store::Filter) -> ::std::vec::Vec<$crate::store::Execution>
        );
    };
    (@counts $field:ident) => {
        $crate::forward_store!(@fn_ $field counts(limit: usize) -> $crate::store::Counts);
    };
    (@operation_counts $field:ident) => {
        $crate::forward_store!(
            @fn $field operation_counts(ids: &'a [$crate::ExecutionId]) -> ::std::vec::Vec<u64>
        );
    };
    (@history $field:ident) => {
        $crate::forward_store!(
            @fn $field history(id: &'a $crate::ExecutionId) -> ::std::vec::Vec<$crate::record::Record>
        );
    };
    (@published $field:ident) => {
        $crate::forward_store!(
            @fn $field published(id: &'a $crate::ExecutionId) -> ::std::vec::Vec<$crate::record::Record>
        );
    };
    (@fork $field:ident) => {
        $crate::forward_store!(
            @fn_ $field fork(new: $crate::store::NewExecution, records: ::std::vec::Vec<$crate::record::Record>)
                -> $crate::store::Started
        );
    };
    (@change $field:ident) => {
        $crate::forward_store!(
            @fn $field change(id: &'a $crate::ExecutionId, change: $crate::store::Change, now: $crate::Timestamp) -> ()
        );
    };
    (@send $field:ident) => {
        $crate::forward_store!(
            @fn $field send(to: &'a $crate::ExecutionId, message: $crate::store::NewMessage, now: $crate::Timestamp) -> ()
        );
    };
    (@start_with_message $field:ident) => {
        $crate::forward_store!(
            @fn_ $field start_with_message(new: $crate::store::NewExecution, message: $crate::store::NewMessage)
                -> $crate::store::Started
        );
    };
    (@messages $field:ident) => {
        $crate::forward_store!(
            @fn $field messages(id: &'a $crate::ExecutionId) -> ::std::vec::Vec<$crate::store::Message>
        );
    };
    (@queues $field:ident) => {
        $crate::forward_store!(@fn_ $field queues() -> ::std::vec::Vec<$crate::store::QueueState>);
    };
    (@put_queue $field:ident) => {
        $crate::forward_store!(@fn_ $field put_queue(queue: $crate::store::Queue) -> ());
    };
    (@remove_queue $field:ident) => {
        $crate::forward_store!(@fn $field remove_queue(name: &'a str) -> ());
    };
    (@schedules $field:ident) => {
        $crate::forward_store!(
            @fn_ $field schedules(due_by: ::std::option::Option<$crate::Timestamp>)
                -> ::std::vec::Vec<$crate::store::ScheduleEntry>
        );
    };
    (@put_schedule $field:ident) => {
        $crate::forward_store!(@fn_ $field put_schedule(schedule: $crate::store::ScheduleEntry) -> ());
    };
    (@remove_schedule $field:ident) => {
        $crate::forward_store!(@fn $field remove_schedule(name: &'a $crate::ExecutionId) -> ());
    };
    (@fire $field:ident) => {
        $crate::forward_store!(@fn_ $field fire(firing: $crate::store::Firing) -> bool);
    };
    (@fn $field:ident $method:ident($($name:ident: $type:ty),*) -> $ok:ty) => {
        fn $method<'a>(
            &'a self,
            $($name: $type),*
        ) -> $crate::BoxFuture<'a, ::std::result::Result<$ok, $crate::store::StoreError>> {
            self.$field.$method($($name),*)
        }
    };
    (@fn_ $field:ident $method:ident($($name:ident: $type:ty),*) -> $ok:ty) => {
        fn $method(
            &self,
            $($name: $type),*
        ) -> $crate::BoxFuture<'_, ::std::result::Result<$ok, $crate::store::StoreError>> {
            self.$field.$method($($name),*)
        }
    };
}

#[doc(inline)]
pub use forward_store;
