//! What an update makes of an operation.

use crate::operation::{CallbackTimes, Operation};
use crate::wire::{Action, Kind, Refusal, Status, Update};

use super::{Moment, token};

/// The operation after `update`, or why the update is not allowed.
pub(crate) fn apply(
    current: Option<&Operation>,
    update: &Update,
    at: Moment<'_>,
) -> Result<Operation, Refusal> {
    if let Some(current) = current {
        same_operation(current, update)?;
    }
    match update.action {
        Action::Succeed if update.error.is_some() => {
            return refuse("Cannot provide an Error for SUCCEED action.");
        }
        Action::Fail if update.payload.is_some() => {
            return refuse("Cannot provide a Payload for FAIL action.");
        }
        _ => {}
    }
    let status = current.map(|operation| operation.status);
    let mut next = current.cloned().unwrap_or_else(|| begun(update, at.now));
    match update.kind {
        Kind::Step => step(&mut next, status, update, at)?,
        Kind::Context => context(&mut next, status, update)?,
        Kind::Wait => wait(&mut next, status, update, at)?,
        Kind::Callback => callback(&mut next, status, update, at)?,
        Kind::ChainedInvoke => invoke(&mut next, status, update, at)?,
        Kind::Execution => return refuse("Invalid action for the given operation type."),
    }
    if next.status.is_closed() {
        next.ended = Some(at.now);
    }
    Ok(next)
}

fn refuse<T>(message: &str) -> Result<T, Refusal> {
    Err(Refusal::invalid(message))
}

/// Type, sub type, name and parent never change. An omitted one is a change: what the service does
/// with it is not known, so repeating all four is required here.
fn same_operation(current: &Operation, update: &Update) -> Result<(), Refusal> {
    if current.kind != update.kind {
        return refuse("Inconsistent operation type.");
    }
    if current.sub_type != update.sub_type {
        return refuse("Inconsistent operation subtype.");
    }
    if current.name != update.name {
        return refuse("Inconsistent operation name.");
    }
    if current.parent_id != update.parent_id {
        return refuse("Inconsistent parent operation id.");
    }
    Ok(())
}

/// An operation that has just been started.
pub(crate) fn begun(update: &Update, now: u64) -> Operation {
    Operation {
        id: update.id.clone(),
        kind: update.kind,
        status: Status::Started,
        name: update.name.clone(),
        sub_type: update.sub_type.clone(),
        parent_id: update.parent_id.clone(),
        started: now,
        ended: None,
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
    at: Moment<'_>,
) -> Result<(), Refusal> {
    if update.action != Action::Retry && update.step_options.is_some() {
        return refuse("Invalid StepOptions for the given action.");
    }
    let open = matches!(status, None | Some(Status::Started | Status::Ready));
    match update.action {
        Action::Start if matches!(status, None | Some(Status::Ready)) => {
            next.status = Status::Started;
            (next.payload, next.error) = (None, None);
        }
        Action::Start => return refuse("Invalid current STEP state to start."),
        // Emulators take the end of a step that was never started; a history without its start is of
        // no use to anybody.
        Action::Succeed | Action::Fail if !open || status.is_none() => {
            return refuse("Invalid current STEP state to close.");
        }
        Action::Retry if !open || status.is_none() => {
            return refuse("Invalid current STEP state to re-attempt.");
        }
        Action::Succeed | Action::Fail => end(next, update),
        Action::Retry => {
            let delay = update.step_options.as_ref();
            let Some(delay) = delay.and_then(|step| step.next_attempt_delay_seconds) else {
                return refuse("Invalid StepOptions for the given action.");
            };
            if update.error.is_some() && update.payload.is_some() {
                return refuse("Cannot provide both error and payload to RETRY a STEP.");
            }
            next.status = Status::Pending;
            next.due = Some(at.after(delay));
            next.attempt += 1;
            (next.payload, next.error) = (update.payload.clone(), update.error.clone());
        }
        Action::Cancel => return refuse("Invalid action for the given operation type."),
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

fn context(next: &mut Operation, status: Option<Status>, update: &Update) -> Result<(), Refusal> {
    match (update.action, status) {
        (Action::Start, None) => {}
        (Action::Start, Some(_)) => return refuse("Cannot start a CONTEXT that already exist."),
        (Action::Succeed | Action::Fail, Some(Status::Started)) => {
            let options = update.context_options.as_ref();
            next.replay_children = options.and_then(|o| o.replay_children).unwrap_or(false);
            end(next, update);
        }
        (Action::Succeed | Action::Fail, _) => {
            return refuse("Invalid current CONTEXT state to close.");
        }
        _ => return refuse("Invalid action for the given operation type."),
    }
    Ok(())
}

fn wait(
    next: &mut Operation,
    status: Option<Status>,
    update: &Update,
    at: Moment<'_>,
) -> Result<(), Refusal> {
    match (update.action, status) {
        (Action::Start, None) => {
            let options = update.wait_options.as_ref();
            let Some(seconds) = options.and_then(|options| options.wait_seconds) else {
                return refuse("Update for WAIT operation requires WaitOptions.");
            };
            next.due = Some(at.after(seconds));
        }
        (Action::Start, Some(_)) => return refuse("Cannot start a WAIT that already exist."),
        (Action::Cancel, Some(Status::Started)) => {
            next.status = Status::Cancelled;
            next.due = None;
        }
        (Action::Cancel, _) => {
            return refuse("Cannot cancel a WAIT that does not exist or has already completed.");
        }
        _ => return refuse("Invalid action for the given operation type."),
    }
    Ok(())
}

fn callback(
    next: &mut Operation,
    status: Option<Status>,
    update: &Update,
    at: Moment<'_>,
) -> Result<(), Refusal> {
    match (update.action, status) {
        (Action::Start, None) => {}
        (Action::Start, Some(_)) => return refuse("Cannot start a CALLBACK that already exist."),
        _ => return refuse("Invalid action for the given operation type."),
    }
    let options = update.callback_options.clone().unwrap_or_default();
    let heartbeat = options.heartbeat_timeout_seconds.filter(|s| *s > 0);
    let silent_until = heartbeat.map(|seconds| at.after(seconds));
    let timeout = options.timeout_seconds.filter(|seconds| *seconds > 0);
    let deadline = timeout.map(|seconds| at.after(seconds));
    next.due = [deadline, silent_until].into_iter().flatten().min();
    next.callback = Some(CallbackTimes {
        id: token::of_callback(at.execution, &update.id),
        deadline,
        heartbeat: heartbeat.map(|seconds| at.pace.real(seconds)),
        silent_until,
    });
    Ok(())
}

fn invoke(
    next: &mut Operation,
    status: Option<Status>,
    update: &Update,
    at: Moment<'_>,
) -> Result<(), Refusal> {
    match (update.action, status) {
        (Action::Start, None) => {}
        (Action::Start, Some(_)) => {
            return refuse("Cannot start a CHAINED_INVOKE that already exist.");
        }
        _ => return refuse("Invalid action for the given operation type."),
    }
    let Some(options) = update.chained_invoke_options.clone() else {
        return refuse("Update for CHAINED_INVOKE operation requires ChainedInvokeOptions.");
    };
    if options.function_name.is_none() {
        return refuse("Update for CHAINED_INVOKE operation requires ChainedInvokeOptions.");
    }
    check_target(options.function_name.as_deref().unwrap_or_default(), at.arn)?;
    next.function = Some(options);
    Ok(())
}

/// A function of another account or region cannot be run; `caller` is the execution's ARN.
fn check_target(target: &str, caller: &str) -> Result<(), Refusal> {
    if !target.starts_with("arn:") {
        return Ok(());
    }
    let (target, caller): (Vec<_>, Vec<_>) =
        (target.split(':').collect(), caller.split(':').collect());
    let word = |words: &[&str], at: usize| words.get(at).copied().unwrap_or_default().to_owned();
    if word(&target, 5) != "function" {
        return Err(Refusal::invalid(format!(
            "Invalid function ARN '{}'",
            target.join(":")
        )));
    }
    for (at, place) in [(4, "account"), (3, "region")] {
        if word(&target, at) != word(&caller, at) {
            let message =
                format!("Cannot start a CHAINED_INVOKE on a function in another {place}.");
            return Err(Refusal::invalid(message));
        }
    }
    Ok(())
}
