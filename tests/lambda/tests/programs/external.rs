//! External parties of an execution: systems that complete callbacks, and invoked functions.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use durable_lambda_tests::{ErrorObject, ExecutionHandle, ExecutionOutcome, Fake, Kind, Status};
use serde_json::Value;

use crate::subject::Log;

/// Completes the callbacks and invokes of an execution and of the executions it invokes.
pub(crate) struct ExternalParties<'a> {
    fake: &'a Fake,
    log: Log,
    executions: Vec<ExecutionHandle>,
    invoked: HashMap<(String, String), ExecutionHandle>,
    completed: HashSet<String>,
}

impl<'a> ExternalParties<'a> {
    pub(crate) fn new(fake: &'a Fake, log: &Log) -> Self {
        Self {
            fake,
            log: log.clone(),
            executions: Vec::new(),
            invoked: HashMap::new(),
            completed: HashSet::new(),
        }
    }

    /// Runs an execution until it ends.
    pub(crate) async fn run(
        &mut self,
        name: &str,
        input: &Value,
    ) -> (ExecutionHandle, ExecutionOutcome) {
        self.run_text(name, &input.to_string()).await
    }

    /// Runs an execution with an input given as text until it ends.
    pub(crate) async fn run_text(
        &mut self,
        name: &str,
        input: &str,
    ) -> (ExecutionHandle, ExecutionOutcome) {
        let root = self.fake.execute_text(name, input);
        self.executions.push(root.clone());
        let outcome = {
            let outcome = root.outcome();
            let completions = async {
                loop {
                    self.complete_pending();
                    tokio::time::sleep(Duration::from_millis(3)).await;
                }
            };
            tokio::select! {
                outcome = outcome => outcome,
                () = completions => unreachable!(),
            }
        };
        (root, outcome)
    }

    fn complete_pending(&mut self) {
        for line in self.log.lines("answer ") {
            if self.completed.insert(line.clone()) {
                let (callback, value) = line.split_once(' ').unwrap();
                for execution in &self.executions {
                    let _ = execution.complete_callback(callback, Ok(Some(value.to_owned())));
                }
            }
        }
        for execution in self.executions.clone() {
            for operation in execution.operations() {
                if operation.kind == Kind::ChainedInvoke && operation.status == Status::Started {
                    self.advance_invoke(&execution, &operation.id);
                }
            }
        }
    }

    /// Starts the execution of an invoke, or completes the invoke with its outcome.
    fn advance_invoke(&mut self, execution: &ExecutionHandle, operation: &str) {
        let key = (execution.arn().to_owned(), operation.to_owned());
        if let Some(child) = self.invoked.get(&key) {
            let Some(outcome) = child.current_outcome() else {
                return;
            };
            let outcome = match outcome {
                ExecutionOutcome::Succeeded(result) => Ok(result),
                ExecutionOutcome::Failed(error)
                | ExecutionOutcome::TimedOut(error)
                | ExecutionOutcome::Stopped(error) => Err(error),
            };
            execution.complete_invoke(operation, outcome);
            return;
        }
        let input = self.input(execution.arn(), operation);
        let child = self.fake.execute_text("child", &input);
        self.executions.push(child.clone());
        self.invoked.insert(key, child);
    }

    fn input(&self, arn: &str, operation: &str) -> String {
        let recording = self.fake.recording();
        let is_of_execution = |request: &Option<String>| {
            let mut invocations = recording.invocations.iter();
            let invocation =
                invocations.find(|invocation| Some(&invocation.request_id) == request.as_ref());
            invocation.is_some_and(|invocation| invocation.arn.as_deref() == Some(arn))
        };
        let calls = recording
            .checkpoints
            .iter()
            .filter(|call| is_of_execution(&call.invocation));
        let mut updates = calls.flat_map(|call| &call.updates);
        let update = updates.find(|update| update.id == operation).unwrap();
        update.payload.clone().unwrap()
    }
}

/// Returns the message of an error.
pub(crate) fn message(error: &ErrorObject) -> String {
    error.error_message.clone().unwrap_or_default()
}
