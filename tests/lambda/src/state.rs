//! Everything the fake knows, behind one lock.

use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;

use crate::config::Config;
use crate::execution::{Execution, Verdict};
use crate::fault::Faults;
use crate::functions::Function;
use crate::record::{Invocation, InvocationEnd, Record};
use crate::sandbox::Program;
use crate::wire::{self, ErrorObject};

#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

/// An invocation that nobody has taken yet.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) request_id: String,
    /// Whose event is made when it is taken.
    pub(crate) arn: Option<String>,
    /// The event of an invocation that belongs to no execution.
    pub(crate) payload: Value,
}

/// An invocation that was taken and has not ended.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) arn: Option<String>,
    pub(crate) deadline: u64,
    /// Its place in the record.
    record: usize,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) executions: HashMap<String, Execution>,
    pub(crate) queue: VecDeque<Queued>,
    pub(crate) flights: HashMap<String, Flight>,
    pub(crate) record: Record,
    pub(crate) checkpoint_faults: Faults,
    pub(crate) state_faults: Faults,
    /// When throttling began.
    pub(crate) throttled: Option<u64>,
    pub(crate) functions: HashMap<String, Function>,
    /// What invocations are run by, if the fake runs it.
    pub(crate) program: Option<Program>,
    /// The process is to be killed now.
    pub(crate) kill: bool,
    /// The process is to be replaced once it is idle.
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
                flights: HashMap::new(),
                record: Record::default(),
                checkpoint_faults: Faults::default(),
                state_faults: Faults::default(),
                throttled: None,
                functions: HashMap::new(),
                program: None,
                kill: false,
                retire: false,
                requests: 0,
            }),
            changed: Notify::new(),
        })
    }

    /// To look only; what changes something goes through [`Shared::change`].
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let value = change(&mut self.lock());
        self.changed.notify_waiters();
        value
    }

    /// Waits until `look` finds something, which may change what it finds.
    pub(crate) async fn until<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let found = look(&mut self.lock());
            if let Some(found) = found {
                self.changed.notify_waiters();
                return found;
            }
            changed.await;
        }
    }

    /// Moves on everything that time moves, for ever.
    pub(crate) async fn keep_time(&self) {
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

    /// Moves on what is due and queues invocations; when something is due next, and whether
    /// anything was done.
    fn reconcile(&mut self, now: u64) -> (Option<u64>, bool) {
        let mut moved = false;
        let mut next: Option<u64> = None;
        let mut due = |at: u64| next = Some(next.map_or(at, |next| next.min(at)));
        let mut wanted = Vec::new();
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
            match execution.wake {
                Some(wake) if wake > now => due(wake),
                Some(_) => wanted.push(arn.clone()),
                None if execution.has_news() => wanted.push(arn.clone()),
                None => {}
            }
        }
        let late: Vec<String> = self
            .flights
            .iter()
            .filter(|(_, flight)| {
                due(flight.deadline.max(now + 1));
                flight.deadline <= now
            })
            .map(|(request, _)| request.clone())
            .collect();
        moved |= !wanted.is_empty() || !late.is_empty();
        wanted
            .into_iter()
            .for_each(|arn| self.queue_invocation(arn));
        for request in late {
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
        self.queue.push_back(Queued {
            request_id,
            arn: Some(arn),
            payload: Value::Null,
        });
    }

    /// Hands out the next invocation: its id, its event, and when its time is over.
    pub(crate) fn take(&mut self) -> Option<(String, Value, u64)> {
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
        self.flights.insert(
            queued.request_id.clone(),
            Flight {
                arn: queued.arn.clone(),
                deadline,
                record: self.record.invocations.len(),
            },
        );
        self.record.invocations.push(Invocation {
            request_id: queued.request_id.clone(),
            arn: queued.arn,
            event_bytes: event.to_string().len(),
            end: None,
        });
        Some((queued.request_id, event, deadline))
    }

    /// The request id of the invocation that an execution is in.
    pub(crate) fn invocation_of(&self, arn: &str) -> Option<String> {
        let mut flights = self.flights.iter();
        let flight = flights.find(|(_, flight)| flight.arn.as_deref() == Some(arn));
        flight.map(|(request, _)| request.clone())
    }

    fn land(&mut self, request: &str, end: InvocationEnd) -> Option<Flight> {
        let flight = self.flights.remove(request)?;
        self.record.invocations[flight.record].end = Some(end);
        self.retire |= self.program.as_ref().is_some_and(|program| program.fresh);
        if let Some(execution) = self.execution_of(&flight) {
            execution.invoked = false;
        }
        Some(flight)
    }

    fn execution_of(&mut self, flight: &Flight) -> Option<&mut Execution> {
        self.executions.get_mut(flight.arn.as_ref()?)
    }

    /// The invocation ended with an answer of the handler; whether it was one that had begun.
    pub(crate) fn answer(&mut self, request: &str, output: Value, now: u64) -> bool {
        let Some(flight) = self.land(request, InvocationEnd::Output(output.clone())) else {
            return false;
        };
        let verdict = self
            .execution_of(&flight)
            .map(|execution| execution.output(&output, now));
        if verdict.is_some_and(|verdict| verdict != Verdict::Taken) {
            self.record.improper_outputs.push(output);
        }
        true
    }

    /// The invocation failed.
    pub(crate) fn fail(
        &mut self,
        request: &str,
        end: InvocationEnd,
        error: ErrorObject,
        now: u64,
    ) -> bool {
        let Some(flight) = self.land(request, end) else {
            return false;
        };
        if let Some(execution) = self.execution_of(&flight) {
            execution.invocation_failed(error, now);
        }
        true
    }

    /// The process is gone; what it was doing has failed.
    pub(crate) fn process_ended(&mut self, how: &str, wanted: bool) {
        let now = wire::now();
        let mut lost: Vec<String> = self.flights.keys().cloned().collect();
        self.kill = false;
        self.retire = false;
        if lost.is_empty() && !wanted {
            // It never asked for work: that is a failed invocation, or this would go on for ever.
            lost.extend(self.take().map(|(request, _, _)| request));
        }
        for request in lost {
            let error = ErrorObject::new("Runtime.ExitError", how);
            self.fail(&request, InvocationEnd::Exited(how.to_owned()), error, now);
        }
        self.retire = false;
    }
}
