//! State of the fake, behind one lock.

use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;

use crate::config::Config;
use crate::execution::{Execution, OutputCheck};
use crate::fault::Faults;
use crate::functions::Function;
use crate::recording::{Invocation, InvocationEnd, Recording};
use crate::sandbox::Program;
use crate::wire::{self, ErrorObject};

#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

/// Invocation that the function has not fetched yet.
#[derive(Debug)]
pub(crate) struct QueuedInvocation {
    pub(crate) request_id: String,
    /// ARN of the execution. Its event is built when the invocation is taken.
    pub(crate) arn: Option<String>,
    /// Event of an invocation outside any execution.
    pub(crate) payload: Value,
}

/// Invocation that the function has fetched and not finished.
#[derive(Debug)]
pub(crate) struct ActiveInvocation {
    pub(crate) arn: Option<String>,
    pub(crate) deadline: u64,
    /// Its index in the recording.
    index: usize,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) executions: HashMap<String, Execution>,
    pub(crate) queue: VecDeque<QueuedInvocation>,
    pub(crate) active: HashMap<String, ActiveInvocation>,
    pub(crate) recording: Recording,
    pub(crate) checkpoint_faults: Faults,
    pub(crate) state_faults: Faults,
    /// Time of the first throttled call.
    pub(crate) throttled_since: Option<u64>,
    pub(crate) functions: HashMap<String, Function>,
    /// Program that runs the invocations, if the fake starts one.
    pub(crate) program: Option<Program>,
    /// Whether to kill the process now.
    pub(crate) kill: bool,
    /// Whether to replace the process once it is idle.
    pub(crate) retire: bool,
    requests: u64,
}

impl Shared {
    pub(crate) fn new(config: Config) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                config,
                executions: HashMap::new(),
                queue: VecDeque::new(),
                active: HashMap::new(),
                recording: Recording::default(),
                checkpoint_faults: Faults::default(),
                state_faults: Faults::default(),
                throttled_since: None,
                functions: HashMap::new(),
                program: None,
                kill: false,
                retire: false,
                requests: 0,
            }),
            changed: Notify::new(),
        })
    }

    /// Locks the state for reading. Changes go through [`Shared::change`].
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let value = change(&mut self.lock());
        self.changed.notify_waiters();
        value
    }

    /// Waits until `condition` returns a value. The condition may change the state when it does.
    pub(crate) async fn wait_until<T>(
        &self,
        mut condition: impl FnMut(&mut State) -> Option<T>,
    ) -> T {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let value = condition(&mut self.lock());
            if let Some(value) = value {
                self.changed.notify_waiters();
                return value;
            }
            changed.await;
        }
    }

    /// Fires timers and deadlines until the task is aborted.
    pub(crate) async fn run_timers(&self) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let (next, moved) = self.lock().reconcile(wire::now());
            if moved {
                self.changed.notify_waiters();
                continue;
            }
            let wait = next.map_or(Duration::from_secs(3600), |next| {
                Duration::from_millis(next.saturating_sub(wire::now()).max(1))
            });
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

impl State {
    pub(crate) fn new_request_id(&mut self) -> String {
        self.requests += 1;
        format!("8476a536-e9f4-11e8-9739-{:012x}", self.requests)
    }

    /// Fires what is due and queues invocations. Returns the next due time and whether anything changed.
    fn reconcile(&mut self, now: u64) -> (Option<u64>, bool) {
        let mut moved = false;
        let mut next: Option<u64> = None;
        let mut due = |at: u64| next = Some(next.map_or(at, |next| next.min(at)));
        let mut to_invoke = Vec::new();
        for (arn, execution) in &mut self.executions {
            let before = execution.is_running();
            if execution.next_due().is_some_and(|due| due <= now) {
                execution.advance(now);
                moved = true;
            }
            moved |= before != execution.is_running();
            execution.next_due().into_iter().for_each(&mut due);
            if !execution.is_running() || execution.invoked {
                continue;
            }
            match execution.wake_at {
                Some(wake_at) if wake_at > now => due(wake_at),
                Some(_) => to_invoke.push(arn.clone()),
                None if execution.has_unseen_changes() => to_invoke.push(arn.clone()),
                None => {}
            }
        }
        let timed_out: Vec<String> = self
            .active
            .iter()
            .filter(|(_, invocation)| {
                due(invocation.deadline.max(now + 1));
                invocation.deadline <= now
            })
            .map(|(request, _)| request.clone())
            .collect();
        moved |= !to_invoke.is_empty() || !timed_out.is_empty();
        to_invoke
            .into_iter()
            .for_each(|arn| self.queue_invocation(arn));
        for request in timed_out {
            self.kill = self.program.is_some();
            let error = ErrorObject::new("Sandbox.Timedout", "Task timed out");
            self.fail(&request, InvocationEnd::TimedOut, error, now);
        }
        (next, moved)
    }

    fn queue_invocation(&mut self, arn: String) {
        let request_id = self.new_request_id();
        if let Some(execution) = self.executions.get_mut(&arn) {
            execution.invoked = true;
        }
        self.queue.push_back(QueuedInvocation {
            request_id,
            arn: Some(arn),
            payload: Value::Null,
        });
    }

    /// Takes the next invocation: its id, its event and its deadline.
    pub(crate) fn take_invocation(&mut self) -> Option<(String, Value, u64)> {
        if self.kill || self.retire {
            return None;
        }
        let queued = self.queue.pop_front()?;
        let execution = queued
            .arn
            .as_ref()
            .and_then(|arn| self.executions.get_mut(arn));
        let event = execution.map_or(queued.payload, Execution::event);
        let deadline = wire::now() + self.config.deadline.as_millis() as u64;
        self.active.insert(
            queued.request_id.clone(),
            ActiveInvocation {
                arn: queued.arn.clone(),
                deadline,
                index: self.recording.invocations.len(),
            },
        );
        self.recording.invocations.push(Invocation {
            request_id: queued.request_id.clone(),
            arn: queued.arn,
            event_bytes: event.to_string().len(),
            end: None,
        });
        Some((queued.request_id, event, deadline))
    }

    /// Returns the request id of the execution's current invocation.
    pub(crate) fn invocation_of(&self, arn: &str) -> Option<String> {
        let mut active = self.active.iter();
        let invocation = active.find(|(_, invocation)| invocation.arn.as_deref() == Some(arn));
        invocation.map(|(request, _)| request.clone())
    }

    fn finish(&mut self, request: &str, end: InvocationEnd) -> Option<ActiveInvocation> {
        let invocation = self.active.remove(request)?;
        self.recording.invocations[invocation.index].end = Some(end);
        self.retire |= self.program.as_ref().is_some_and(|program| program.fresh);
        if let Some(execution) = self.execution_of(&invocation) {
            execution.invoked = false;
        }
        Some(invocation)
    }

    fn execution_of(&mut self, invocation: &ActiveInvocation) -> Option<&mut Execution> {
        self.executions.get_mut(invocation.arn.as_ref()?)
    }

    /// Ends an invocation with the handler's output. Returns whether the invocation was active.
    pub(crate) fn succeed(&mut self, request: &str, output: Value, now: u64) -> bool {
        let Some(invocation) = self.finish(request, InvocationEnd::Output(output.clone())) else {
            return false;
        };
        let check = self
            .execution_of(&invocation)
            .map(|execution| execution.invocation_succeeded(&output, now));
        if check.is_some_and(|check| check != OutputCheck::Accepted) {
            self.recording.rejected_outputs.push(output);
        }
        true
    }

    /// Ends an invocation with a failure. Returns whether the invocation was active.
    pub(crate) fn fail(
        &mut self,
        request: &str,
        end: InvocationEnd,
        error: ErrorObject,
        now: u64,
    ) -> bool {
        let Some(invocation) = self.finish(request, end) else {
            return false;
        };
        if let Some(execution) = self.execution_of(&invocation) {
            execution.invocation_failed(error, now);
        }
        true
    }

    /// Fails the invocations of a process that has ended.
    pub(crate) fn process_ended(&mut self, reason: &str, expected: bool) {
        let now = wire::now();
        let mut lost: Vec<String> = self.active.keys().cloned().collect();
        self.kill = false;
        self.retire = false;
        if lost.is_empty() && !expected {
            // The process never fetched an invocation. Failing one keeps it from being restarted forever.
            lost.extend(self.take_invocation().map(|(request, _, _)| request));
        }
        for request in lost {
            let error = ErrorObject::new("Runtime.ExitError", reason);
            let end = InvocationEnd::Exited(reason.to_owned());
            self.fail(&request, end, error, now);
        }
        self.retire = false;
    }
}
