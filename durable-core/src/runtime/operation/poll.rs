//! `poll!`: a check that is repeated until it is satisfied.

use std::ops::ControlFlow;
use std::time::Duration;

use super::attempt::{Attempt, attempt, attempted, settle_failure};
use super::body::Body;
use super::bound_codec::BoundCodec;
use super::option_values::Every;
use super::{Options, StepInfo};
use crate::metrics::AttemptOutcome;
use crate::model::codec::Codec;
use crate::model::error::{ErrorKind, PollError};
use crate::runtime::failure::{BodyResult, Failure, IntoFailure};
use crate::runtime::registered::{Answer, Operation};
use crate::{Backoff, Retry};

/// Running poll.
pub struct PollOp<'a, T, S, C, D> {
    operation: Operation<'a>,
    value_codec: BoundCodec<T, C>,
    state_codec: BoundCodec<S, D>,
    result: Option<Result<T, PollError>>,
}

/// How often and for how long a check is repeated.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    every: Backoff,
    attempts: Option<u32>,
    timeout: Option<Duration>,
}

/// Repeats a check with these delays.
pub fn pace(every: impl Every) -> Pace {
    Pace {
        every: every.backoff(),
        attempts: None,
        timeout: None,
    }
}

impl Pace {
    /// Limits the number of checks.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// Limits the time from the first check to the last.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// Creates a poll. `state_codec` encodes the state that a check leaves for the next.
pub fn poll<T, S, C, D>(
    operation: Operation<'_>,
    codec: C,
    state_codec: D,
) -> PollOp<'_, T, S, C, D>
where
    C: Codec<T>,
    D: Codec<S>,
{
    let state_type = std::any::type_name::<S>();
    operation
        .lock()
        .engine
        .set_state_type(operation.op, state_type);
    PollOp {
        operation,
        value_codec: BoundCodec::new(codec),
        state_codec: BoundCodec::new(state_codec),
        result: None,
    }
}

impl<T, S, C, D> PollOp<'_, T, S, C, D> {
    /// Waits until the poll is answered from its record, which ends it, or the next check is due.
    pub async fn next(&mut self) -> Option<StepInfo> {
        match self.operation.decide().await {
            Answer::Recorded(outcome) => {
                let read = self.value_codec.read(outcome);
                self.result = Some(self.operation.readable(read).await);
                None
            }
            Answer::Run => {
                let check = self.operation.lock().engine.next_attempt(self.operation.op);
                Some(StepInfo::new(&self.operation, check))
            }
        }
    }

    /// Returns the result of the poll.
    pub fn done(self) -> Result<T, PollError> {
        self.result
            .unwrap_or_else(|| Err(self.operation.unsettled()))
    }

    /// Returns the state that the last check left, or the first one. `None` if it cannot be read, which stops the
    /// invocation.
    pub fn state(&mut self, first: impl FnOnce() -> S) -> Option<S> {
        let (recorded, _) = self.operation.lock().engine.poll_state(self.operation.op);
        let Some(payload) = recorded else {
            return Some(first());
        };
        match self.state_codec.read_part("state", &payload) {
            Ok(state) => Some(state),
            Err(found) => {
                self.operation.block(&found);
                None
            }
        }
    }

    /// Runs one check in place.
    pub fn run<R>(
        &mut self,
        options: Options,
        body: Body<'_, R>,
    ) -> impl Future<Output = Attempt<R>> {
        attempt(&self.operation, None, options, |_| Retry::none(), body)
    }

    /// Records the result of the check. [`Self::next`] reads the value.
    pub async fn record(&mut self, attempt: Attempt<ControlFlow<T, S>>, pace: Pace) {
        let encoded = match attempt.outcome {
            Ok(ControlFlow::Break(value)) => {
                self.value_codec.encode(&value).map(EncodedCheck::Value)
            }
            Ok(ControlFlow::Continue(state)) => {
                self.state_codec.encode(&state).map(EncodedCheck::State)
            }
            Err(failure) => Err(failure),
        };
        match encoded {
            Ok(EncodedCheck::Value(payload)) => {
                self.operation.attempt_ended(AttemptOutcome::Succeeded);
                self.operation.succeed(payload, std::any::type_name::<T>());
            }
            Ok(EncodedCheck::State(state)) => self.repeat(state, pace),
            Err(failure) => settle_failure(&self.operation, failure, &attempt.retry),
        }
    }

    /// Records a check that is not satisfied: the time of the next one, or the failure of the poll.
    fn repeat(&mut self, state: crate::Payload, pace: Pace) {
        let now = self.operation.now();
        let checks = self.operation.lock().engine.attempt(self.operation.op);
        let (_, first_at) = self.operation.lock().engine.poll_state(self.operation.op);
        let delay = pace.every.delay(checks, fastrand::f64());
        let end = pace.timeout.map(|timeout| first_at.after(timeout));
        let failure = if pace.attempts.is_some_and(|max| checks >= max) {
            Failure::of_engine(
                ErrorKind::Failed,
                format!("it was not satisfied after {checks} checks"),
            )
        } else if end.is_some_and(|end| now.after(delay) > end) {
            Failure::of_engine(
                ErrorKind::TimedOut,
                format!(
                    "it was not satisfied within {:?}",
                    pace.timeout.unwrap_or_default()
                ),
            )
        } else {
            self.operation.attempt_ended(AttemptOutcome::Pending);
            let mut locked = self.operation.lock();
            let state_type = std::any::type_name::<S>();
            return locked
                .engine
                .check_again(self.operation.op, (state, state_type), delay, now);
        };
        settle_failure(&self.operation, failure, &Retry::none());
    }
}

/// Result of one check of a `poll!`.
#[diagnostic::on_unimplemented(
    message = "the body of `poll!` must give a `ControlFlow`, not `{Self}`",
    label = "expected `Result<ControlFlow<_, _>, _>`",
    note = "end it with `Ok(ControlFlow::Break(value))` when the poll is over, and with `Ok(ControlFlow::Continue(state))` to check again"
)]
pub trait Check {
    /// Value the poll ends with.
    type Value;
    /// State kept for the next check.
    type State;

    /// Returns the check's result.
    fn control_flow(self) -> ControlFlow<Self::Value, Self::State>;
}

impl<T, S> Check for ControlFlow<T, S> {
    type Value = T;
    type State = S;

    fn control_flow(self) -> Self {
        self
    }
}

/// Converts an attempt of the body to one of the check.
pub fn checked<R, T, S>(attempt: Attempt<R>) -> Attempt<ControlFlow<T, S>>
where
    R: BodyResult<Value: Check<Value = T, State = S>>,
    R::Error: IntoFailure,
{
    let Attempt { outcome, retry } = attempted(attempt);
    Attempt {
        outcome: outcome.map(Check::control_flow),
        retry,
    }
}

/// Encoded result of a check.
enum EncodedCheck {
    /// The value the poll ends with.
    Value(crate::Payload),
    /// The state for the next check.
    State(crate::Payload),
}
