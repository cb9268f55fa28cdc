//! One invocation, from its event to its response.

use std::sync::Arc;
use std::time::Duration;

use durable_core::store::{Execution, Fence, Lease, NewExecution, StoreError};
use durable_core::{
    Clock as _, Ended, ErrorKind, Handler, Invocation, OperationError, Payload, Record, Status,
    SystemClock, Timestamp,
};

use crate::clock::ServiceClock;
use crate::setup::Setup;
use crate::store::{LambdaStore, StopReason, StoreConfig};
use crate::wire::{Event, Operation, Output, Type, from_text, to_object, to_text};

/// Failure of an invocation, which the service then retries.
#[derive(Debug)]
pub(crate) struct InvocationError {
    pub(crate) kind: &'static str,
    pub(crate) message: String,
}

impl InvocationError {
    fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

/// End of an invocation before its handler runs.
enum EarlyExit {
    Error(InvocationError),
    Respond(Output),
}

impl From<InvocationError> for EarlyExit {
    fn from(error: InvocationError) -> Self {
        Self::Error(error)
    }
}

/// Runs the handler until it finishes or has to wait, and returns the response for the service.
pub(crate) async fn respond<H, S>(
    event: &str,
    deadline: Timestamp,
    setup: &Setup,
    state: &S,
) -> Result<Output, InvocationError>
where
    S: Sync,
    H: Handler<S>,
{
    let start = match Start::from_event(event, deadline, setup, H::NAME).await {
        Ok(start) => start,
        Err(EarlyExit::Error(error)) => return Err(error),
        Err(EarlyExit::Respond(output)) => return Ok(output),
    };
    let (store, duration) = (Arc::clone(&start.store), start.duration);
    let reserve = setup
        .reserve
        .unwrap_or_else(|| (duration / 10).min(Duration::from_secs(5)));
    let invocation = Invocation::new(store, start.lease)
        .clock(Arc::new(start.clock))
        .budget(start.clock.convert(deadline), duration, reserve);
    let ended = invocation.run::<H, S>(state).await;
    if let Some(reason) = start.store.stop_reason() {
        return stopped_output(reason, H::NAME);
    }
    match ended {
        Ok(ended) => Ok(output(ended, &start.store, H::NAME)),
        Err(error) => Ok(store_failure(&error, H::NAME)),
    }
}

/// State that an invocation starts from.
struct Start {
    store: Arc<LambdaStore>,
    lease: Lease,
    /// Time from here to the deadline.
    duration: Duration,
    clock: ServiceClock,
}

impl Start {
    async fn from_event(
        event: &str,
        deadline: Timestamp,
        setup: &Setup,
        handler: &str,
    ) -> Result<Self, EarlyExit> {
        let duration = deadline.since(SystemClock.now());
        let event: Event = serde_json::from_str(event).map_err(|error| not_durable(&error))?;
        let (Some(arn), Some(token)) = (event.durable_execution_arn, event.checkpoint_token) else {
            return Err(
                not_durable(&"it has no `DurableExecutionArn` or no `CheckpointToken`").into(),
            );
        };
        let config = StoreConfig {
            client: setup.client()?,
            arn: arn.clone(),
            deadline,
            limits: setup.limits(),
            functions: Arc::clone(&setup.functions),
        };
        let store = Arc::new(LambdaStore::new(config, token.clone()));
        let exit = |error: StoreError| match store.stop_reason() {
            Some(reason) => match stopped_output(reason, handler) {
                Ok(output) => EarlyExit::Respond(output),
                Err(error) => EarlyExit::Error(error),
            },
            None => EarlyExit::Respond(store_failure(&error, handler)),
        };
        let mut page = event.initial_execution_state;
        let mut operations = std::mem::take(&mut page.operations);
        while let Some(marker) = page.marker().map(str::to_owned) {
            page = store.page(&token, &marker).await.map_err(exit)?;
            operations.append(&mut page.operations);
        }
        let clock = ServiceClock::synchronized_with(&operations);
        let execution = take_execution(&mut operations, &arn, handler)?;
        store.set_history(operations, clock).map_err(exit)?;
        if let Some(record) = store.continuation() {
            return Err(EarlyExit::Respond(continuation_output(record)));
        }
        let lease = Lease {
            fence: Fence {
                execution: execution.id.clone(),
                token: "invocation".into(),
            },
            execution,
            was_interrupted: store.has_interrupted_step(),
            crashes: 0,
        };
        Ok(Self {
            store,
            lease,
            duration,
            clock,
        })
    }
}

fn not_durable(why: &dyn std::fmt::Display) -> InvocationError {
    InvocationError::new(
        "NotADurableInvocation",
        format!(
            "the event does not belong to a durable execution: {why}. Create the function with `DurableConfig` and \
             invoke it by a qualified ARN (a version, an alias or `$LATEST`)"
        ),
    )
}

/// Removes the operation of type `EXECUTION` from the list and converts it to an execution.
fn take_execution(
    operations: &mut Vec<Operation>,
    arn: &str,
    handler: &str,
) -> Result<Execution, InvocationError> {
    let id = arn.rsplit('/').next().unwrap_or_default();
    let is_execution = |operation: &Operation| operation.kind == Type::Execution;
    let at = operations
        .iter()
        .position(|operation| is_execution(operation) && operation.id == id)
        .or_else(|| operations.iter().position(is_execution))
        .ok_or_else(|| not_durable(&"it has no operation of type `EXECUTION`"))?;
    let own = operations.remove(at);
    let input = own
        .execution_details
        .and_then(|details| details.input_payload)
        .filter(|input| !input.is_empty());
    let id = arn.parse().map_err(|error| not_durable(&error))?;
    let new = NewExecution::new(
        id,
        handler,
        from_json(input.unwrap_or_else(|| "null".into())),
        own.start_timestamp
            .map_or_else(|| SystemClock.now(), |time| time.0),
    );
    let mut execution = Execution::queued(new);
    execution.mark_running(SystemClock.now());
    Ok(execution)
}

fn from_json(text: String) -> Payload {
    Payload {
        codec: "json".into(),
        ..from_text(text)
    }
}

/// Returns the response of an execution that `continue_as!` has replaced: the outcome of its successor.
fn continuation_output(record: Record) -> Output {
    match (record.status, record.payload, record.error) {
        (Status::Succeeded, Some(result), _) => Output::succeeded(to_text(&result.data)),
        (Status::Started | Status::Pending, ..) => Output::pending(),
        (_, _, error) => {
            let unknown = || {
                OperationError::new(
                    "continue_as",
                    ErrorKind::Failed,
                    "the next execution ended without a result",
                )
            };
            Output::failed(to_object(&error.unwrap_or_else(unknown)))
        }
    }
}

/// Returns the response after the store has stopped.
fn stopped_output(reason: StopReason, handler: &str) -> Result<Output, InvocationError> {
    match reason {
        StopReason::TokenWithheld => Ok(Output::pending()),
        StopReason::InvocationFailed(message) => {
            Err(InvocationError::new("CheckpointFailed", message))
        }
        StopReason::ExecutionFailed(message) => Ok(failed(handler, message, "CheckpointError")),
    }
}

fn failed(handler: &str, message: impl Into<String>, kind: &str) -> Output {
    let error = OperationError::new(handler, ErrorKind::Failed, message).with_type_name(kind);
    Output::failed(to_object(&error))
}

fn store_failure(error: &StoreError, handler: &str) -> Output {
    failed(handler, error.to_string(), "CheckpointError")
}

fn output(ended: Ended, store: &LambdaStore, handler: &str) -> Output {
    match ended {
        // The last checkpoint carried the result.
        Ended::Succeeded(result) if !Output::fits(&result.data) => Output::succeeded(String::new()),
        Ended::Succeeded(result) => Output::succeeded(to_text(&result.data)),
        Ended::Failed(error) | Ended::Cancelled(error) => Output::failed(to_object(&error)),
        // The service keeps an execution on the version it started with, so no later deploy can unblock it.
        Ended::Blocked(report) => failed(handler, report, "NonDeterministicExecutionError"),
        Ended::Suspended { .. } if !store.will_resume() => failed(
            handler,
            "the execution would wait forever: no timer, callback, invocation or retry is pending",
            "NothingPending",
        ),
        // The invoke of the next execution may already have failed.
        Ended::Continued(_) => store
            .continuation()
            .map_or_else(Output::pending, continuation_output),
        _ => Output::pending(),
    }
}
