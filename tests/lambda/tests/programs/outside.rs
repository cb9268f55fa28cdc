//! Whoever else takes part: outside parties that answer callbacks, and functions that are invoked.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use durable_lambda_tests::{Ended, ErrorObject, Fake, Kind, Started, Status};
use serde_json::Value;

use crate::subject::Log;

/// Answers what an execution and those that it invokes wait for.
pub(crate) struct Outside<'a> {
    fake: &'a Fake,
    log: Log,
    executions: Vec<Started>,
    invoked: HashMap<(String, String), Started>,
    answered: HashSet<String>,
}

impl<'a> Outside<'a> {
    pub(crate) fn new(fake: &'a Fake, log: &Log) -> Self {
        Self {
            fake,
            log: log.clone(),
            executions: Vec::new(),
            invoked: HashMap::new(),
            answered: HashSet::new(),
        }
    }

    /// Runs an execution to its end.
    pub(crate) async fn run(&mut self, name: &str, input: &Value) -> (Started, Ended) {
        self.run_text(name, &input.to_string()).await
    }

    /// The same for an input that is given as text.
    pub(crate) async fn run_text(&mut self, name: &str, input: &str) -> (Started, Ended) {
        let root = self.fake.execute_text(name, input);
        self.executions.push(root.clone());
        let ended = {
            let ended = root.ended();
            let answers = async {
                loop {
                    self.answer();
                    tokio::time::sleep(Duration::from_millis(3)).await;
                }
            };
            tokio::select! {
                ended = ended => ended,
                () = answers => unreachable!(),
            }
        };
        (root, ended)
    }

    fn answer(&mut self) {
        for line in self.log.lines("answer ") {
            if self.answered.insert(line.clone()) {
                let (callback, value) = line.split_once(' ').unwrap();
                for execution in &self.executions {
                    let _ = execution.complete_callback(callback, Ok(Some(value.to_owned())));
                }
            }
        }
        for execution in self.executions.clone() {
            for operation in execution.operations() {
                if operation.kind == Kind::ChainedInvoke && operation.status == Status::Started {
                    self.go_on(&execution, &operation.id);
                }
            }
        }
    }

    /// Starts what is invoked, or hands over what came of it.
    fn go_on(&mut self, execution: &Started, operation: &str) {
        let key = (execution.arn().to_owned(), operation.to_owned());
        if let Some(child) = self.invoked.get(&key) {
            let Some(ended) = child.end() else {
                return;
            };
            let outcome = match ended {
                Ended::Succeeded(result) => Ok(result),
                Ended::Failed(error) | Ended::TimedOut(error) | Ended::Stopped(error) => Err(error),
            };
            execution.answer_invoke(operation, outcome);
            return;
        }
        let input = self.input(execution.arn(), operation);
        let child = self.fake.execute_text("child", &input);
        self.executions.push(child.clone());
        self.invoked.insert(key, child);
    }

    fn input(&self, arn: &str, operation: &str) -> String {
        let record = self.fake.record();
        let of_it = |request: &Option<String>| {
            let mut all = record.invocations.iter();
            let own = all.find(|one| Some(&one.request_id) == request.as_ref());
            own.is_some_and(|own| own.arn.as_deref() == Some(arn))
        };
        let calls = record.checkpoints.iter().filter(|c| of_it(&c.invocation));
        let mut updates = calls.flat_map(|call| &call.updates);
        let update = updates.find(|update| update.id == operation).unwrap();
        update.payload.clone().unwrap()
    }
}

/// The message of the error that an execution ended with.
pub(crate) fn message(error: &ErrorObject) -> String {
    error.error_message.clone().unwrap_or_default()
}
