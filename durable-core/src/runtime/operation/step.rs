//! `step!`: a body that runs once and whose value is kept.

use super::attempt::{Attempt, attempt, settle};
use super::body::StepInfo;
use super::bound_codec::BoundCodec;
use super::{Options, undo_body};
use crate::engine::Outcome;
use crate::model::codec::Codec;
use crate::model::error::StepError;
use crate::model::site::Site;
use crate::runtime::failure::{BodyResult, IntoFailure};
use crate::runtime::registered::{Answer, Operation};
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
        settle(&self.operation, &self.coder, attempt);
    }
}
