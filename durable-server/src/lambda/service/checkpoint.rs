//! The checkpoint call: tokens, idempotency and the changes in its response.

use super::batch::Targets;
use super::execution::Execution;
use super::head::Moment;
use super::operation::Times;
use super::token;
use super::validation;
use super::wire::{CheckpointRequest, Refusal};

/// The last accepted checkpoint, kept for a client that repeats it.
#[derive(Debug)]
pub(super) struct Answered {
    token: String,
    client_token: String,
    body: String,
}

impl Execution {
    /// Applies a checkpoint and returns the body of the response.
    pub(crate) fn checkpoint(
        &mut self,
        request: &CheckpointRequest,
        targets: &dyn Targets,
        at: Moment,
    ) -> Result<String, Refusal> {
        validation::check(request)?;
        if let Some(body) = self.repeated(request) {
            return Ok(body);
        }
        self.check_token(&request.checkpoint_token)?;
        let staged = self.stage(request.updates(), targets, at)?;
        let closing = staged.is_closing();
        self.commit(staged, at.now);
        self.advance(at);
        let state = self.unseen_changes();
        self.head.token = None;
        self.last = None;
        if closing || !self.is_running() || self.withholds(at) {
            return Ok(format!("{{\"NewExecutionState\":{state}}}"));
        }
        let token = self.new_token();
        let body = format!("{{\"CheckpointToken\":\"{token}\",\"NewExecutionState\":{state}}}");
        self.last = request.client_token.clone().map(|client_token| Answered {
            token: request.checkpoint_token.clone(),
            client_token,
            body: body.clone(),
        });
        Ok(body)
    }

    /// Checks that the token is the current one. Reads need the current token too.
    pub(super) fn check_token(&self, presented: &str) -> Result<(), Refusal> {
        if token::checkpoint_execution(presented).is_some_and(|id| id != self.head.id) {
            return Err(Refusal::invalid(
                "Checkpoint token is not valid for the durable execution ARN",
            ));
        }
        let current = self.is_running() && self.head.token.as_deref() == Some(presented);
        current.then_some(()).ok_or_else(Refusal::stale_token)
    }

    pub(super) fn new_token(&mut self) -> String {
        self.head.tokens += 1;
        let token = token::of_checkpoint(&self.head.id, &self.head.secret, self.head.tokens);
        self.head.token = Some(token.clone());
        token
    }

    fn repeated(&self, request: &CheckpointRequest) -> Option<String> {
        let last = self.last.as_ref()?;
        let same = last.token == request.checkpoint_token
            && request.client_token.as_ref() == Some(&last.client_token);
        (same && self.is_running()).then(|| last.body.clone())
    }

    /// Returns the changes that the invocation has not seen yet.
    fn unseen_changes(&mut self) -> String {
        let since = self.head.seen;
        self.head.seen = self.head.changes;
        let changed = self.changed_since(since);
        self.page(&changed, usize::MAX, since, Times::Seconds)
    }
}
