//! `poll!`: a check that is repeated until it is satisfied.

use std::ops::ControlFlow;
use std::time::Duration;

use super::attempt::{Attempt, attempt, attempted, settle_failure};
use super::bound_codec::BoundCodec;
use super::given::Every;
use super::{Options, StepInfo};
use crate::model::codec::Codec;
use crate::model::error::{ErrorKind, PollError};
use crate::runtime::failure::{BodyResult, Failure, IntoFailure};
use crate::runtime::registered::{Answer, Operation};
use crate::{Backoff, Retry};

/// A poll under way.
pub struct PollOp<'a, T, S, C, D> {
    operation: Operation<'a>,
    coder: BoundCodec<T, C>,
    states: BoundCodec<S, D>,
    result: Option<Result<T, PollError>>,
}

/// How often and for how long a check is repeated.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    every: Backoff,
    attempts: Option<u32>,
    timeout: Option<Duration>,
}

/// A check that is repeated after these delays.
pub fn pace(every: impl Every) -> Pace {
    Pace {
        every: every.backoff(),
        attempts: None,
        timeout: None,
    }
}

impl Pace {
    /// At most this many checks.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// No check later than this after the first.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// The poll that takes this place in the history; `states` encodes what a check leaves for the next.
pub fn poll<T, S, C, D>(operation: Operation<'_>, codec: C, states: D) -> PollOp<'_, T, S, C, D>
where
    C: Codec<T>,
    D: Codec<S>,
{
    let state_type = std::any::type_name::<S>();
    operation.lock().engine.carries(operation.op, state_type);
    PollOp {
        operation,
        coder: BoundCodec::new(codec),
        states: BoundCodec::new(states),
        result: None,
    }
}

impl<T, S, C, D> PollOp<'_, T, S, C, D> {
    /// Waits until the poll is answered from its record, which ends it, or the next check is due.
    pub async fn next(&mut self) -> Option<StepInfo> {
        match self.operation.decide().await {
            Answer::Recorded(outcome) => {
                let read = self.coder.read(outcome);
                self.result = Some(self.operation.readable(read).await);
                None
            }
            Answer::Run => {
                let check = self.operation.lock().engine.next_attempt(self.operation.op);
                Some(StepInfo::new(&self.operation, check))
            }
        }
    }

    /// How the poll ended.
    pub fn done(self) -> Result<T, PollError> {
        self.result
            .unwrap_or_else(|| Err(self.operation.unsettled()))
    }

    /// The state the last check left, or the first one. `None` when it cannot be read: then the invocation is stopped.
    pub fn state(&mut self, first: impl FnOnce() -> S) -> Option<S> {
        let (carried, _) = self.operation.lock().engine.carried(self.operation.op);
        let Some(payload) = carried else {
            return Some(first());
        };
        match self.states.read_part("state", &payload) {
            Ok(state) => Some(state),
            Err(found) => {
                self.operation.block(&found);
                None
            }
        }
    }

    /// Runs one check in place.
    pub async fn run<F: Future>(&mut self, options: Options, body: F) -> Attempt<F::Output> {
        attempt(&self.operation, None, options, Retry::none(), body).await
    }

    /// Records what the check said. The value comes back through [`Self::next`].
    pub async fn record(&mut self, attempt: Attempt<ControlFlow<T, S>>, pace: Pace) {
        let said = match attempt.outcome {
            Ok(ControlFlow::Break(value)) => self.coder.encode(&value).map(Said::Value),
            Ok(ControlFlow::Continue(state)) => self.states.encode(&state).map(Said::Again),
            Err(failure) => Err(failure),
        };
        match said {
            Ok(Said::Value(payload)) => self.operation.succeed(payload, std::any::type_name::<T>()),
            Ok(Said::Again(state)) => self.again(state, pace),
            Err(failure) => settle_failure(&self.operation, failure, &attempt.retry),
        }
    }

    fn again(&mut self, state: crate::Payload, pace: Pace) {
        let now = self.operation.now();
        let checks = self.operation.lock().engine.attempt(self.operation.op);
        let (_, begun) = self.operation.lock().engine.carried(self.operation.op);
        let delay = pace.every.delay(checks, fastrand::f64());
        let end = pace.timeout.map(|timeout| begun.after(timeout));
        let failure = if pace.attempts.is_some_and(|most| checks >= most) {
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
            let mut held = self.operation.lock();
            let state_type = std::any::type_name::<S>();
            return held
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
    fn said(self) -> ControlFlow<Self::Value, Self::State>;
}

impl<T, S> Check for ControlFlow<T, S> {
    type Value = T;
    type State = S;

    fn said(self) -> Self {
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
        outcome: outcome.map(Check::said),
        retry,
    }
}

enum Said {
    Value(crate::Payload),
    Again(crate::Payload),
}
