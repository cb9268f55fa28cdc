//! Recording of what a subject did, for tests to inspect.

use serde_json::Value;

use crate::fault::Fault;
use crate::wire::{ApiError, Update};

/// Outcome of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOutcome {
    /// The call was applied.
    Accepted,
    /// The call repeats the last one, whose response was sent again.
    Repeated,
    /// The call broke a rule of the service.
    Rejected(ApiError),
    /// A test injected a fault.
    Faulted(Fault),
}

/// Checkpoint call.
#[derive(Debug, Clone)]
pub struct CheckpointCall {
    /// Request id of the execution's invocation at that time.
    pub invocation: Option<String>,
    /// Checkpoint token of the request.
    pub token: String,
    /// Idempotency token of the request, which is the same for retries.
    pub client_token: Option<String>,
    /// Updates of the request.
    pub updates: Vec<Update>,
    /// Size of the request body in bytes.
    pub bytes: usize,
    /// Outcome of the call.
    pub outcome: CallOutcome,
}

impl CheckpointCall {
    /// Whether its updates were applied.
    pub fn is_applied(&self) -> bool {
        match &self.outcome {
            CallOutcome::Accepted => true,
            CallOutcome::Faulted(fault) => matches!(
                fault,
                Fault::LoseResponse
                    | Fault::WithholdToken
                    | Fault::PageResponse(_)
                    | Fault::Delay(_)
                    | Fault::KillAfter
                    | Fault::Garble
            ),
            _ => false,
        }
    }
}

/// Call that reads a page of the state.
#[derive(Debug, Clone)]
pub struct StateCall {
    /// Checkpoint token of the request.
    pub token: String,
    /// Marker of the page.
    pub marker: Option<String>,
    /// Requested page size.
    pub max_items: Option<usize>,
    /// Number of operations in the response.
    pub returned: usize,
    /// Outcome of the call.
    pub outcome: CallOutcome,
}

/// End of an invocation.
#[derive(Debug, Clone, PartialEq)]
pub enum InvocationEnd {
    /// The handler returned this output.
    Output(Value),
    /// The runtime reported this error.
    Error(Value),
    /// The invocation exceeded its deadline.
    TimedOut,
    /// The process ended.
    Exited(String),
}

/// Invocation of the function.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Lambda's request id.
    pub request_id: String,
    /// ARN of the execution, if it belongs to one.
    pub arn: Option<String>,
    /// Size of the event in bytes.
    pub event_bytes: usize,
    /// Its end, if it has ended.
    pub end: Option<InvocationEnd>,
}

/// Calls, invocations and output of a subject so far.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// Checkpoint calls in order of arrival.
    pub checkpoints: Vec<CheckpointCall>,
    /// State calls in order of arrival.
    pub states: Vec<StateCall>,
    /// Invocations in the order in which they were taken.
    pub invocations: Vec<Invocation>,
    /// Requests with an unknown route, an invalid body or an invalid signature.
    pub invalid_requests: Vec<String>,
    /// Errors that runtimes reported while they initialized.
    pub init_errors: Vec<Value>,
    /// Number of processes started.
    pub processes: u64,
    /// Lines that processes wrote to stdout and stderr.
    pub output: Vec<String>,
    /// Handler outputs that the service rejects.
    pub rejected_outputs: Vec<Value>,
}

impl Recording {
    /// Returns every applied update.
    pub fn updates(&self) -> impl Iterator<Item = &Update> {
        let applied = self.checkpoints.iter().filter(|call| call.is_applied());
        applied.flat_map(|call| &call.updates)
    }

    /// Returns the errors of all calls that broke a rule of the service.
    pub fn rejections(&self) -> Vec<&ApiError> {
        let outcomes = self.checkpoints.iter().map(|call| &call.outcome);
        let outcomes = outcomes.chain(self.states.iter().map(|call| &call.outcome));
        outcomes
            .filter_map(|outcome| match outcome {
                CallOutcome::Rejected(error) => Some(error),
                _ => None,
            })
            .collect()
    }

    /// Returns the number of checkpoint calls without updates.
    pub fn empty_checkpoints(&self) -> usize {
        let empty = self
            .checkpoints
            .iter()
            .filter(|call| call.updates.is_empty());
        empty.count()
    }

    /// Returns the total size of all checkpoint calls in bytes.
    pub fn bytes(&self) -> usize {
        self.checkpoints.iter().map(|call| call.bytes).sum()
    }

    /// Returns the handler's outputs in order.
    pub fn outputs(&self) -> Vec<&Value> {
        let ends = self.invocations.iter().filter_map(|one| one.end.as_ref());
        ends.filter_map(|end| match end {
            InvocationEnd::Output(output) => Some(output),
            _ => None,
        })
        .collect()
    }

    /// Returns the errors that the runtime reported, in order.
    pub fn errors(&self) -> Vec<&Value> {
        let ends = self.invocations.iter().filter_map(|one| one.end.as_ref());
        ends.filter_map(|end| match end {
            InvocationEnd::Error(error) => Some(error),
            _ => None,
        })
        .collect()
    }

    /// Panics if the subject broke a rule of the service.
    #[track_caller]
    pub fn assert_well_behaved(&self) {
        let rejected = self.rejections();
        assert!(rejected.is_empty(), "rejected: {rejected:?}");
        assert!(
            self.invalid_requests.is_empty(),
            "invalid requests: {:?}",
            self.invalid_requests
        );
        assert!(
            self.rejected_outputs.is_empty(),
            "rejected outputs: {:?}",
            self.rejected_outputs
        );
        assert!(
            self.init_errors.is_empty(),
            "init errors: {:?}",
            self.init_errors
        );
        for call in &self.checkpoints {
            assert!(
                call.updates.len() <= 200,
                "call with {} updates",
                call.updates.len()
            );
            let fits = call.bytes <= 800 * 1024 || call.updates.len() == 1;
            assert!(fits, "call of {} bytes with many updates", call.bytes);
            assert!(call.client_token.is_some(), "call without ClientToken");
        }
        let mut tokens: Vec<_> = self
            .checkpoints
            .iter()
            .filter(|call| call.is_applied())
            .collect();
        tokens.sort_by(|a, b| a.client_token.cmp(&b.client_token));
        for pair in tokens.windows(2) {
            let twice = pair[0].client_token == pair[1].client_token;
            assert!(
                !twice,
                "two calls with the ClientToken {:?}",
                pair[0].client_token
            );
        }
    }
}
