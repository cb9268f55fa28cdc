//! One invocation, from its event to its answer.

use std::sync::Arc;
use std::time::Duration;

use durable_core::store::{Execution, Fence, Lease, NewExecution, StoreError};
use durable_core::{
    Clock as _, Ended, ErrorKind, Handler, Invocation, OperationError, Payload, Record, Status,
    SystemClock, Timestamp,
};

use crate::clock::ServiceClock;
use crate::setup::Setup;
use crate::store::{LambdaStore, Surroundings, Verdict};
use crate::wire::{Event, Operation, Output, Type, from_text, to_object, to_text};

/// An invocation that failed: the service begins it again.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) kind: &'static str,
    pub(crate) message: String,
}

impl Failed {
    fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

/// How an invocation ends that does not answer for its handler.
enum Early {
    Failed(Failed),
    Answer(Output),
}

impl From<Failed> for Early {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

/// Runs the handler as far as it can come, and says how far that is.
pub(crate) async fn answer<H, S>(
    event: &str,
    deadline: Timestamp,
    setup: &Setup,
    state: &S,
) -> Result<Output, Failed>
where
    S: Sync,
    H: Handler<S>,
{
    let began = match Began::from_event(event, deadline, setup, H::NAME).await {
        Ok(began) => began,
        Err(Early::Failed(failed)) => return Err(failed),
        Err(Early::Answer(output)) => return Ok(output),
    };
    let (store, whole) = (Arc::clone(&began.store), began.whole);
    let reserve = setup
        .reserve
        .unwrap_or_else(|| (whole / 10).min(Duration::from_secs(5)));
    let invocation = Invocation::new(store, began.lease)
        .clock(Arc::new(began.clock))
        .budget(began.clock.correct(deadline), whole, reserve);
    let ended = invocation.run::<H, S>(state).await;
    if let Some(verdict) = began.store.verdict() {
        return by_verdict(verdict, H::NAME);
    }
    match ended {
        Ok(ended) => Ok(output(ended, &began.store, H::NAME)),
        Err(error) => Ok(Output::failed(to_object(&of_store(&error, H::NAME)))),
    }
}

/// What an invocation begins with.
struct Began {
    store: Arc<LambdaStore>,
    lease: Lease,
    whole: Duration,
    clock: ServiceClock,
}

impl Began {
    async fn from_event(
        event: &str,
        deadline: Timestamp,
        setup: &Setup,
        handler: &str,
    ) -> Result<Self, Early> {
        let whole = deadline.since(SystemClock.now());
        let event: Event = serde_json::from_str(event).map_err(|error| not_durable(&error))?;
        let (Some(arn), Some(token)) = (event.durable_execution_arn, event.checkpoint_token) else {
            return Err(
                not_durable(&"it has no `DurableExecutionArn` or no `CheckpointToken`").into(),
            );
        };
        let around = Surroundings {
            client: setup.client()?,
            arn: arn.clone(),
            ends_at: deadline,
            limits: setup.limits(),
            functions: Arc::clone(&setup.functions),
        };
        let store = Arc::new(LambdaStore::new(around, token.clone()));
        let early = |error: StoreError| match store.verdict() {
            Some(verdict) => match by_verdict(verdict, handler) {
                Ok(output) => Early::Answer(output),
                Err(failed) => Early::Failed(failed),
            },
            None => Early::Answer(Output::failed(to_object(&of_store(&error, handler)))),
        };
        let mut page = event.initial_execution_state;
        let mut operations = std::mem::take(&mut page.operations);
        while let Some(marker) = page.marker().map(str::to_owned) {
            page = store.page(&token, &marker).await.map_err(early)?;
            operations.append(&mut page.operations);
        }
        let clock = ServiceClock::after(&operations);
        let execution = take_execution(&mut operations, &arn, handler)?;
        store.take_over(operations, clock).map_err(early)?;
        if let Some(record) = store.continuation() {
            return Err(Early::Answer(continued(record)));
        }
        let lease = Lease {
            fence: Fence {
                execution: execution.id.clone(),
                token: "invocation".into(),
            },
            execution,
            unclean: store.was_cut_off(),
            crashes: 0,
        };
        Ok(Self {
            store,
            lease,
            whole,
            clock,
        })
    }
}

fn not_durable(why: &dyn std::fmt::Display) -> Failed {
    Failed::new(
        "NotADurableInvocation",
        format!(
            "the event is not that of a durable execution: {why}. Is the function created with `DurableConfig`, and \
             invoked by a qualified ARN (a version, an alias or `$LATEST`)?"
        ),
    )
}

/// Takes the operation that stands for the execution itself out of the list.
fn take_execution(
    operations: &mut Vec<Operation>,
    arn: &str,
    handler: &str,
) -> Result<Execution, Failed> {
    let id = arn.rsplit('/').next().unwrap_or_default();
    let is_it = |operation: &Operation| operation.kind == Type::Execution;
    let at = operations
        .iter()
        .position(|operation| is_it(operation) && operation.id == id)
        .or_else(|| operations.iter().position(is_it))
        .ok_or_else(|| not_durable(&"no operation in it stands for the execution"))?;
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
    execution.claimed(SystemClock.now());
    Ok(execution)
}

fn from_json(text: String) -> Payload {
    Payload {
        codec: "json".into(),
        ..from_text(text)
    }
}

/// The answer for an execution that another one goes on for.
fn continued(record: Record) -> Output {
    match (record.status, record.payload, record.error) {
        (Status::Succeeded, Some(result), _) => Output::succeeded(to_text(&result.data)),
        (Status::Started | Status::Pending, ..) => Output::pending(),
        (_, _, error) => {
            let unknown = || {
                OperationError::new(
                    "continue_as",
                    ErrorKind::Failed,
                    "it ended without a result",
                )
            };
            Output::failed(to_object(&error.unwrap_or_else(unknown)))
        }
    }
}

fn by_verdict(verdict: Verdict, handler: &str) -> Result<Output, Failed> {
    match verdict {
        Verdict::Withheld => Ok(Output::pending()),
        Verdict::Invocation(message) => Err(Failed::new("CheckpointFailed", message)),
        Verdict::Execution(message) => Ok(failed(handler, message, "CheckpointError")),
    }
}

fn failed(handler: &str, message: impl Into<String>, kind: &str) -> Output {
    let error = OperationError::new(handler, ErrorKind::Failed, message).with_type_name(kind);
    Output::failed(to_object(&error))
}

fn of_store(error: &StoreError, handler: &str) -> OperationError {
    OperationError::new(handler, ErrorKind::Failed, error.to_string())
        .with_type_name("CheckpointError")
}

fn output(ended: Ended, store: &LambdaStore, handler: &str) -> Output {
    match ended {
        // It was sent ahead.
        Ended::Succeeded(result) if !Output::holds(&result.data) => {
            Output::succeeded(String::new())
        }
        Ended::Succeeded(result) => Output::succeeded(to_text(&result.data)),
        Ended::Failed(error) | Ended::Cancelled(error) => Output::failed(to_object(&error)),
        // An execution stays with the version it began with, so there is nobody to wait for.
        Ended::Blocked(report) => failed(handler, report, "NonDeterministicExecutionError"),
        Ended::Suspended { .. } if !store.is_awaited() => failed(
            handler,
            "it waits for something that can never happen: no timer, callback, invocation or retry is under way",
            "NothingPending",
        ),
        // What runs the next execution may have failed to start.
        Ended::Continued(_) => store.continuation().map_or_else(Output::pending, continued),
        _ => Output::pending(),
    }
}
