//! The child execution that an `invoke!` waits for, and whether it is really its child.

use super::body;
use crate::ExecutionId;
use crate::model::error::ErrorKind;
use crate::runtime::children::Awaited;
use crate::runtime::children::Children;
use crate::runtime::failure::Failure;
use crate::runtime::registered::Operation;
use crate::store::Execution;

/// Execution that an operation has started.
pub(crate) struct Child {
    pub(crate) id: ExecutionId,
    /// Whether this invocation has started it.
    pub(crate) new: bool,
}

/// Returns the child to wait for, with the means to run it.
///
/// Returns `None` if a service runs it, if it has ended, or if its id belongs to another execution, which fails the
/// operation.
pub(crate) async fn expected(
    operation: &Operation<'_>,
    child: Option<Child>,
) -> Option<(Children, ExecutionId)> {
    let (child, children) = (child?, operation.shared().children.clone()?);
    operation.durable().await;
    if operation.lock().engine.is_settled(operation.op) {
        return None;
    }
    match body::drive(operation, children.store.get(&child.id)).await {
        Ok(existing) if !is_own(operation, &existing, child.new) => {
            let error = operation.describe(id_in_use(operation, &existing), 0);
            let now = operation.now();
            operation
                .lock()
                .engine
                .disown_child(operation.op, error, now);
            return None;
        }
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(execution = %child.id, %error, "cannot check whether this execution is a child of the operation");
        }
    }
    let (id, report) = (child.id.clone(), None);
    operation.lock().children.push(Awaited { id, report });
    Some((children, child.id))
}

/// Returns whether `existing` was started by this operation of this execution, not of an earlier one with the same id.
fn is_own(operation: &Operation<'_>, existing: &Execution, new: bool) -> bool {
    let state = operation.lock();
    let record = state.engine.record(operation.op);
    let parent = existing.parent.as_ref().is_some_and(|parent| {
        parent.operation == record.id && parent.execution == *operation.cx.execution().id()
    });
    // An earlier execution with the same id was deleted, but its children were not.
    let earlier = existing.created_at < record.started_at && (new || existing.status.is_terminal());
    parent && !earlier
}

/// Describes the execution that has the id of the child.
fn id_in_use(operation: &Operation<'_>, existing: &Execution) -> Failure {
    let own = operation.cx.execution().id();
    let origin = match &existing.parent {
        None => "which was started directly".to_owned(),
        Some(parent) if parent.execution == *own => format!(
            "which an earlier execution `{own}` had started at {}",
            existing.created_at
        ),
        Some(parent) => format!("which the execution `{}` has started", parent.execution),
    };
    let (id, handler) = (&existing.id, &existing.handler);
    let message = format!(
        "`{own}` cannot start the execution `{id}`: that id belongs to an execution of `{handler}`, {origin}. \
         Delete that one, or give this call another name, which changes the id"
    );
    Failure::of_engine(ErrorKind::Failed, message)
}
