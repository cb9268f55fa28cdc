//! `step!(…, undo = …)`: undoes a finished step when its execution fails or is cancelled.

use super::attempt::run_to_end;
use super::returned;
use crate::model::error::OperationError;
use crate::runtime::context::Context;
use crate::runtime::failure::{BodyResult, IntoFailure};
use crate::runtime::registered::Operation;
use crate::runtime::undo::{Undo, UndoBody};

/// Creates the undo body of a step with this value.
pub fn undo_body<'a, T, F, R>(value: T, body: impl FnOnce(T) -> F + Send + 'a) -> UndoBody<'a>
where
    T: Send + 'a,
    F: Future<Output = R> + Send + 'a,
    R: BodyResult<Value = ()> + 'a,
    R::Error: IntoFailure,
{
    Box::new(move || Box::pin(async move { returned(body(value).await) }))
}

impl Undo<'_> {
    /// Runs the registered undo bodies, that of the last finished step first, each as a durable operation. Returns the
    /// errors of those that failed.
    pub(crate) async fn run(&self, cx: &Context) -> Vec<OperationError> {
        let mut entries = self.take();
        entries.sort_by_key(|entry| cx.finished(entry.step));
        let mut failed = Vec::new();
        for entry in entries.into_iter().rev() {
            let inside = cx.child(entry.step);
            let operation = inside.register(entry.site);
            if let Err(error) = run_undo(&operation, entry.body).await {
                failed.push(error);
            }
        }
        failed
    }
}

/// Runs one undo body. It runs at most once in an invocation: before a retry the handler is replayed, which registers
/// it again.
async fn run_undo(operation: &Operation<'_>, body: UndoBody<'_>) -> Result<(), OperationError> {
    let mut body = Some(body);
    run_to_end(operation, || body.take().map(|body| body())).await
}
