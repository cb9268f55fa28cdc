//! What the testing kit sees of the bodies of a run, and how it keeps them from running.

use crate::BoxFuture;
use std::sync::Arc;

use crate::model::record::Payload;
use crate::runtime::context::{Claim, Shared};
use crate::runtime::failure::Failure;

/// Watches the bodies of a run. None does unless a test is run.
pub(crate) trait Observer: Send + Sync {
    /// An invocation begins.
    fn began(&self, invocation: &Arc<Shared>);

    /// The body of `claim` is about to run. A failure stands in its place; an answer that never comes
    /// is the end of the process.
    fn before(&self, claim: &Claim<'_>) -> BoxFuture<'static, Result<(), Failure>>;

    /// The body has ended; nothing of its outcome is recorded yet.
    fn after(&self, claim: &Claim<'_>) -> BoxFuture<'static, ()>;

    /// A body runs for as long as what this answers with is kept.
    fn running(&self) -> Box<dyn Send + Sync>;

    /// What is recorded in the place of the value that the body of `claim` has ended with.
    fn recorded(&self, claim: &Claim<'_>, value: Payload) -> Payload;

    /// A value cannot be read by the code that asks for it: the report that blocks the execution, or for what the
    /// outside has given, the message of the error.
    fn undecodable(&self, claim: &Claim<'_>, message: &str);
}
