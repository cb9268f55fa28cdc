//! Observation of bodies by the testing kit.

use std::sync::Arc;

#[cfg(feature = "testing")]
use crate::engine::Drift;
use crate::model::payload::Payload;
use crate::model::record::Kind;
use crate::runtime::failure::Failure;
use crate::{BoxFuture, ExecutionId, OperationId};

/// Operation whose body is observed.
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

/// Running invocation, as observers see it.
pub(crate) trait ObservedInvocation: Send + Sync {
    /// Returns the differences between history and code so far.
    #[cfg(feature = "testing")]
    fn drift(&self) -> Vec<Drift>;

    /// Returns new scopes that recorded operations have moved into.
    #[cfg(feature = "testing")]
    fn moved_into(&self) -> Vec<String>;
}

/// Observes the bodies of a run. Only tests have one.
pub(crate) trait Observer: Send + Sync {
    /// Called when an invocation begins.
    fn began(&self, invocation: &Arc<dyn ObservedInvocation>);

    /// Called before the body of an operation runs. A failure replaces the body. A future that never completes
    /// simulates the end of the process.
    fn before(&self, body: &ObservedBody) -> BoxFuture<'static, Result<(), Failure>>;

    /// Called when a body has ended, before its outcome is recorded.
    fn after(&self, body: &ObservedBody) -> BoxFuture<'static, ()>;

    /// Called when a body starts. The body runs until the returned value is dropped.
    fn running(&self) -> Box<dyn Send + Sync>;

    /// Returns the value to record instead of the one that a body has returned.
    fn recorded(&self, body: &ObservedBody, value: Payload) -> Payload;

    /// Called when the code cannot read a value. `message` is the report that blocks the execution or, for a value
    /// from an external party, the message of the error.
    fn undecodable(&self, body: &ObservedBody, message: &str);
}
