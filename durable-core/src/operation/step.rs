//! `step!`: a body that runs once and whose value is kept.

use super::body::{self, Ended, StepInfo};
use super::coder::Coder;
use super::{Next, Options, returned};
use crate::Retry;
use crate::codec::Codec;
use crate::context::{Answer, Claim};
use crate::engine::Begin;
use crate::error::{ErrorKind, StepError};
use crate::failure::{BodyResult, Failure, IntoFailure};

/// A step under way.
pub struct StepOp<'a, T, C> {
    claim: Claim<'a>,
    coder: Coder<T, C>,
    info: Option<StepInfo>,
}

/// How an attempt ended, and what is to be done if it failed.
pub struct Attempt<R> {
    outcome: Result<R, Failure>,
    retry: Retry,
}

/// The step that takes this place in the history.
///
/// The one place that asks the value for a codec.
pub fn step<T, C: Codec<T>>(claim: Claim<'_>, codec: C) -> StepOp<'_, T, C> {
    StepOp {
        claim,
        coder: Coder::new(codec),
        info: None,
    }
}

impl<T, C> StepOp<'_, T, C> {
    /// Waits until the step is answered from its record or its body may run.
    pub async fn next(&mut self) -> Next<Result<T, StepError>> {
        match self.claim.decide().await {
            Answer::Recorded(outcome) => Next::Done(self.coder.decode(&self.claim, outcome)),
            Answer::Run => {
                let begun = self.claim.lock().engine.next_attempt(self.claim.op);
                let info = StepInfo::new(&self.claim, begun);
                self.info = Some(info.clone());
                Next::Run(info)
            }
        }
    }

    /// Runs one attempt of the body in place.
    pub async fn run<F: Future>(&mut self, options: Options, body: F) -> Attempt<F::Output> {
        let outcome = match begin(&self.claim, options.at_most_once).await {
            Err(interrupted) => Err(interrupted),
            Ok(()) => self.run_body(&options, body).await,
        };
        let out_of_attempts = matches!(&outcome, Err(failure) if failure.kind == ErrorKind::Interrupted)
            && !options.at_most_once;
        Attempt {
            outcome,
            retry: if out_of_attempts {
                Retry::none()
            } else {
                options.into_retry()
            },
        }
    }

    async fn run_body<F: Future>(&self, options: &Options, body: F) -> Result<F::Output, Failure> {
        if let (Some(info), Some(timeout)) = (&self.info, options.timeout) {
            info.end_by(self.claim.now().after(timeout));
        }
        match body::run(&self.claim, options.timeout, body).await {
            Ended::Returned(result) => Ok(result),
            Ended::Panicked(message) => Err(Failure::of_panic(message)),
            Ended::TimedOut => Err(Failure::of_engine(
                ErrorKind::TimedOut,
                format!(
                    "the attempt took longer than {:?}",
                    options.timeout.unwrap_or_default()
                ),
            )),
        }
    }

    /// Records how the attempt ended. The value itself comes back through [`Self::next`], decoded
    /// from its record as on every replay.
    pub async fn record(&mut self, attempt: Attempt<T>) {
        match self.coder.encode(attempt.outcome) {
            Ok(payload) => self.claim.succeed(payload, std::any::type_name::<T>()),
            Err(failure) => settle_failure(&self.claim, failure, &attempt.retry),
        }
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
pub(super) async fn begin(claim: &Claim<'_>, at_most_once: bool) -> Result<(), Failure> {
    let begin = claim
        .lock()
        .engine
        .begin(claim.op, at_most_once, claim.now());
    match begin {
        Begin::Now => Ok(()),
        Begin::OnceWritten => {
            claim.written().await;
            Ok(())
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

/// Records a failed attempt: to be repeated, or for good.
fn settle_failure(claim: &Claim<'_>, failure: Failure, retry: &Retry) {
    let (op, now) = (claim.op, claim.now());
    let mut state = claim.lock();
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
