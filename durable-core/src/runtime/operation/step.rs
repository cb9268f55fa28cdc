//! `step!`: a body that runs once and whose value is kept.

use super::body::{self, StepInfo};
use super::bound_codec::BoundCodec;
use super::{Options, returned, undo_body};
use crate::Retry;
use crate::engine::{Begin, Conditions, Outcome};
use crate::model::codec::Codec;
use crate::model::error::{ErrorKind, StepError};
use crate::model::site::Site;
use crate::runtime::context::{Answer, Operation};
use crate::runtime::failure::{BodyResult, Failure, IntoFailure};
use crate::runtime::undo::Undo;

/// A step under way.
pub struct StepOp<'a, T, C> {
    operation: Operation<'a>,
    coder: BoundCodec<T, C>,
    info: Option<StepInfo>,
    result: Option<Result<T, StepError>>,
    /// Whether the recorded value is kept for the undo body, and that value.
    undoable: bool,
    kept: Option<Outcome>,
}

/// How an attempt ended, and what is to be done if it failed.
pub struct Attempt<R> {
    pub(super) outcome: Result<R, Failure>,
    pub(super) retry: Retry,
}

/// The step that takes this place in the history.
///
/// The one place that asks the value for a codec.
pub fn step<T, C: Codec<T>>(operation: Operation<'_>, codec: C) -> StepOp<'_, T, C> {
    StepOp {
        operation,
        coder: BoundCodec::new(codec),
        info: None,
        result: None,
        undoable: false,
        kept: None,
    }
}

impl<T, C> StepOp<'_, T, C> {
    /// Waits until the step is answered from its record, which ends it, or its body may run.
    pub async fn next(&mut self) -> Option<StepInfo> {
        match self.operation.decide().await {
            Answer::Recorded(outcome) => {
                if self.undoable {
                    self.kept = Some(outcome.clone());
                }
                let read = self.coder.read(outcome);
                self.result = Some(self.operation.readable(read).await);
                None
            }
            Answer::Run => {
                let begun = self.operation.lock().engine.next_attempt(self.operation.op);
                let info = StepInfo::new(&self.operation, begun);
                self.info = Some(info.clone());
                Some(info)
            }
        }
    }

    /// How the step ended.
    pub fn done(self) -> Result<T, StepError> {
        self.result
            .unwrap_or_else(|| Err(self.operation.unsettled()))
    }

    /// The same, with its value kept for an undo body.
    #[must_use]
    pub fn undoable(mut self) -> Self {
        self.undoable = true;
        self
    }

    /// If the step has finished well, `body` takes it back when the execution ends badly.
    pub fn taken_back_by<'u, F, R>(
        &mut self,
        undo: &Undo<'u>,
        site: &'static Site,
        body: impl FnOnce(T) -> F + Send + 'u,
    ) where
        T: Send + 'u,
        F: Future<Output = R> + Send + 'u,
        R: BodyResult<Value = ()> + 'u,
        R::Error: IntoFailure,
    {
        let kept = self.kept.take();
        // It was read before: what cannot be read has stopped the invocation.
        if let Some(Ok(Ok(value))) = kept.map(|outcome| self.coder.read(outcome)) {
            undo.register(&self.operation, site, undo_body(value, body));
        }
    }

    /// Runs one attempt of the body in place, with the options nobody gave.
    pub async fn run<F: Future>(&mut self, body: F) -> Attempt<F::Output> {
        self.run_with(Options::default(), body).await
    }

    /// Runs one attempt of the body in place.
    pub async fn run_with<F: Future>(&mut self, options: Options, body: F) -> Attempt<F::Output> {
        let default = options.default_retry();
        attempt(&self.operation, self.info.as_ref(), options, default, body).await
    }

    /// Records how the attempt ended. The value itself comes back through [`Self::next`], decoded
    /// from its record as on every replay.
    pub async fn record(&mut self, attempt: Attempt<T>) {
        match attempt.outcome.and_then(|value| self.coder.encode(&value)) {
            Ok(payload) => self.operation.succeed(payload, std::any::type_name::<T>()),
            Err(failure) => settle_failure(&self.operation, failure, &attempt.retry),
        }
    }
}

/// Runs one attempt of a body in place, unless it may not begin. What the engine gave up is not
/// repeated, whatever the policy says.
pub(super) async fn attempt<F: Future>(
    operation: &Operation<'_>,
    info: Option<&StepInfo>,
    options: Options,
    default: Retry,
    body: F,
) -> Attempt<F::Output> {
    let outcome = match begin(operation, options.conditions()).await {
        Err(interrupted) => Err(interrupted),
        Ok(()) => body::run_once(operation, info, options.timeout, body).await,
    };
    let given_up = matches!(&outcome, Err(failure) if failure.is_final(options.at_most_once));
    Attempt {
        outcome,
        retry: if given_up {
            Retry::none()
        } else {
            options.retry_or(default)
        },
    }
}

/// The attempt with what its body returned.
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

/// Begins an attempt; answers with the failure when its body may not run.
pub(super) async fn begin(
    operation: &Operation<'_>,
    conditions: Conditions,
) -> Result<(), Failure> {
    let now = operation.now();
    let begin = operation.lock().engine.begin(operation.op, conditions, now);
    match begin {
        Begin::NextTime => operation.next_invocation().await,
        Begin::Never(whole) => Err(Failure::of_engine(
            ErrorKind::TooLarge,
            format!(
                "its `timeout` of {:?} is longer than an invocation may take ({whole:?}), so it \
                 can never finish; split the work, or give the invocation more time",
                conditions.timeout.unwrap_or_default()
            ),
        )),
        Begin::Now => observed(operation).await,
        Begin::OnceWritten => {
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

/// Tells who watches that a body is about to run, which may keep it from running.
async fn observed(operation: &Operation<'_>) -> Result<(), Failure> {
    match operation.observer() {
        None => Ok(()),
        Some(observer) => observer.before(&operation.observed()).await,
    }
}

/// Records a failed attempt: to be repeated, or for good.
pub(super) fn settle_failure(operation: &Operation<'_>, failure: Failure, retry: &Retry) {
    let (op, now) = (operation.op, operation.now());
    let mut state = operation.lock();
    let attempt = state.engine.attempt(op);
    let delay = if failure.is_retryable(retry) {
        retry.delay(attempt, fastrand::f64())
    } else {
        None
    };
    let error = failure.into_record(state.engine.path(op), attempt);
    match delay {
        Some(delay) => state.engine.retry(op, error, delay, now),
        None => state.engine.fail(op, error, now),
    }
}
