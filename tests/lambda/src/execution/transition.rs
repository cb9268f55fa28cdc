//! State transitions of an operation.

use crate::operation::{CallbackTimers, Operation};
use crate::wire::{Action, ApiError, Kind, Status, Update};

use super::{UpdateContext, token};

/// Returns the operation after `update`, or the service's error if the update is not allowed.
pub(crate) fn apply(
    current: Option<&Operation>,
    update: &Update,
    cx: UpdateContext<'_>,
) -> Result<Operation, ApiError> {
    if let Some(current) = current {
        check_identity(current, update)?;
    }
    match update.action {
        Action::Succeed if update.error.is_some() => {
            return reject("Cannot provide an Error for SUCCEED action.");
        }
        Action::Fail if update.payload.is_some() => {
            return reject("Cannot provide a Payload for FAIL action.");
        }
        _ => {}
    }
    let status = current.map(|operation| operation.status);
    let mut next = current.cloned().unwrap_or_else(|| started(update, cx.now));
    match update.kind {
        Kind::Step => step(&mut next, status, update, cx)?,
        Kind::Context => context(&mut next, status, update)?,
        Kind::Wait => wait(&mut next, status, update, cx)?,
        Kind::Callback => callback(&mut next, status, update, cx)?,
        Kind::ChainedInvoke => invoke(&mut next, status, update, cx)?,
        Kind::Execution => return reject("Invalid action for the given operation type."),
    }
    if next.status.is_closed() {
        next.ended_at = Some(cx.now);
    }
    Ok(next)
}

fn reject<T>(message: &str) -> Result<T, ApiError> {
    Err(ApiError::invalid(message))
}

/// Checks that an update repeats type, subtype, name and parent. How the service treats an update that omits one is
/// not known, so the fake rejects it.
fn check_identity(current: &Operation, update: &Update) -> Result<(), ApiError> {
    if current.kind != update.kind {
        return reject("Inconsistent operation type.");
    }
    if current.sub_type != update.sub_type {
        return reject("Inconsistent operation subtype.");
    }
    if current.name != update.name {
        return reject("Inconsistent operation name.");
    }
    if current.parent_id != update.parent_id {
        return reject("Inconsistent parent operation id.");
    }
    Ok(())
}

/// Creates an operation that has just been started.
pub(crate) fn started(update: &Update, now: u64) -> Operation {
    Operation {
        id: update.id.clone(),
        kind: update.kind,
        status: Status::Started,
        name: update.name.clone(),
        sub_type: update.sub_type.clone(),
        parent_id: update.parent_id.clone(),
        started_at: now,
        ended_at: None,
        attempt: 0,
        payload: None,
        error: None,
        replay_children: false,
        due: None,
        callback: None,
        function: None,
        changed: 0,
    }
}

fn step(
    next: &mut Operation,
    status: Option<Status>,
    update: &Update,
    cx: UpdateContext<'_>,
) -> Result<(), ApiError> {
    if update.action != Action::Retry && update.step_options.is_some() {
        return reject("Invalid StepOptions for the given action.");
    }
    let open = matches!(status, None | Some(Status::Started | Status::Ready));
    match update.action {
        Action::Start if matches!(status, None | Some(Status::Ready)) => {
            next.status = Status::Started;
            (next.payload, next.error) = (None, None);
        }
        Action::Start => return reject("Invalid current STEP state to start."),
        // Emulators accept the end of a step that was never started, which leaves a history without its start.
        Action::Succeed | Action::Fail if !open || status.is_none() => {
            return reject("Invalid current STEP state to close.");
        }
        Action::Retry if !open || status.is_none() => {
            return reject("Invalid current STEP state to re-attempt.");
        }
        Action::Succeed | Action::Fail => end(next, update),
        Action::Retry => {
            let delay = update.step_options.as_ref();
            let Some(delay) = delay.and_then(|step| step.next_attempt_delay_seconds) else {
                return reject("Invalid StepOptions for the given action.");
            };
            if update.error.is_some() && update.payload.is_some() {
                return reject("Cannot provide both error and payload to RETRY a STEP.");
            }
            next.status = Status::Pending;
            next.due = Some(cx.after(delay));
            next.attempt += 1;
            (next.payload, next.error) = (update.payload.clone(), update.error.clone());
        }
        Action::Cancel => return reject("Invalid action for the given operation type."),
    }
    Ok(())
}

fn end(next: &mut Operation, update: &Update) {
    next.status = match update.action {
        Action::Succeed => Status::Succeeded,
        _ => Status::Failed,
    };
    next.attempt += u32::from(next.kind == Kind::Step);
    (next.payload, next.error) = (update.payload.clone(), update.error.clone());
}

fn context(next: &mut Operation, status: Option<Status>, update: &Update) -> Result<(), ApiError> {
    match (update.action, status) {
        (Action::Start, None) => {}
        (Action::Start, Some(_)) => return reject("Cannot start a CONTEXT that already exist."),
        (Action::Succeed | Action::Fail, Some(Status::Started)) => {
            let options = update.context_options.as_ref();
            next.replay_children = options.and_then(|o| o.replay_children).unwrap_or(false);
            end(next, update);
        }
        (Action::Succeed | Action::Fail, _) => {
            return reject("Invalid current CONTEXT state to close.");
        }
        _ => return reject("Invalid action for the given operation type."),
    }
    Ok(())
}

fn wait(
    next: &mut Operation,
    status: Option<Status>,
    update: &Update,
    cx: UpdateContext<'_>,
) -> Result<(), ApiError> {
    match (update.action, status) {
        (Action::Start, None) => {
            let options = update.wait_options.as_ref();
            let Some(seconds) = options.and_then(|options| options.wait_seconds) else {
                return reject("Update for WAIT operation requires WaitOptions.");
            };
            next.due = Some(cx.after(seconds));
        }
        (Action::Start, Some(_)) => return reject("Cannot start a WAIT that already exist."),
        (Action::Cancel, Some(Status::Started)) => {
            next.status = Status::Cancelled;
            next.due = None;
        }
        (Action::Cancel, _) => {
            return reject("Cannot cancel a WAIT that does not exist or has already completed.");
        }
        _ => return reject("Invalid action for the given operation type."),
    }
    Ok(())
}

fn callback(
    next: &mut Operation,
    status: Option<Status>,
    update: &Update,
    cx: UpdateContext<'_>,
) -> Result<(), ApiError> {
    match (update.action, status) {
        (Action::Start, None) => {}
        (Action::Start, Some(_)) => return reject("Cannot start a CALLBACK that already exist."),
        _ => return reject("Invalid action for the given operation type."),
    }
    let options = update.callback_options.clone().unwrap_or_default();
    let heartbeat = options.heartbeat_timeout_seconds.filter(|s| *s > 0);
    let heartbeat_due = heartbeat.map(|seconds| cx.after(seconds));
    let timeout = options.timeout_seconds.filter(|seconds| *seconds > 0);
    let deadline = timeout.map(|seconds| cx.after(seconds));
    next.due = [deadline, heartbeat_due].into_iter().flatten().min();
    next.callback = Some(CallbackTimers {
        id: token::of_callback(cx.execution, &update.id),
        deadline,
        heartbeat: heartbeat.map(|seconds| cx.speedup.real_duration(seconds)),
        heartbeat_due,
    });
    Ok(())
}

fn invoke(
    next: &mut Operation,
    status: Option<Status>,
    update: &Update,
    cx: UpdateContext<'_>,
) -> Result<(), ApiError> {
    match (update.action, status) {
        (Action::Start, None) => {}
        (Action::Start, Some(_)) => {
            return reject("Cannot start a CHAINED_INVOKE that already exist.");
        }
        _ => return reject("Invalid action for the given operation type."),
    }
    let Some(options) = update.chained_invoke_options.clone() else {
        return reject("Update for CHAINED_INVOKE operation requires ChainedInvokeOptions.");
    };
    if options.function_name.is_none() {
        return reject("Update for CHAINED_INVOKE operation requires ChainedInvokeOptions.");
    }
    check_target(options.function_name.as_deref().unwrap_or_default(), cx.arn)?;
    next.function = Some(options);
    Ok(())
}

/// Checks that a function is in the same account and region as the execution with the ARN `caller`.
fn check_target(target: &str, caller: &str) -> Result<(), ApiError> {
    if !target.starts_with("arn:") {
        return Ok(());
    }
    let (target, caller): (Vec<_>, Vec<_>) =
        (target.split(':').collect(), caller.split(':').collect());
    let part = |parts: &[&str], at: usize| parts.get(at).copied().unwrap_or_default().to_owned();
    if part(&target, 5) != "function" {
        return Err(ApiError::invalid(format!(
            "Invalid function ARN '{}'",
            target.join(":")
        )));
    }
    for (at, place) in [(4, "account"), (3, "region")] {
        if part(&target, at) != part(&caller, at) {
            let message =
                format!("Cannot start a CHAINED_INVOKE on a function in another {place}.");
            return Err(ApiError::invalid(message));
        }
    }
    Ok(())
}
