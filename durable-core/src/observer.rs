//! What the testing kit sees of the bodies of a run, and how it keeps them from running.

use crate::failure::Failure;
use crate::record::{Kind, Payload};
use crate::{BoxFuture, ExecutionId, OperationId};

/// A body, as observers know it.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    pub(crate) execution: ExecutionId,
    pub(crate) id: OperationId,
    pub(crate) kind: Kind,
    /// The operation as histories write it, with the scopes it is in.
    pub(crate) path: String,
    pub(crate) attempt: u32,
}

/// Watches the bodies of a run. None does unless a test is run.
pub(crate) trait Observer: Send + Sync {
    /// The handler asks for an operation.
    fn asked(&self, operation: OperationId);

    /// A body is about to run. A failure stands in its place; an answer that never comes is the end
    /// of the process.
    fn before(&self, body: Body) -> BoxFuture<'static, Result<(), Failure>>;

    /// The body has ended; nothing of its outcome is recorded yet.
    fn after(&self, body: Body) -> BoxFuture<'static, ()>;

    /// A body runs for as long as what this answers with is kept.
    fn running(&self) -> Box<dyn Send + Sync>;

    /// What is recorded in the place of the value that `body` has ended with.
    fn recorded(&self, body: &Body, value: Payload) -> Payload;

    /// A recorded value cannot be read by the code that asks for it.
    fn undecodable(&self, body: &Body, message: &str);
}
