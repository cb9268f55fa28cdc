//! `scope!`: a named child context.

use std::marker::PhantomData;

use super::decode;
use super::step::encode;
use crate::codec::{Codec, Json};
use crate::context::{Answer, Claim, Context};
use crate::engine::Outcome;
use crate::error::ScopeError;
use crate::failure::{BodyResult, IntoFailure};

/// A scope under way.
pub struct ScopeOp<'a, T, C = Json> {
    claim: Claim<'a>,
    codec: C,
    value: PhantomData<fn() -> T>,
}

/// What a scope does next.
pub enum Enter<T> {
    /// It is answered from its record.
    Done(T),
    /// Its body runs with this context.
    Run(Context),
}

/// The scope that takes this place in the history.
pub fn scope<T>(claim: Claim<'_>) -> ScopeOp<'_, T> {
    ScopeOp {
        claim,
        codec: Json,
        value: PhantomData,
    }
}

impl<'a, T> ScopeOp<'a, T> {
    /// Keeps the value in this encoding.
    pub fn codec<C>(self, codec: C) -> ScopeOp<'a, T, C> {
        ScopeOp {
            claim: self.claim,
            codec,
            value: PhantomData,
        }
    }
}

impl<T, C: Codec<T>> ScopeOp<'_, T, C> {
    /// Waits until the scope is answered from its record or is to be entered.
    pub async fn enter(&mut self) -> Enter<Result<T, ScopeError>> {
        match self.claim.decide().await {
            Answer::Recorded(outcome) => Enter::Done(decode(&self.claim, &self.codec, outcome)),
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
    pub async fn finish<R>(&mut self, result: R) -> Result<T, ScopeError>
    where
        R: BodyResult<Value = T>,
        R::Error: IntoFailure,
    {
        let outcome = result.into_result().map_err(IntoFailure::into_failure);
        match encode(&self.codec, outcome) {
            Ok(payload) => {
                let recorded = Outcome::Value(payload.clone());
                self.claim.succeed(payload, std::any::type_name::<T>());
                self.claim.written().await;
                decode(&self.claim, &self.codec, recorded)
            }
            Err(failure) => {
                let error = self.claim.fail(failure);
                self.claim.written().await;
                Err(error)
            }
        }
    }
}
