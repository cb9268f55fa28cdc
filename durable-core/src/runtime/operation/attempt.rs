//! Attempts: runs a body once and records its result.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Context as TaskContext;
use std::time::Duration;

use super::body::{Body, BodyRun, StepInfo};
use super::bound_codec::BoundCodec;
use super::{Options, returned};
use crate::Retry;
use crate::engine::{Begin, Conditions, Outcome};
use crate::metrics::AttemptOutcome;
use crate::model::codec::Json;
use crate::model::error::{ErrorKind, OperationError};
use crate::runtime::failure::{BodyResult, Failure, IntoFailure};
use crate::runtime::registered::{Answer, Operation};

/// Attempt that has ended, with the policy for the next one.
pub struct Attempt<R> {
    pub(super) outcome: Result<R, Failure>,
    pub(super) retry: Retry,
}

/// Runs one attempt of a body in place, unless it may not begin. A failure reported by the engine itself is
/// final, whatever the retry policy says.
pub(super) async fn attempt<R>(
    operation: &Operation<'_>,
    info: Option<&StepInfo>,
    options: Options,
    default: fn(&Options) -> Retry,
    mut body: Body<'_, R>,
) -> Attempt<R> {
    let outcome = match start(operation, info, options.conditions()).await {
        Err(interrupted) => Err(interrupted),
        Ok(mut run) => {
            let mut output = None;
            let ended = poll_fn(|cx| {
                let mut poll_body = |cx: &mut TaskContext<'_>| {
                    let polled = body.as_mut().poll(cx);
                    polled.map(|value| output = Some(value))
                };
                run.poll(cx, &mut poll_body)
            });
            let ended = ended.await;
            run.finish().await;
            match (ended, output) {
                (Ok(()), Some(value)) => Ok(value),
                (Err(failure), _) => Err(failure),
                (Ok(()), None) => std::future::pending().await,
            }
        }
    };
    let retry = options.retry_after(outcome.as_ref().err(), default);
    Attempt { outcome, retry }
}

/// Begins an attempt and starts to run its body. Returns the failure if the body may not run.
async fn start<'a, 'b>(
    operation: &'a Operation<'b>,
    info: Option<&StepInfo>,
    conditions: Conditions,
) -> Result<BodyRun<'a, 'b>, Failure> {
    begin(operation, conditions).await?;
    if let (Some(info), Some(timeout)) = (info, conditions.timeout) {
        info.end_by(operation.now().after(timeout));
    }
    Ok(BodyRun::start(operation, conditions.timeout))
}

/// Converts what the body returned into a value or a failure.
pub fn attempted<R>(attempt: Attempt<R>) -> Attempt<R::Value>
where
    R: BodyResult,
    R::Error: IntoFailure,
{
    Attempt {
        outcome: attempt.outcome.and_then(returned),
        retry: attempt.retry,
    }
}

/// Runs a body without a value, attempt after attempt, until the operation has ended.
///
/// `body` makes the body of an attempt. Where it has none left, the next invocation makes the next attempt and starts
/// at once.
pub(super) async fn run_to_end<F>(
    operation: &Operation<'_>,
    mut body: impl FnMut() -> Option<F>,
) -> Result<(), OperationError>
where
    F: Future<Output = Result<(), Failure>> + Send,
{
    let codec = BoundCodec::<(), Json>::new(Json);
    loop {
        match operation.decide().await {
            Answer::Recorded(Outcome::Error(error)) => return Err(error),
            Answer::Recorded(_) => return Ok(()),
            Answer::Run => {}
        }
        let Some(body) = body() else {
            operation.lock().engine.slice();
            return operation.next_invocation().await;
        };
        let default = |_: &Options| Retry::exponential();
        let body = pin!(body);
        let ended = attempt(operation, None, Options::default(), default, body);
        let Attempt { outcome, retry } = ended.await;
        let outcome = outcome.flatten();
        settle(operation, &codec, Attempt { outcome, retry });
    }
}

/// Begins an attempt. Returns the failure if the body may not run.
pub(super) async fn begin(
    operation: &Operation<'_>,
    conditions: Conditions,
) -> Result<(), Failure> {
    let now = operation.now();
    let (begin, interrupted) = {
        let engine = &mut operation.lock().engine;
        let before = engine.counts().interrupted;
        let begin = engine.begin(operation.op, conditions, now);
        (begin, engine.counts().interrupted > before)
    };
    if interrupted {
        operation.shared().metrics.interrupted(operation.kind());
    }
    match begin {
        Begin::NextInvocation => operation.next_invocation().await,
        Begin::Never(total) => Err(Failure::of_engine(
            ErrorKind::TooLarge,
            format!(
                "its `timeout` of {:?} is longer than an invocation may take ({total:?}), so it \
                 can never finish; split the work, or give the invocation more time",
                conditions.timeout.unwrap_or_default()
            ),
        )),
        Begin::Now => observed(operation).await,
        Begin::WhenDurable => {
            operation.durable().await;
            observed(operation).await
        }
        Begin::Interrupted(times) => Err(Failure::of_engine(
            ErrorKind::Interrupted,
            format!(
                "its body was started {times} time{} and the process ended each time before the \
                 outcome was recorded; whether its work was done is not known",
                if times == 1 { "" } else { "s" }
            ),
        )),
    }
}

/// Notifies the observer that a body is about to run. The observer may refuse it.
async fn observed(operation: &Operation<'_>) -> Result<(), Failure> {
    match operation.observer() {
        None => Ok(()),
        Some(observer) => observer.before(&operation.observed()).await,
    }
}

/// Records how an attempt ended: the value, the failure, or the time of the next attempt.
pub(super) fn settle<T, C>(
    operation: &Operation<'_>,
    codec: &BoundCodec<T, C>,
    attempt: Attempt<T>,
) {
    match attempt.outcome.and_then(|value| codec.encode(&value)) {
        Ok(payload) => {
            operation.attempt_ended(AttemptOutcome::Succeeded);
            operation.succeed(payload, std::any::type_name::<T>());
        }
        Err(failure) => settle_failure(operation, failure, &attempt.retry),
    }
}

/// Records a failed attempt: the time of the next one, or the failure of the operation.
pub(super) fn settle_failure(operation: &Operation<'_>, failure: Failure, retry: &Retry) {
    let delay = next_delay(operation, &failure, retry);
    settle_after(operation, failure, delay);
}

/// Returns the time until the next attempt. `None` if the failure is final.
pub(super) fn next_delay(
    operation: &Operation<'_>,
    failure: &Failure,
    retry: &Retry,
) -> Option<Duration> {
    let attempt = operation.lock().engine.attempt(operation.op);
    match failure.is_retryable(retry) {
        true => retry.delay(attempt, fastrand::f64()),
        false => None,
    }
}

/// Records a failed attempt, which is repeated after `delay`. Without a delay, the operation has failed.
pub(super) fn settle_after(operation: &Operation<'_>, failure: Failure, delay: Option<Duration>) {
    let (op, now) = (operation.op, operation.now());
    let mut state = operation.lock();
    let attempt = state.engine.attempt(op);
    let error = failure.to_record(state.engine.path(op), attempt);
    let outcome = match delay {
        Some(delay) => {
            state.engine.retry(op, error, delay, now);
            AttemptOutcome::Retried
        }
        None => {
            state.engine.fail(op, error, now);
            AttemptOutcome::Failed
        }
    };
    drop(state);
    operation.attempt_ended(outcome);
}
