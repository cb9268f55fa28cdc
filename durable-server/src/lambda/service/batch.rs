//! Batches of updates, applied atomically.

use std::collections::HashMap;

use serde_json::json;

use super::execution::Execution;
use super::head::{Moment, Outcome};
use super::history;
use super::operation::Operation;
use super::token;
use super::transition::{self, UpdateContext};
use super::validation;
use super::wire::{Action, ErrorObject, Kind, Refusal, Status, Update};

/// Function that a chained invoke runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// ARN with the version.
    pub(crate) function_arn: String,
    pub(crate) version: String,
    pub(crate) durable: bool,
}

/// Reason a chained invoke has no target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// The checkpoint is refused.
    Refused(Refusal),
    /// The operation fails.
    Failed(ErrorObject),
}

/// Lookup of the functions that chained invokes may run.
pub(crate) trait Targets {
    fn resolve(&self, name: &str) -> Result<Target, Unresolved>;
}

/// Effect of a batch on its execution.
#[derive(Debug, Default)]
pub(super) struct Staged {
    operations: Vec<Operation>,
    index: HashMap<String, usize>,
    /// Actions of each operation in this batch.
    actions: HashMap<String, Vec<Action>>,
    events: Vec<(&'static str, String, serde_json::Value)>,
    outcome: Option<Outcome>,
    billed: u64,
    bytes: u64,
}

impl Staged {
    pub(super) fn is_closing(&self) -> bool {
        self.outcome.is_some()
    }

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

    /// Checks that an operation occurs twice in a batch only as a start followed by its end.
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

impl Execution {
    /// Checks a batch against the state without changing anything.
    pub(super) fn stage(
        &self,
        updates: &[Update],
        targets: &dyn Targets,
        at: Moment,
    ) -> Result<Staged, Refusal> {
        let mut staged = Staged::default();
        check_execution_updates(updates)?;
        for update in updates {
            validation::check_size(update, self.head.asynchronous)?;
            staged.bytes += update.written_bytes();
            if update.kind == Kind::Execution {
                staged.outcome = Some(outcome(update)?);
                continue;
            }
            self.stage_operation(&mut staged, update, targets, at)?;
        }
        self.check_quotas(&staged)?;
        Ok(staged)
    }

    fn stage_operation(
        &self,
        staged: &mut Staged,
        update: &Update,
        targets: &dyn Targets,
        at: Moment,
    ) -> Result<(), Refusal> {
        staged.check_repetition(update)?;
        self.check_parent(staged, update)?;
        let context = UpdateContext {
            at,
            execution: &self.head.id,
            secret: &self.head.secret,
        };
        let current = staged.find(&update.id);
        let current = current.or_else(|| self.operation(&update.id));
        let mut next = transition::apply(current, update, context)?;
        staged.billed += u64::from(current.is_none() || update.action == Action::Retry);
        if update.kind == Kind::ChainedInvoke {
            self.stage_invoke(staged, update, &mut next, targets, at)?;
        } else {
            let (kind, details) = history::of_update(update, &next);
            staged.events.push((kind, update.id.clone(), details));
        }
        staged.put(next);
        Ok(())
    }

    /// Stages a chained invoke. One without a target fails in the response to its start.
    fn stage_invoke(
        &self,
        staged: &mut Staged,
        update: &Update,
        next: &mut Operation,
        targets: &dyn Targets,
        at: Moment,
    ) -> Result<(), Refusal> {
        let options = next.function.clone().unwrap_or_default();
        let name = options.function_name.unwrap_or_default();
        let mut details = json!({ "FunctionName": name });
        match targets.resolve(&name) {
            Err(Unresolved::Refused(refusal)) => return Err(refusal),
            Err(Unresolved::Failed(error)) => {
                next.status = Status::Failed;
                next.ended = Some(at.now);
                (next.payload, next.due) = (None, None);
                let failed = json!({ "Error": history::wrapped_error(Some(&error)) });
                next.error = Some(error);
                let id = update.id.clone();
                staged
                    .events
                    .push(("ChainedInvokeStarted", id.clone(), details));
                staged.events.push(("ChainedInvokeFailed", id, failed));
            }
            Ok(target) => {
                details["Input"] = history::wrapped(update.payload.as_deref());
                details["ExecutedVersion"] = json!(target.version);
                if let Some(tenant) = options.tenant_id {
                    details["TenantId"] = json!(tenant);
                }
                if target.durable {
                    let (name, id) = token::child(&self.head.arn, &update.id);
                    let function = target.function_arn;
                    details["DurableExecutionArn"] =
                        json!(format!("{function}/durable-execution/{name}/{id}"));
                }
                let id = update.id.clone();
                staged.events.push(("ChainedInvokeStarted", id, details));
            }
        }
        Ok(())
    }

    fn check_parent(&self, staged: &Staged, update: &Update) -> Result<(), Refusal> {
        let Some(parent) = &update.parent_id else {
            return Ok(());
        };
        let parent = staged.find(parent).or_else(|| self.operation(parent));
        match parent {
            Some(parent) if parent.kind == Kind::Context => Ok(()),
            _ => Err(Refusal::invalid("Invalid parent operation id.")),
        }
    }

    fn check_quotas(&self, staged: &Staged) -> Result<(), Refusal> {
        let (used, limits) = (self.head.used, self.limits);
        if used.operations + staged.billed > limits.operations {
            let most = limits.operations;
            let message = format!("The execution exceeds its quota of {most} operations.");
            return Err(Refusal::invalid(message));
        }
        if used.bytes + staged.bytes > limits.bytes {
            let most = limits.bytes;
            let message = format!("The execution exceeds its quota of {most} bytes.");
            return Err(Refusal::invalid(message));
        }
        Ok(())
    }

    pub(super) fn commit(&mut self, staged: Staged, now: u64) {
        self.head.used.operations += staged.billed;
        self.head.used.bytes += staged.bytes;
        for operation in staged.operations {
            self.put(operation);
        }
        for (kind, id, details) in staged.events {
            let about = self.index.get(&id).copied();
            self.event(kind, now, about, details);
        }
        self.head.outcome = staged.outcome.or(self.head.outcome.take());
    }
}

fn check_execution_updates(updates: &[Update]) -> Result<(), Refusal> {
    let closing = |update: &&Update| update.kind == Kind::Execution;
    match updates.iter().filter(closing).count() {
        0 => Ok(()),
        1 if updates.last().as_ref().is_some_and(closing) => Ok(()),
        1 => Err(Refusal::invalid(
            "EXECUTION checkpoint must be the last update.",
        )),
        _ => Err(Refusal::invalid(
            "Cannot checkpoint multiple EXECUTION updates.",
        )),
    }
}

fn outcome(update: &Update) -> Result<Outcome, Refusal> {
    match (update.action, &update.payload, &update.error) {
        (Action::Succeed, _, Some(_)) => Err(Refusal::invalid(
            "Cannot provide an Error for SUCCEED action.",
        )),
        (Action::Succeed, payload, None) => Ok(Outcome::Succeeded(payload.clone())),
        (Action::Fail, Some(_), _) => Err(Refusal::invalid(
            "Cannot provide a Payload for FAIL action.",
        )),
        (Action::Fail, None, error) => Ok(Outcome::Failed(error.clone().unwrap_or_default())),
        _ => Err(Refusal::invalid(
            "Invalid action for the given operation type.",
        )),
    }
}
