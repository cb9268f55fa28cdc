//! A batch of updates is applied as a whole or not at all.

use std::collections::HashMap;

use crate::operation::Operation;
use crate::wire::{Action, ErrorObject, Kind, Refusal, Update};

use super::{Ended, Execution, Moment, shape, transition};

/// What a batch makes of the execution.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    operations: Vec<Operation>,
    index: HashMap<String, usize>,
    /// The actions of each operation in this batch.
    actions: HashMap<String, Vec<Action>>,
    pub(crate) outcome: Option<Ended>,
    pub(crate) billed: u64,
    pub(crate) bytes: u64,
    /// Functions that are to be run.
    pub(crate) invokes: Vec<String>,
}

impl Execution {
    /// Checks a batch against the state; changes nothing.
    pub(crate) fn stage(&self, updates: &[Update], now: u64) -> Result<Staged, Refusal> {
        let moment = Moment {
            now,
            pace: self.pace,
            execution: &self.id,
            arn: &self.arn,
        };
        let mut staged = Staged::default();
        check_execution_updates(updates)?;
        for update in updates {
            shape::check_size(update, self.quotas.asynchronous)?;
            staged.bytes += update.written() as u64;
            if update.kind == Kind::Execution {
                staged.outcome = Some(outcome(update)?);
                continue;
            }
            staged.check_repetition(update)?;
            self.check_parent(&staged, update)?;
            let current = staged
                .find(&update.id)
                .or_else(|| self.operation(&update.id));
            let next = transition::apply(current, update, moment)?;
            staged.billed += u64::from(current.is_none() || update.action == Action::Retry);
            if update.kind == Kind::ChainedInvoke {
                staged.invokes.push(update.id.clone());
            }
            staged.put(next);
        }
        self.check_quotas(&staged)?;
        Ok(staged)
    }

    fn check_parent(&self, staged: &Staged, update: &Update) -> Result<(), Refusal> {
        let Some(parent) = &update.parent_id else {
            return Ok(());
        };
        let parent = staged.find(parent).or_else(|| self.operation(parent));
        match parent {
            // Emulators take updates below a closed context; what is over is never written again.
            Some(parent) if parent.kind == Kind::Context && !parent.status.is_closed() => Ok(()),
            _ => Err(Refusal::invalid("Invalid parent operation id.")),
        }
    }

    fn check_quotas(&self, staged: &Staged) -> Result<(), Refusal> {
        let operations = self.used.operations + staged.billed;
        if operations > self.quotas.operations {
            let most = self.quotas.operations;
            let message = format!("The execution exceeds its quota of {most} operations.");
            return Err(Refusal::invalid(message));
        }
        let bytes = self.used.bytes + staged.bytes;
        if bytes > self.quotas.bytes {
            let most = self.quotas.bytes;
            let message = format!("The execution exceeds its quota of {most} bytes.");
            return Err(Refusal::invalid(message));
        }
        Ok(())
    }

    pub(crate) fn commit(&mut self, staged: Staged) {
        self.used.operations += staged.billed;
        self.used.bytes += staged.bytes;
        for operation in staged.operations {
            self.put(operation);
        }
        self.outcome = staged.outcome.or(self.outcome.take());
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

    /// An operation may stand twice in a batch only as a start and its end.
    fn check_repetition(&mut self, update: &Update) -> Result<(), Refusal> {
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
            _ => Err(Refusal::invalid(
                "Cannot checkpoint multiple operations with the same ID.",
            )),
        }
    }
}

fn check_execution_updates(updates: &[Update]) -> Result<(), Refusal> {
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
        1 => Err(Refusal::invalid(
            "EXECUTION checkpoint must be the last update.",
        )),
        _ => Err(Refusal::invalid(
            "Cannot checkpoint multiple EXECUTION updates.",
        )),
    }
}

fn outcome(update: &Update) -> Result<Ended, Refusal> {
    match (update.action, &update.payload, &update.error) {
        (Action::Succeed, _, Some(_)) => Err(Refusal::invalid(
            "Cannot provide an Error for SUCCEED action.",
        )),
        (Action::Succeed, payload, None) => {
            Ok(Ended::Succeeded(payload.clone().unwrap_or_default()))
        }
        (Action::Fail, Some(_), _) => Err(Refusal::invalid(
            "Cannot provide a Payload for FAIL action.",
        )),
        (Action::Fail, None, error) => Ok(Ended::Failed(
            error.clone().unwrap_or_else(ErrorObject::default),
        )),
        _ => Err(Refusal::invalid(
            "Invalid action for the given operation type.",
        )),
    }
}
