//! `scope!`: a named child context.

use super::bound_codec::BoundCodec;
use crate::engine::Outcome;
use crate::model::codec::Codec;
use crate::model::error::{OperationError, ScopeError};
use crate::runtime::context::Context;
use crate::runtime::failure::Failure;
use crate::runtime::registered::{Answer, Operation};

/// A scope under way.
pub struct ScopeOp<'a, T, C> {
    operation: Operation<'a>,
    coder: BoundCodec<T, C>,
    /// Whether the body runs on every replay, so that what is in it registers its undo bodies.
    always: bool,
    recorded: Option<Outcome>,
}

/// What a scope does next.
pub enum Enter<T, R = Context> {
    /// It is answered from its record.
    Done(T),
    /// Its body runs with this context.
    Run(R),
}

/// The scope that takes this place in the history.
///
/// The one place that asks the value for a codec.
pub fn scope<T, C: Codec<T>>(operation: Operation<'_>, codec: C) -> ScopeOp<'_, T, C> {
    ScopeOp {
        operation,
        coder: BoundCodec::new(codec),
        always: false,
        recorded: None,
    }
}

impl<T, C> ScopeOp<'_, T, C> {
    /// The same, entered on every replay or not.
    #[must_use]
    pub fn entered_always(mut self, always: bool) -> Self {
        self.always = always;
        self
    }

    /// Waits until the scope is answered from its record or is to be entered.
    pub async fn enter(&mut self) -> Enter<Result<T, ScopeError>> {
        match self.operation.decide().await {
            Answer::Recorded(outcome) if self.always && self.holds_records() => {
                self.recorded = Some(outcome);
                Enter::Run(self.operation.child())
            }
            Answer::Recorded(outcome) => {
                let read = self.coder.read(outcome);
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

    /// Records how the body ended and hands back what was recorded.
    pub async fn finish(&mut self, outcome: Result<T, Failure>) -> Result<T, ScopeError> {
        let outcome = outcome.map_err(|failure| self.operation.describe(failure, 0));
        self.settle(outcome).await
    }

    /// The same, of an outcome whose error is one of an operation already.
    pub(super) async fn settle(
        &mut self,
        outcome: Result<T, OperationError>,
    ) -> Result<T, ScopeError> {
        if let Some(recorded) = self.recorded.take() {
            let read = self.coder.read(recorded);
            return self.operation.readable(read).await;
        }
        let encoded = outcome.and_then(|value| {
            let encoded = self.coder.encode(&value);
            encoded.map_err(|failure| self.operation.describe(failure, 0))
        });
        match encoded {
            Ok(payload) => {
                let recorded = Outcome::Value(payload.clone());
                self.record(recorded.clone());
                self.operation.durable().await;
                let read = self.coder.read(recorded);
                self.operation.readable(read).await
            }
            Err(error) => {
                self.record(Outcome::Error(error.clone()));
                self.operation.durable().await;
                Err(error)
            }
        }
    }

    /// What is entered on every replay must find its children there, where they are kept only of a
    /// scope that has no outcome of its own. Run again over them, the body ends the same.
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

    /// Whether anything in it may have been recorded apart from the whole that it is part of.
    fn holds_records(&self) -> bool {
        !self.operation.lock().engine.is_bare(self.operation.op)
    }

    pub(super) fn coder(&self) -> &BoundCodec<T, C> {
        &self.coder
    }

    /// The error as that of the scope itself.
    pub(super) fn renamed(&self, mut error: OperationError) -> OperationError {
        error.operation = self.operation.lock().engine.path(self.operation.op);
        error
    }
}
