//! `step!`: runs a body and records its result.

use super::attempt::{Attempt, attempt, settle};
use super::body::{Body, StepInfo};
use super::bound_codec::BoundCodec;
use super::{Options, undo_body};
use crate::engine::Outcome;
use crate::model::codec::Codec;
use crate::model::error::StepError;
use crate::model::site::Site;
use crate::runtime::failure::{BodyResult, IntoFailure};
use crate::runtime::registered::{Answer, Operation};
use crate::runtime::undo::Undo;

/// Running step.
pub struct StepOp<'a, T, C> {
    pub(super) operation: Operation<'a>,
    pub(super) codec: BoundCodec<T, C>,
    pub(super) info: Option<StepInfo>,
    result: Option<Result<T, StepError>>,
    /// Whether the recorded value is kept for an undo body.
    undoable: bool,
    /// That value.
    kept: Option<Outcome>,
}

/// Creates a step. Only this function requires a codec for the value.
pub fn step<T, C: Codec<T>>(operation: Operation<'_>, codec: C) -> StepOp<'_, T, C> {
    StepOp {
        operation,
        codec: BoundCodec::new(codec),
        info: None,
        result: None,
        undoable: false,
        kept: None,
    }
}

impl<T, C> StepOp<'_, T, C> {
    /// Waits until the body may run. Returns `None` if the step has ended instead.
    pub async fn next(&mut self) -> Option<StepInfo> {
        match self.operation.decide().await {
            Answer::Recorded(outcome) => {
                if self.undoable {
                    self.kept = Some(outcome.clone());
                }
                let read = self.codec.read(outcome);
                self.result = Some(self.operation.readable(read).await);
                None
            }
            Answer::Run => {
                let attempt = self.operation.lock().engine.next_attempt(self.operation.op);
                let info = StepInfo::new(&self.operation, attempt);
                self.info = Some(info.clone());
                Some(info)
            }
        }
    }

    /// Returns the result of the step.
    pub fn done(self) -> Result<T, StepError> {
        self.result
            .unwrap_or_else(|| Err(self.operation.unsettled()))
    }

    /// Keeps the value for an undo body.
    #[must_use]
    pub fn undoable(mut self) -> Self {
        self.undoable = true;
        self
    }

    /// Registers `body` as undo body, if the step has succeeded. It runs when the execution fails or is cancelled.
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
        // Reading succeeded before. A failure would have stopped the invocation.
        if let Some(Ok(Ok(value))) = kept.map(|outcome| self.codec.read(outcome)) {
            undo.register(&self.operation, site, undo_body(value, body));
        }
    }

    /// Runs one attempt of the body in place, with default options.
    pub fn run<R>(&mut self, body: Body<'_, R>) -> impl Future<Output = Attempt<R>> {
        self.run_with(Options::default(), body)
    }

    /// Runs one attempt of the body in place.
    pub fn run_with<R>(
        &mut self,
        options: Options,
        body: Body<'_, R>,
    ) -> impl Future<Output = Attempt<R>> {
        let default = Options::default_retry;
        attempt(&self.operation, self.info.as_ref(), options, default, body)
    }

    /// Records the result of the attempt. [`Self::next`] reads the value from its record, as on every replay.
    pub fn record(&mut self, attempt: Attempt<T>) {
        settle(&self.operation, &self.codec, attempt);
    }
}
