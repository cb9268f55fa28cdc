//! `scope!`: a named child context.

use super::coder::Coder;
use crate::codec::Codec;
use crate::context::{Answer, Claim, Context};
use crate::engine::Outcome;
use crate::error::ScopeError;
use crate::failure::Failure;

/// A scope under way.
pub struct ScopeOp<'a, T, C> {
    claim: Claim<'a>,
    coder: Coder<T, C>,
    /// Whether the body runs on every replay, so that what is in it registers its undo bodies.
    always: bool,
    recorded: Option<Outcome>,
}

/// What a scope does next.
pub enum Enter<T> {
    /// It is answered from its record.
    Done(T),
    /// Its body runs with this context.
    Run(Context),
}

/// The scope that takes this place in the history.
///
/// The one place that asks the value for a codec.
pub fn scope<T, C: Codec<T>>(claim: Claim<'_>, codec: C) -> ScopeOp<'_, T, C> {
    ScopeOp {
        claim,
        coder: Coder::new(codec),
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
        match self.claim.decide().await {
            Answer::Recorded(outcome) if self.always => {
                self.recorded = Some(outcome);
                Enter::Run(self.claim.child())
            }
            Answer::Recorded(outcome) => Enter::Done(self.coder.decode(&self.claim, outcome)),
            Answer::Run => {
                self.claim
                    .lock()
                    .engine
                    .enter(self.claim.op, self.claim.now());
                Enter::Run(self.claim.child())
            }
        }
    }

    /// Records how the body ended and hands back what was recorded.
    pub async fn finish(&mut self, outcome: Result<T, Failure>) -> Result<T, ScopeError> {
        if let Some(recorded) = self.recorded.take() {
            return self.coder.decode(&self.claim, recorded);
        }
        match self.coder.encode(outcome) {
            Ok(payload) => {
                let recorded = Outcome::Value(payload.clone());
                self.claim.succeed(payload, std::any::type_name::<T>());
                self.claim.written().await;
                self.coder.decode(&self.claim, recorded)
            }
            Err(failure) => {
                let error = self.claim.fail(failure);
                self.claim.written().await;
                Err(error)
            }
        }
    }
}
