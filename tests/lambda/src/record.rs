//! Everything that the subject did, for tests to look at.

use serde_json::Value;

use crate::fault::Fault;
use crate::wire::{Refusal, Update};

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallEnd {
    /// It had its effect and was answered.
    Accepted,
    /// It was made before; the answer was given again.
    Repeated,
    /// It broke a rule of the service.
    Refused(Refusal),
    /// A test had something go wrong with it.
    Faulted(Fault),
}

/// A checkpoint call.
#[derive(Debug, Clone)]
pub struct CheckpointCall {
    /// The request id of the invocation that the execution was in.
    pub invocation: Option<String>,
    /// The token that was presented.
    pub token: String,
    /// What tells a repeated call from a new one.
    pub client_token: Option<String>,
    /// What was to be written.
    pub updates: Vec<Update>,
    /// Bytes of the request's body.
    pub bytes: usize,
    /// What became of it.
    pub end: CallEnd,
}

impl CheckpointCall {
    /// Whether it had an effect.
    pub fn is_applied(&self) -> bool {
        match &self.end {
            CallEnd::Accepted => true,
            CallEnd::Faulted(fault) => matches!(
                fault,
                Fault::LoseResponse
                    | Fault::WithholdToken
                    | Fault::PageAnswer(_)
                    | Fault::Delay(_)
                    | Fault::KillAfter
                    | Fault::Garble
            ),
            _ => false,
        }
    }
}

/// A call that reads a page of the state.
#[derive(Debug, Clone)]
pub struct StateCall {
    /// The token that was presented.
    pub token: String,
    /// Where the page begins.
    pub marker: Option<String>,
    /// How many operations were asked for at most.
    pub most: Option<usize>,
    /// How many were given.
    pub given: usize,
    /// What became of it.
    pub end: CallEnd,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum InvocationEnd {
    /// The handler answered.
    Output(Value),
    /// The runtime reported an error.
    Error(Value),
    /// Its time was over.
    TimedOut,
    /// The process ended.
    Exited(String),
}

/// One invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Lambda's id of it.
    pub request_id: String,
    /// The execution, if it is one of an execution.
    pub arn: Option<String>,
    /// Bytes of the event.
    pub event_bytes: usize,
    /// How it ended, once it has.
    pub end: Option<InvocationEnd>,
}

/// What a subject did so far.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// In the order in which they arrived.
    pub checkpoints: Vec<CheckpointCall>,
    /// In the order in which they arrived.
    pub states: Vec<StateCall>,
    /// In the order in which they were taken.
    pub invocations: Vec<Invocation>,
    /// Requests that are part of no API, or not signed as they have to be.
    pub strays: Vec<String>,
    /// What runtimes said of failed starts.
    pub init_errors: Vec<Value>,
    /// How often a process was started.
    pub processes: u64,
    /// What processes wrote to stdout and stderr, line by line.
    pub output: Vec<String>,
    /// Answers of handlers that the service does not take.
    pub improper_outputs: Vec<Value>,
}

impl Record {
    /// Every update that was applied.
    pub fn updates(&self) -> impl Iterator<Item = &Update> {
        let applied = self.checkpoints.iter().filter(|call| call.is_applied());
        applied.flat_map(|call| &call.updates)
    }

    /// How many calls broke a rule of the service.
    pub fn refused(&self) -> Vec<&Refusal> {
        let ends = self.checkpoints.iter().map(|call| &call.end);
        let ends = ends.chain(self.states.iter().map(|call| &call.end));
        ends.filter_map(|end| match end {
            CallEnd::Refused(refusal) => Some(refusal),
            _ => None,
        })
        .collect()
    }

    /// How many checkpoint calls held no update.
    pub fn empty(&self) -> usize {
        let empty = self
            .checkpoints
            .iter()
            .filter(|call| call.updates.is_empty());
        empty.count()
    }

    /// Bytes of all checkpoint calls together.
    pub fn bytes(&self) -> usize {
        self.checkpoints.iter().map(|call| call.bytes).sum()
    }

    /// The outputs of the handler, in order.
    pub fn outputs(&self) -> Vec<&Value> {
        let ends = self.invocations.iter().filter_map(|one| one.end.as_ref());
        ends.filter_map(|end| match end {
            InvocationEnd::Output(output) => Some(output),
            _ => None,
        })
        .collect()
    }

    /// The errors that the runtime reported, in order.
    pub fn errors(&self) -> Vec<&Value> {
        let ends = self.invocations.iter().filter_map(|one| one.end.as_ref());
        ends.filter_map(|end| match end {
            InvocationEnd::Error(error) => Some(error),
            _ => None,
        })
        .collect()
    }

    /// Fails the test unless the subject kept to every rule of the service.
    #[track_caller]
    pub fn assert_well_behaved(&self) {
        let refused = self.refused();
        assert!(refused.is_empty(), "refused: {refused:?}");
        assert!(self.strays.is_empty(), "strays: {:?}", self.strays);
        assert!(
            self.improper_outputs.is_empty(),
            "improper: {:?}",
            self.improper_outputs
        );
        assert!(
            self.init_errors.is_empty(),
            "failed starts: {:?}",
            self.init_errors
        );
        for call in &self.checkpoints {
            assert!(
                call.updates.len() <= 200,
                "{} updates in a call",
                call.updates.len()
            );
            let fits = call.bytes <= 800 * 1024 || call.updates.len() == 1;
            assert!(fits, "{} bytes in a call of many updates", call.bytes);
            assert!(call.client_token.is_some(), "a call without ClientToken");
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
                "two batches with the ClientToken {:?}",
                pair[0].client_token
            );
        }
    }
}
