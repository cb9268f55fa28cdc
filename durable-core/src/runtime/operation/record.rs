//! `record!`: records an infallible value.

use super::attempt::attempt;
use super::body::{Body, StepInfo};
use super::bound_codec::BoundCodec;
use super::{Next, Options};
use crate::Retry;
use crate::metrics::AttemptOutcome;
use crate::model::codec::Codec;
use crate::model::error::OperationError;
use crate::runtime::failure::Failure;
use crate::runtime::registered::{Answer, Operation};

/// Running `record!`.
pub struct RecordOp<'a, T, C> {
    operation: Operation<'a>,
    codec: BoundCodec<T, C>,
}

/// Creates a `record!`. Only this function requires a codec for the value.
pub fn record<T, C: Codec<T>>(operation: Operation<'_>, codec: C) -> RecordOp<'_, T, C> {
    RecordOp {
        operation,
        codec: BoundCodec::new(codec),
    }
}

impl<T, C> RecordOp<'_, T, C> {
    /// Waits until the value is read from its record or has to be computed.
    pub async fn next(&mut self) -> Next<T> {
        match self.operation.decide().await {
            Answer::Run => Next::Run(StepInfo::new(&self.operation, 1)),
            Answer::Recorded(outcome) => {
                let read = self.codec.read(outcome);
                match self.operation.readable(read).await {
                    Ok(value) => Next::Done(value),
                    Err(error) => self.end_execution(error).await,
                }
            }
        }
    }

    /// Computes the value in place.
    pub async fn run(&mut self, body: Body<'_, T>) -> T {
        let none = |_: &Options| Retry::none();
        let attempt = attempt(&self.operation, None, Options::default(), none, body);
        match attempt.await.outcome {
            Ok(value) => value,
            Err(failure) => self.fail(failure).await,
        }
    }

    /// Records the value and returns the recorded one.
    pub async fn record(&mut self, value: T) -> T {
        match self.codec.encode(&value) {
            Ok(payload) => {
                self.operation.attempt_ended(AttemptOutcome::Succeeded);
                self.operation.succeed(payload, std::any::type_name::<T>());
            }
            Err(failure) => return self.fail(failure).await,
        }
        self.settled().await
    }

    /// Records the failure first, so that no replay computes a value after undo bodies have run.
    async fn fail(&mut self, failure: Failure) -> T {
        self.operation.attempt_ended(AttemptOutcome::Failed);
        let (error, now) = (self.operation.describe(failure, 1), self.operation.now());
        self.operation
            .lock()
            .engine
            .fail(self.operation.op, error, now);
        self.settled().await
    }

    async fn settled(&mut self) -> T {
        match self.next().await {
            Next::Done(value) => value,
            Next::Run(_) => std::future::pending().await,
        }
    }

    /// Ends the execution with the error of the operation, because a `record!` cannot return one.
    async fn end_execution<R>(&self, error: OperationError) -> R {
        self.operation.lock().engine.end_execution(error);
        std::future::pending().await
    }
}
