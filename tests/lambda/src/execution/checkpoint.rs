//! The checkpoint call: tokens, idempotency, and what has changed.

use serde_json::{Value, json};

use crate::operation::Times;
use crate::wire::{CheckpointRequest, Refusal};

use super::{Execution, shape, token};

/// What the service says to a checkpoint.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) body: Value,
    /// Whether it is the answer to an earlier call, given again.
    pub(crate) repeated: bool,
    /// Functions that are to be run.
    pub(crate) invokes: Vec<String>,
}

/// The last accepted checkpoint, for whoever did not get its answer.
#[derive(Debug)]
pub(crate) struct Last {
    token: String,
    client_token: String,
    body: Value,
}

/// What a test makes of an answer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Twist {
    pub(crate) withhold: bool,
    pub(crate) page: Option<usize>,
}

impl Execution {
    pub(crate) fn checkpoint(
        &mut self,
        request: &CheckpointRequest,
        now: u64,
        twist: Twist,
    ) -> Result<Answer, Refusal> {
        shape::check(request)?;
        if let Some(body) = self.repeat(request) {
            return Ok(Answer {
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
        invokes.iter().for_each(|id| self.resolve(id, now));
        self.advance(now);
        let mut body = json!({ "NewExecutionState": self.news(twist.page) });
        self.token = None;
        self.last = None;
        if closing {
            self.close();
        } else if twist.withhold {
            self.withheld = true;
        } else {
            body["CheckpointToken"] = json!(self.new_token());
            self.last = request.client_token.clone().map(|client_token| Last {
                token: request.checkpoint_token.clone(),
                client_token,
                body: body.clone(),
            });
        }
        Ok(Answer {
            body,
            repeated: false,
            invokes,
        })
    }

    /// Only the current token is good, for reading too.
    pub(crate) fn check_token(&self, presented: &str) -> Result<(), Refusal> {
        if token::execution_of(presented).is_some_and(|id| id != self.id) {
            return Err(Refusal::invalid(
                "Checkpoint token is not valid for the durable execution ARN",
            ));
        }
        let current = self.is_running() && self.token.as_deref() == Some(presented);
        current.then_some(()).ok_or_else(Refusal::stale_token)
    }

    fn repeat(&self, request: &CheckpointRequest) -> Option<Value> {
        let last = self.last.as_ref()?;
        let same = last.token == request.checkpoint_token
            && request.client_token.as_ref() == Some(&last.client_token);
        (same && self.is_running()).then(|| last.body.clone())
    }

    /// Everything that has changed since the invocation was last told.
    fn news(&mut self, page: Option<usize>) -> Value {
        let changed = self.changed.range(self.seen + 1..);
        let mut changed: Vec<usize> = changed.map(|(_, at)| *at).collect();
        changed.sort_unstable();
        self.seen = self.changes;
        self.page(changed, page.unwrap_or(usize::MAX), Times::Seconds)
    }
}
