//! Transition table: the effect of an update on an operation.

use super::head::Moment;
use super::operation::{CallbackTimes, Operation};
use super::token;
use super::wire::{Action, Kind, Refusal, Status, Update};

/// Milliseconds before a chained invoke starts its target, unless its caller suspends first. The
/// delay keeps a fast target from ending before its caller has suspended.
const DISPATCH_DELAY: u64 = 300;

/// Time of an update, and id and secret of its execution.
#[derive(Debug, Clone, Copy)]
pub(super) struct UpdateContext<'a> {
    pub(super) at: Moment,
    pub(super) execution: &'a str,
    pub(super) secret: &'a str,
}

/// Applies an update to an operation.
pub(super) fn apply(
    current: Option<&Operation>,
    update: &Update,
    scope: UpdateContext<'_>,
) -> Result<Operation, Refusal> {
    if let Some(current) = current {
        check_identity(current, update)?;
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
    let at = scope.at;
    let mut next = current.cloned().unwrap_or_else(|| begun(update, at.now));
    match update.kind {
        Kind::Step => step(&mut next, status, update, at)?,
        Kind::Context => context(&mut next, status, update)?,
        Kind::Wait => wait(&mut next, status, update, at)?,
        Kind::Callback => callback(&mut next, status, update, scope)?,
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

/// Checks that type, subtype, name and parent do not change. Updates may omit all but the type.
fn check_identity(current: &Operation, update: &Update) -> Result<(), Refusal> {
    let differs =
        |stored: &Option<String>, given: &Option<String>| given.is_some() && given != stored;
    if current.kind != update.kind {
        return refuse("Inconsistent operation type.");
    }
    if differs(&current.sub_type, &update.sub_type) {
        return refuse("Inconsistent operation subtype.");
    }
    if differs(&current.name, &update.name) {
        return refuse("Inconsistent operation name.");
    }
    if differs(&current.parent_id, &update.parent_id) {
        return refuse("Inconsistent parent operation id.");
    }
    Ok(())
}

/// Creates an operation that has just started.
pub(super) fn begun(update: &Update, now: u64) -> Operation {
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
        seconds: None,
        callback: None,
        function: None,
        changed: 0,
    }
}

fn step(
    next: &mut Operation,
    status: Option<Status>,
    update: &Update,
    at: Moment,
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
        Action::Succeed | Action::Fail if !open => {
            return refuse("Invalid current STEP state to close.");
        }
        Action::Retry if !open => return refuse("Invalid current STEP state to re-attempt."),
        Action::Succeed | Action::Fail => close(next, update),
        Action::Retry => {
            let options = update.step_options.as_ref();
            let Some(delay) = options.and_then(|step| step.next_attempt_delay_seconds) else {
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

fn close(next: &mut Operation, update: &Update) {
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
        (Action::Succeed | Action::Fail, None | Some(Status::Started)) => {
            let options = update.context_options.as_ref();
            next.replay_children = options.and_then(|o| o.replay_children).unwrap_or(false);
            close(next, update);
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
    at: Moment,
) -> Result<(), Refusal> {
    match (update.action, status) {
        (Action::Start, None) => {
            let options = update.wait_options.as_ref();
            let Some(seconds) = options.and_then(|options| options.wait_seconds) else {
                return refuse("Update for WAIT operation requires WaitOptions.");
            };
            next.seconds = Some(seconds);
            next.due = Some(at.after(seconds));
        }
        (Action::Start, Some(_)) => return refuse("Cannot start a WAIT that already exist."),
        (Action::Cancel, Some(Status::Started)) => next.status = Status::Cancelled,
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
    scope: UpdateContext<'_>,
) -> Result<(), Refusal> {
    match (update.action, status) {
        (Action::Start, None) => {}
        (Action::Start, Some(_)) => return refuse("Cannot start a CALLBACK that already exist."),
        _ => return refuse("Invalid action for the given operation type."),
    }
    let at = scope.at;
    let options = update.callback_options.clone().unwrap_or_default();
    let heartbeat = options.heartbeat_timeout_seconds.filter(|s| *s > 0);
    let heartbeat = heartbeat.map(|seconds| at.millis(seconds));
    let silent_until = heartbeat.map(|pause| at.now.saturating_add(pause));
    let timeout = options.timeout_seconds.filter(|seconds| *seconds > 0);
    let deadline = timeout.map(|seconds| at.after(seconds));
    next.due = [deadline, silent_until].into_iter().flatten().min();
    next.callback = Some(CallbackTimes {
        id: token::of_callback(scope.execution, scope.secret, &update.id),
        deadline,
        heartbeat,
        silent_until,
    });
    Ok(())
}

fn invoke(
    next: &mut Operation,
    status: Option<Status>,
    update: &Update,
    at: Moment,
) -> Result<(), Refusal> {
    match (update.action, status) {
        (Action::Start, None) => {}
        (Action::Start, Some(_)) => {
            return refuse("Cannot start a CHAINED_INVOKE that already exist.");
        }
        _ => return refuse("Invalid action for the given operation type."),
    }
    let options = update.chained_invoke_options.clone();
    let Some(options) = options.filter(|options| options.function_name.is_some()) else {
        return refuse("Update for CHAINED_INVOKE operation requires ChainedInvokeOptions.");
    };
    next.function = Some(options);
    next.payload = update.payload.clone();
    next.due = Some(at.now + DISPATCH_DELAY);
    Ok(())
}
