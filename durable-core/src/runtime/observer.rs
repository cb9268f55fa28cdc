//! What the testing kit sees of the bodies of a run, and how it keeps them from running.

use std::sync::Arc;

#[cfg(feature = "testing")]
use crate::engine::Drift;
use crate::model::payload::Payload;
use crate::model::record::Kind;
use crate::runtime::failure::Failure;
use crate::{BoxFuture, ExecutionId, OperationId};

/// The operation whose body an observer is told about.
#[derive(Debug, Clone)]
#[cfg_attr(
    not(feature = "testing"),
    expect(dead_code, reason = "only the testing kit observes bodies")
)]
pub(crate) struct ObservedBody {
    pub(crate) execution: ExecutionId,
    pub(crate) id: OperationId,
    pub(crate) kind: Kind,
    /// Display name of the operation, with the scopes around it.
    pub(crate) path: String,
    pub(crate) attempt: u32,
}

/// An invocation that has begun, for observers that look at its end.
pub(crate) trait ObservedInvocation: Send + Sync {
    /// Differences between history and code so far.
    #[cfg(feature = "testing")]
    fn drift(&self) -> Vec<Drift>;

    /// New scopes that recorded operations have moved into.
    #[cfg(feature = "testing")]
    fn moved_into(&self) -> Vec<String>;
}

/// Watches the bodies of a run. None does unless a test is run.
pub(crate) trait Observer: Send + Sync {
    /// An invocation begins.
    fn began(&self, invocation: &Arc<dyn ObservedInvocation>);

    /// The body of an operation is about to run. A failure stands in its place; an answer that never comes
    /// is the end of the process.
    fn before(&self, body: &ObservedBody) -> BoxFuture<'static, Result<(), Failure>>;

    /// The body has ended; nothing of its outcome is recorded yet.
    fn after(&self, body: &ObservedBody) -> BoxFuture<'static, ()>;

    /// A body runs for as long as what this answers with is kept.
    fn running(&self) -> Box<dyn Send + Sync>;

    /// What is recorded in the place of the value that the body of an operation has ended with.
    fn recorded(&self, body: &ObservedBody, value: Payload) -> Payload;

    /// A value cannot be read by the code that asks for it: the report that blocks the execution, or for what the
    /// outside has given, the message of the error.
    fn undecodable(&self, body: &ObservedBody, message: &str);
}
