//! `scope!`: groups operations under a name.

use super::bound_codec::BoundCodec;
use crate::engine::Outcome;
use crate::model::codec::Codec;
use crate::model::error::{OperationError, ScopeError};
use crate::runtime::context::Context;
use crate::runtime::failure::Failure;
use crate::runtime::registered::{Answer, Operation};

/// Running scope.
pub struct ScopeOp<'a, T, C> {
    operation: Operation<'a>,
    codec: BoundCodec<T, C>,
    /// Whether the body runs on every replay, so that the steps in it register their undo bodies.
    always: bool,
    recorded: Option<Outcome>,
}

/// Next action of a scope.
pub enum Enter<T, R = Context> {
    /// Return this recorded result.
    Done(T),
    /// Run the body with this context.
    Run(R),
}

/// Creates a scope. Only this function requires a codec for the value.
pub fn scope<T, C: Codec<T>>(operation: Operation<'_>, codec: C) -> ScopeOp<'_, T, C> {
    ScopeOp {
        operation,
        codec: BoundCodec::new(codec),
        always: false,
        recorded: None,
    }
}

impl<T, C> ScopeOp<'_, T, C> {
    /// Sets whether the body runs on every replay.
    #[must_use]
    pub fn entered_always(mut self, always: bool) -> Self {
        self.always = always;
        self
    }

    /// Waits until the scope is answered from its record or its body may run.
    pub async fn enter(&mut self) -> Enter<Result<T, ScopeError>> {
        match self.operation.decide().await {
            Answer::Recorded(outcome) if self.always && self.holds_records() => {
                self.recorded = Some(outcome);
                Enter::Run(self.operation.child())
            }
            Answer::Recorded(outcome) => {
                let read = self.codec.read(outcome);
                Enter::Done(self.operation.readable(read).await)
            }
            Answer::Run => {
                self.operation
                    .lock()
                    .engine
                    .enter(self.operation.op, self.operation.now());
                Enter::Run(self.operation.child())
            }
        }
    }

    /// Records the result of the body and returns the recorded one.
    pub async fn finish(&mut self, outcome: Result<T, Failure>) -> Result<T, ScopeError> {
        let outcome = outcome.map_err(|failure| self.operation.describe(failure, 0));
        self.settle(outcome).await
    }

    /// Does the same for a result whose error is that of an operation.
    pub(super) async fn settle(
        &mut self,
        outcome: Result<T, OperationError>,
    ) -> Result<T, ScopeError> {
        if let Some(recorded) = self.recorded.take() {
            let read = self.codec.read(recorded);
            return self.operation.readable(read).await;
        }
        let encoded = outcome.and_then(|value| {
            let encoded = self.codec.encode(&value);
            encoded.map_err(|failure| self.operation.describe(failure, 0))
        });
        match encoded {
            Ok(payload) => {
                let recorded = Outcome::Value(payload.clone());
                self.record(recorded.clone());
                self.operation.durable().await;
                let read = self.codec.read(recorded);
                self.operation.readable(read).await
            }
            Err(error) => {
                self.record(Outcome::Error(error.clone()));
                self.operation.durable().await;
                Err(error)
            }
        }
    }

    /// Records the outcome. A store may keep the children only of a scope without a value. There, a scope that is
    /// entered on every replay is recorded without one: replayed over its children, the body ends the same.
    fn record(&self, outcome: Outcome) {
        let value_type = std::any::type_name::<T>();
        let state = self.operation.lock();
        let keeps_children = state.engine.limits().keeps_children;
        let rebuilt = self.always || state.engine.is_vacated(self.operation.op);
        drop(state);
        match outcome {
            _ if rebuilt && !keeps_children => self.operation.succeed_by_children(value_type),
            Outcome::Error(error) => self.operation.fail_with(error),
            Outcome::Value(payload) => self.operation.succeed(payload, value_type),
            Outcome::Done => {}
        }
    }

    /// Returns whether operations in it may be recorded under it.
    fn holds_records(&self) -> bool {
        !self
            .operation
            .lock()
            .engine
            .is_unrecorded(self.operation.op)
    }

    /// Returns the codec of the value.
    pub(super) fn codec(&self) -> &BoundCodec<T, C> {
        &self.codec
    }

    /// Converts an error of an inner operation to one of the scope.
    pub(super) fn renamed(&self, mut error: OperationError) -> OperationError {
        error.operation = self.operation.lock().engine.path(self.operation.op);
        error
    }
}
