//! Atomic application of a batch of updates.

use std::collections::HashMap;

use crate::operation::Operation;
use crate::wire::{Action, ApiError, ErrorObject, Kind, Update};

use super::{Execution, ExecutionOutcome, UpdateContext, transition, validation};

/// Checked changes of a batch, ready to commit.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    operations: Vec<Operation>,
    index: HashMap<String, usize>,
    /// Actions on each operation in this batch.
    actions: HashMap<String, Vec<Action>>,
    pub(crate) outcome: Option<ExecutionOutcome>,
    pub(crate) billed: u64,
    pub(crate) bytes: u64,
    /// Operation ids of chained invokes to run.
    pub(crate) invokes: Vec<String>,
}

impl Execution {
    /// Checks a batch against the state without changing it.
    pub(crate) fn stage(&self, updates: &[Update], now: u64) -> Result<Staged, ApiError> {
        let cx = UpdateContext {
            now,
            speedup: self.speedup,
            execution: &self.id,
            arn: &self.arn,
        };
        let mut staged = Staged::default();
        check_execution_updates(updates)?;
        for update in updates {
            validation::check_size(update, self.quotas.asynchronous)?;
            staged.bytes += update.billed_bytes() as u64;
            if update.kind == Kind::Execution {
                staged.outcome = Some(outcome(update)?);
                continue;
            }
            staged.check_repetition(update)?;
            self.check_parent(&staged, update)?;
            let current = staged
                .find(&update.id)
                .or_else(|| self.operation(&update.id));
            let next = transition::apply(current, update, cx)?;
            staged.billed += u64::from(current.is_none() || update.action == Action::Retry);
            if update.kind == Kind::ChainedInvoke {
                staged.invokes.push(update.id.clone());
            }
            staged.put(next);
        }
        self.check_quotas(&staged)?;
        Ok(staged)
    }

    fn check_parent(&self, staged: &Staged, update: &Update) -> Result<(), ApiError> {
        let Some(parent) = &update.parent_id else {
            return Ok(());
        };
        let parent = staged.find(parent).or_else(|| self.operation(parent));
        match parent {
            // Emulators accept updates inside a closed context. This is stricter: nothing reads them again.
            Some(parent) if parent.kind == Kind::Context && !parent.status.is_closed() => Ok(()),
            _ => Err(ApiError::invalid("Invalid parent operation id.")),
        }
    }

    fn check_quotas(&self, staged: &Staged) -> Result<(), ApiError> {
        let operations = self.usage.operations + staged.billed;
        if operations > self.quotas.operations {
            let max = self.quotas.operations;
            let message = format!("The execution exceeds its quota of {max} operations.");
            return Err(ApiError::invalid(message));
        }
        let bytes = self.usage.bytes + staged.bytes;
        if bytes > self.quotas.bytes {
            let max = self.quotas.bytes;
            let message = format!("The execution exceeds its quota of {max} bytes.");
            return Err(ApiError::invalid(message));
        }
        Ok(())
    }

    pub(crate) fn commit(&mut self, staged: Staged) {
        self.usage.operations += staged.billed;
        self.usage.bytes += staged.bytes;
        for operation in staged.operations {
            self.put(operation);
        }
        self.pending_outcome = staged.outcome.or(self.pending_outcome.take());
    }
}

impl Staged {
    fn find(&self, id: &str) -> Option<&Operation> {
        self.index.get(id).map(|at| &self.operations[*at])
    }

    fn put(&mut self, operation: Operation) {
        if let Some(at) = self.index.get(&operation.id) {
            self.operations[*at] = operation;
            return;
        }
        self.index
            .insert(operation.id.clone(), self.operations.len());
        self.operations.push(operation);
    }

    /// Checks that an operation occurs once in a batch, or twice with its start and its end.
    fn check_repetition(&mut self, update: &Update) -> Result<(), ApiError> {
        let actions = self.actions.entry(update.id.clone()).or_default();
        actions.push(update.action);
        let ends = match update.kind {
            Kind::Step => &[Action::Succeed, Action::Fail, Action::Retry][..],
            Kind::Context => &[Action::Succeed, Action::Fail][..],
            _ => &[][..],
        };
        match actions[..] {
            [_] => Ok(()),
            [Action::Start, end] if ends.contains(&end) => Ok(()),
            _ => Err(ApiError::invalid(
                "Cannot checkpoint multiple operations with the same ID.",
            )),
        }
    }
}

fn check_execution_updates(updates: &[Update]) -> Result<(), ApiError> {
    let closing = updates
        .iter()
        .filter(|update| update.kind == Kind::Execution);
    match closing.count() {
        0 => Ok(()),
        1 if updates
            .last()
            .is_some_and(|last| last.kind == Kind::Execution) =>
        {
            Ok(())
        }
        1 => Err(ApiError::invalid(
            "EXECUTION checkpoint must be the last update.",
        )),
        _ => Err(ApiError::invalid(
            "Cannot checkpoint multiple EXECUTION updates.",
        )),
    }
}

fn outcome(update: &Update) -> Result<ExecutionOutcome, ApiError> {
    match (update.action, &update.payload, &update.error) {
        (Action::Succeed, _, Some(_)) => Err(ApiError::invalid(
            "Cannot provide an Error for SUCCEED action.",
        )),
        (Action::Succeed, payload, None) => Ok(ExecutionOutcome::Succeeded(
            payload.clone().unwrap_or_default(),
        )),
        (Action::Fail, Some(_), _) => Err(ApiError::invalid(
            "Cannot provide a Payload for FAIL action.",
        )),
        (Action::Fail, None, error) => Ok(ExecutionOutcome::Failed(
            error.clone().unwrap_or_else(ErrorObject::default),
        )),
        _ => Err(ApiError::invalid(
            "Invalid action for the given operation type.",
        )),
    }
}
