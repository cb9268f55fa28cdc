//! Whose execution it is that an `invoke!` waits for.

use super::body;
use crate::ExecutionId;
use crate::model::error::ErrorKind;
use crate::runtime::children::Awaited;
use crate::runtime::children::Children;
use crate::runtime::failure::Failure;
use crate::runtime::registered::Operation;
use crate::store::Execution;

/// The execution that an operation has started.
pub(crate) struct Child {
    pub(crate) id: ExecutionId,
    /// Whether this invocation has started it.
    pub(crate) new: bool,
}

/// The child that is to be waited for, with what it takes to run it. None where a service takes care of it, where
/// it has ended, and where the call has failed: its id belongs to another execution, which will never tell of
/// its end here.
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
        Ok(there) if !is_own(operation, &there, child.new) => {
            let error = operation.describe(taken(operation, &there), 0);
            let now = operation.now();
            operation
                .lock()
                .engine
                .disown_child(operation.op, error, now);
            return None;
        }
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(execution = %child.id, %error, "cannot tell whose execution this is");
        }
    }
    let (id, report) = (child.id.clone(), None);
    operation.lock().children.push(Awaited { id, report });
    Some((children, child.id))
}

/// Whether `there` was started by this operation, in this life of its execution.
fn is_own(operation: &Operation<'_>, there: &Execution, new: bool) -> bool {
    let state = operation.lock();
    let record = state.engine.record(operation.op);
    let parent = there.parent.as_ref().is_some_and(|parent| {
        parent.operation == record.id && parent.execution == *operation.cx.execution().id()
    });
    // An execution of the same id was deleted, but not what it had started.
    let earlier = there.created_at < record.started_at && (new || there.status.is_terminal());
    parent && !earlier
}

fn taken(operation: &Operation<'_>, there: &Execution) -> Failure {
    let own = operation.cx.execution().id();
    let whose = match &there.parent {
        None => "which was started by itself".to_owned(),
        Some(parent) if parent.execution == *own => format!(
            "which an earlier execution `{own}` had started at {}",
            there.created_at
        ),
        Some(parent) => format!("which the execution `{}` has started", parent.execution),
    };
    let (id, handler) = (&there.id, &there.handler);
    let message = format!(
        "`{own}` cannot start its execution `{id}`: that id belongs to an execution of `{handler}`, {whose}. \
         Delete that one, or give this call another name, which gives what it starts another id"
    );
    Failure::of_engine(ErrorKind::Failed, message)
}
