//! Invocations of functions: for executions, chained invokes and plain calls.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::access::Slot;
use super::drive::trace;
use super::{Engine, Start};
use crate::lambda::clock;
use crate::lambda::db::{Queued, Write};
use crate::lambda::functions::{End, FunctionError, Job};
use crate::lambda::registry::Found;
use crate::lambda::service::{
    Ending, ErrorObject, ExecutionStatus, InvokeOutcome, Parent, Refusal, token,
};

/// Attempts of an asynchronous invocation, and the delay before the second, in seconds of service
/// time.
const ATTEMPTS: u32 = 3;
const FIRST_RETRY: i64 = 60;

impl Engine {
    pub(super) async fn run_function(&self, function: &str, job: Job) -> End {
        match self.registry.pools.get(function) {
            Some(pool) => pool.run(job).await,
            None => {
                let text = format!("Function not found: {function}");
                End::Error(FunctionError::new("ResourceNotFoundException", text))
            }
        }
    }

    /// Invokes a function that is not durable and waits for its result.
    pub(crate) async fn invoke_plain(
        self: &Arc<Self>,
        function: &Found,
        payload: Bytes,
        tenant: Option<String>,
        client_context: Option<String>,
    ) -> End {
        let job = Job {
            request_id: Uuid::new_v4().to_string(),
            arn: function.invoked.clone(),
            payload,
            tenant,
            trace: trace(),
            client_context,
        };
        // On a separate task, so that the process returns to its pool even if the caller disconnects.
        let pool = Arc::clone(&function.pool);
        let run = tokio::spawn(async move { pool.run(job).await });
        run.await.unwrap_or_else(|error| {
            End::Error(FunctionError::new("ServiceException", error.to_string()))
        })
    }

    /// Queues an invocation of a function that is not durable, with up to three attempts.
    pub(crate) async fn queue_plain(
        self: &Arc<Self>,
        function: &Found,
        payload: Bytes,
        tenant: Option<String>,
    ) -> Result<(), Refusal> {
        let queued = Queued {
            id: Uuid::new_v4().to_string(),
            function: function.invoked.clone(),
            payload: payload.to_vec(),
            tenant,
            attempts: 0,
            due: clock::now(),
        };
        self.db.write(Write::Queue(queued.clone())).await?;
        self.run_queued(queued);
        Ok(())
    }

    pub(super) fn run_queued(self: &Arc<Self>, mut queued: Queued) {
        let engine = Arc::clone(self);
        self.spawn(async move {
            while queued.attempts < ATTEMPTS {
                let wait = queued.due.saturating_sub(clock::now());
                tokio::time::sleep(Duration::from_millis(wait)).await;
                let Ok(function) = engine.registry.find(&queued.function, None) else {
                    break;
                };
                let payload = Bytes::from(queued.payload.clone());
                let tenant = queued.tenant.clone();
                let end = engine.invoke_plain(&function, payload, tenant, None).await;
                if matches!(end, End::Output(_)) {
                    break;
                }
                queued.attempts += 1;
                let pause = FIRST_RETRY * i64::from(queued.attempts);
                queued.due = engine.moment().after(pause);
                engine.write_or_log(Write::Queue(queued.clone())).await;
            }
            engine.write_or_log(Write::Unqueue { id: queued.id }).await;
        });
    }

    async fn write_or_log(&self, write: Write) {
        if let Err(error) = self.db.write(write).await {
            self.log(&format!("cannot store an asynchronous invocation: {error}"));
        }
    }

    /// Runs the target of a chained invoke. Name and id of a durable target are derived from the
    /// caller, so that a repeated dispatch finds the execution it started before.
    pub(super) fn dispatch(self: &Arc<Self>, slot: &Arc<Slot>, operation: String) {
        let engine = Arc::clone(self);
        let parent = Parent {
            execution: slot.id.clone(),
            operation,
        };
        self.spawn(async move {
            if let Some(outcome) = engine.run_target(&parent).await {
                engine.complete_invoke(&parent, outcome).await;
            }
        });
    }

    /// Returns the outcome of a chained invoke; `None` if its target is an execution, which completes
    /// the invoke when it ends.
    async fn run_target(self: &Arc<Self>, parent: &Parent) -> Option<InvokeOutcome> {
        let gone = || Refusal::not_found("the execution no longer exists");
        let found = self.read(&parent.execution, gone, |execution, _| {
            let operation = execution.operation(&parent.operation).cloned();
            Ok((execution.head.arn.clone(), operation))
        });
        let (arn, operation) = found.await.ok()?;
        let operation = operation?;
        let options = operation.function.unwrap_or_default();
        let name = options.function_name.unwrap_or_default();
        let found = match self.registry.find(&name, None) {
            Ok(found) => found,
            Err(refusal) => return Some(failed(&refusal)),
        };
        if !found.pool.function.durable {
            let payload = Bytes::from(operation.payload.unwrap_or_else(|| "{}".to_owned()));
            let end = self.invoke_plain(&found, payload, options.tenant_id, None);
            return Some(match end.await {
                End::Error(error) => InvokeOutcome::Failed(error.object()),
                End::Output(output) => {
                    InvokeOutcome::Succeeded(Some(String::from_utf8_lossy(&output).into_owned()))
                }
            });
        }
        let (name, id) = token::child(&arn, &parent.operation);
        let started = self.start(Start {
            function: &found,
            input: operation.payload.unwrap_or_default(),
            name: Some(name),
            id: Some(id),
            asynchronous: true,
            parent: Some(parent.clone()),
            tenant: options.tenant_id,
            trace: options.x_amzn_trace_id,
        });
        match started.await {
            Err(refusal) => Some(failed(&refusal)),
            Ok(started) if started.is_running() => None,
            Ok(started) => {
                let timeout = found.pool.function.execution_timeout;
                let ending = started.ended().await?;
                Some(outcome(&ending, timeout))
            }
        }
    }

    /// Completes the chained invoke that started an ended execution.
    pub(super) async fn answer_parent(self: &Arc<Self>, parent: &Parent, ending: &Ending) {
        let gone = || Refusal::not_found("the execution no longer exists");
        let name = self.read(&parent.execution, gone, |execution, _| {
            let operation = execution.operation(&parent.operation);
            let options = operation.and_then(|operation| operation.function.clone());
            Ok(options.and_then(|options| options.function_name))
        });
        let name = name.await.ok().flatten().unwrap_or_default();
        let found = self.registry.find(&name, None);
        let timeout = found.map_or(0, |found| found.pool.function.execution_timeout);
        self.complete_invoke(parent, outcome(ending, timeout)).await;
    }

    async fn complete_invoke(&self, parent: &Parent, outcome: InvokeOutcome) {
        loop {
            let gone = || Refusal::not_found("the execution no longer exists");
            let completed = self.change(&parent.execution, gone, |execution, at| {
                Ok(execution.complete_invoke(&parent.operation, outcome.clone(), at))
            });
            match completed.await {
                Err(refusal) if refusal.status == 500 => {
                    let (id, why) = (&parent.execution, refusal.message);
                    self.log(&format!("execution {id}: {why}"));
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                _ => return,
            }
        }
    }
}

fn failed(refusal: &Refusal) -> InvokeOutcome {
    InvokeOutcome::Failed(ErrorObject::new(refusal.code, refusal.message.clone()))
}

fn outcome(ending: &Ending, timeout: u32) -> InvokeOutcome {
    let error = ending.error.clone().unwrap_or_default();
    match ending.status {
        ExecutionStatus::Succeeded => InvokeOutcome::Succeeded(ending.result.clone()),
        ExecutionStatus::TimedOut => InvokeOutcome::TimedOut(ErrorObject::new(
            "ChainedInvoke.Timeout",
            format!("CHAINED_INVOKE timed out after {timeout} seconds."),
        )),
        ExecutionStatus::Stopped => InvokeOutcome::Stopped(error),
        _ => InvokeOutcome::Failed(error),
    }
}
