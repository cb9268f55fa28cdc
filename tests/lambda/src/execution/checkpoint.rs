//! The checkpoint call: tokens, idempotency and returned changes.

use serde_json::{Value, json};

use crate::operation::TimeFormat;
use crate::wire::{ApiError, CheckpointRequest};

use super::{Execution, token, validation};

/// Result of an accepted checkpoint call.
#[derive(Debug, Clone)]
pub(crate) struct CheckpointResult {
    pub(crate) body: Value,
    /// Whether the call was a retry and this is the original response.
    pub(crate) repeated: bool,
    /// Operation ids of chained invokes to run.
    pub(crate) invokes: Vec<String>,
}

/// Response to the last accepted call, kept for retries of it.
#[derive(Debug)]
pub(crate) struct LastResponse {
    token: String,
    client_token: String,
    body: Value,
}

/// Changes that a fault makes to a response.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ResponseOptions {
    pub(crate) withhold_token: bool,
    /// Operations on the first page.
    pub(crate) page_size: Option<usize>,
}

impl Execution {
    pub(crate) fn checkpoint(
        &mut self,
        request: &CheckpointRequest,
        now: u64,
        options: ResponseOptions,
    ) -> Result<CheckpointResult, ApiError> {
        validation::check(request)?;
        if let Some(body) = self.repeated_response(request) {
            return Ok(CheckpointResult {
                body,
                repeated: true,
                invokes: Vec::new(),
            });
        }
        self.check_token(&request.checkpoint_token)?;
        let mut staged = self.stage(&request.updates, now)?;
        let invokes = std::mem::take(&mut staged.invokes);
        let closing = staged.outcome.is_some();
        self.commit(staged);
        invokes
            .iter()
            .for_each(|id| self.fail_invoke_without_function(id, now));
        self.advance(now);
        let mut body = json!({ "NewExecutionState": self.take_changes(options.page_size) });
        self.token = None;
        self.last_response = None;
        if closing {
            self.close();
        } else if options.withhold_token {
            self.token_withheld = true;
        } else {
            body["CheckpointToken"] = json!(self.new_token());
            let client_token = request.client_token.clone();
            self.last_response = client_token.map(|client_token| LastResponse {
                token: request.checkpoint_token.clone(),
                client_token,
                body: body.clone(),
            });
        }
        Ok(CheckpointResult {
            body,
            repeated: false,
            invokes,
        })
    }

    /// Checks that a token is the current one, which both calls require.
    pub(crate) fn check_token(&self, token: &str) -> Result<(), ApiError> {
        if token::execution_of(token).is_some_and(|id| id != self.id) {
            return Err(ApiError::invalid(
                "Checkpoint token is not valid for the durable execution ARN",
            ));
        }
        let current = self.is_running() && self.token.as_deref() == Some(token);
        current.then_some(()).ok_or_else(ApiError::stale_token)
    }

    /// Returns the stored response if the request retries the last call.
    fn repeated_response(&self, request: &CheckpointRequest) -> Option<Value> {
        let last = self.last_response.as_ref()?;
        let same = last.token == request.checkpoint_token
            && request.client_token.as_ref() == Some(&last.client_token);
        (same && self.is_running()).then(|| last.body.clone())
    }

    /// Returns the operations that have changed since the last response, and marks them as seen.
    fn take_changes(&mut self, page_size: Option<usize>) -> Value {
        let changed = self.changed.range(self.seen + 1..);
        let mut changed: Vec<usize> = changed.map(|(_, at)| *at).collect();
        changed.sort_unstable();
        self.seen = self.changes;
        let page_size = page_size.unwrap_or(usize::MAX);
        self.page(changed, page_size, TimeFormat::Seconds)
    }
}
