//! The task of an execution: fires timers, starts invocations and chained invokes, and ends it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::Engine;
use super::access::Slot;
use crate::lambda::clock;
use crate::lambda::db::DbError;
use crate::lambda::functions::{End, Job};
use crate::lambda::service::{Ending, Parent};

/// Longest sleep. The clock is read again then, as it may have been set.
const MAX_SLEEP: Duration = Duration::from_secs(30);
/// Pause after a failed commit.
const COMMIT_RETRY_DELAY: Duration = Duration::from_secs(1);

/// What the task does next.
enum Next {
    /// Waits until this time, or for a change.
    Wait(Option<u64>),
    End(Ending, Option<Parent>),
}

struct Invocation {
    function: String,
    job: Job,
}

/// Result of advancing an execution.
struct Work {
    invocation: Option<Invocation>,
    dispatches: Vec<String>,
    next: Next,
}

impl Engine {
    /// Starts the task that drives an execution to its end.
    pub(super) fn drive(self: &Arc<Self>, slot: Arc<Slot>) {
        let engine = Arc::clone(self);
        self.spawn(async move {
            loop {
                let work = match engine.advance(&slot).await {
                    Ok(work) => work,
                    Err(error) => {
                        engine.log(&format!("execution {}: {error}", slot.id));
                        tokio::time::sleep(COMMIT_RETRY_DELAY).await;
                        continue;
                    }
                };
                for operation in work.dispatches {
                    engine.dispatch(&slot, operation);
                }
                if let Some(invocation) = work.invocation {
                    engine.invoke_execution(&slot, invocation);
                }
                match work.next {
                    Next::Wait(due) => wait(&slot, due).await,
                    Next::End(ending, parent) => {
                        return engine.finish(&slot, ending, parent).await;
                    }
                }
            }
        });
    }

    async fn advance(&self, slot: &Slot) -> Result<Work, DbError> {
        let mut locked = self.lock(slot).await?;
        let at = self.moment();
        let state = locked.state()?;
        state.advance(at);
        let invocation = state.is_due(at.now).then(|| {
            let request_id = Uuid::new_v4().to_string();
            let payload = state.begin_invocation(&request_id, at);
            let head = &state.head;
            Invocation {
                function: head.function.clone(),
                job: Job {
                    request_id,
                    arn: head.function_arn.clone(),
                    payload: Bytes::from(payload),
                    tenant: head.tenant.clone(),
                    trace: head.trace.clone().unwrap_or_else(trace),
                    client_context: None,
                },
            }
        });
        let dispatches = state.take_dispatches();
        locked.commit(invocation.is_some()).await?;
        let state = locked.state()?;
        let next = match &state.head.ending {
            Some(ending) if state.invocation().is_none() => {
                Next::End(ending.clone(), state.head.parent.clone())
            }
            Some(ending) => {
                // The execution has ended, so callers need not wait for the invocation in flight.
                slot.ended.send_replace(Some(ending.clone()));
                Next::Wait(None)
            }
            None => Next::Wait(state.next_due()),
        };
        Ok(Work {
            invocation,
            dispatches,
            next,
        })
    }

    fn invoke_execution(self: &Arc<Self>, slot: &Arc<Slot>, invocation: Invocation) {
        let (engine, slot) = (Arc::clone(self), Arc::clone(slot));
        self.spawn(async move {
            let request_id = invocation.job.request_id.clone();
            let end = engine
                .run_function(&invocation.function, invocation.job)
                .await;
            while let Err(error) = engine.end_invocation(&slot, &request_id, &end).await {
                engine.log(&format!("execution {}: {error}", slot.id));
                tokio::time::sleep(COMMIT_RETRY_DELAY).await;
            }
            slot.wake.notify_one();
        });
    }

    async fn end_invocation(
        &self,
        slot: &Slot,
        request_id: &str,
        end: &End,
    ) -> Result<(), DbError> {
        let mut locked = self.lock(slot).await?;
        let at = self.moment();
        let state = locked.state()?;
        if state.invocation() != Some(request_id) {
            return Ok(());
        }
        match end {
            End::Output(output) => state.output(output, at),
            End::Error(error) => state.invocation_failed(error.object(), at),
        }
        locked.commit(true).await
    }

    /// Removes the slot of an execution whose end is committed.
    async fn finish(self: &Arc<Self>, slot: &Arc<Slot>, ending: Ending, parent: Option<Parent>) {
        self.slots().remove(&slot.id);
        if let Some(parent) = parent {
            self.answer_parent(&parent, &ending).await;
        }
        slot.ended.send_replace(Some(ending));
    }
}

/// Waits until `due` or for a change.
async fn wait(slot: &Slot, due: Option<u64>) {
    let sleep = match due {
        Some(due) => Duration::from_millis(due.saturating_sub(clock::now())).min(MAX_SLEEP),
        None => MAX_SLEEP,
    };
    tokio::select! {
        () = slot.wake.notified() => {}
        () = tokio::time::sleep(sleep) => {}
    }
}

/// Creates a trace header of an unsampled trace.
pub(super) fn trace() -> String {
    let root = Uuid::new_v4().simple().to_string();
    let parent = Uuid::new_v4().simple().to_string();
    let seconds = clock::now() / 1_000;
    let (root, parent) = (&root[..24], &parent[..16]);
    format!("Root=1-{seconds:08x}-{root};Parent={parent};Sampled=0")
}
