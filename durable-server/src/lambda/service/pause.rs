//! Pauses and resumes executions.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::execution::Execution;
use super::head::{MAX_LIFETIME, Moment};
use super::history;
use super::operation::seconds;
use super::wire::Refusal;

/// Requested or completed pause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pause {
    pub(super) requested: u64,
    pub(super) reason: Option<String>,
    /// Whether the execution timeout is paused too.
    pub(super) timeout_paused: bool,
    client_token: Option<String>,
    /// Time at which the last invocation ended.
    completed: Option<u64>,
    /// Milliseconds left of the execution timeout.
    left: Option<u64>,
}

impl Pause {
    pub(super) fn is_complete(&self) -> bool {
        self.completed.is_some()
    }
}

impl Execution {
    /// Pauses the execution: no further invocation starts, and the one in flight is interrupted at
    /// its next checkpoint.
    pub(crate) fn pause(
        &mut self,
        client_token: Option<String>,
        reason: Option<String>,
        timeout_paused: bool,
        at: Moment,
    ) -> Result<(), Refusal> {
        self.advance(at);
        if let Some(pause) = &self.head.pause {
            if client_token.is_some() && pause.client_token == client_token {
                return Ok(());
            }
            return Err(Refusal::conflict("The execution is already paused."));
        }
        if !self.is_running() {
            return Err(Refusal::conflict("The execution is not running."));
        }
        let deadline = self.head.deadline;
        let left = deadline.filter(|_| timeout_paused);
        let left = left.map(|deadline| deadline.saturating_sub(at.now));
        if left.is_some() {
            self.head.deadline = Some(self.latest_end(at));
        }
        self.head.pause = Some(Pause {
            requested: at.now,
            reason,
            timeout_paused,
            client_token,
            completed: None,
            left,
        });
        if self.head.invocation.is_none() {
            self.complete_pause(at.now);
        }
        Ok(())
    }

    /// Whether the invocation in flight gets no further token.
    pub(super) fn withholds(&mut self, at: Moment) -> bool {
        if self.head.pause.is_none() {
            return false;
        }
        self.head.withheld = true;
        self.complete_pause(at.now);
        true
    }

    pub(super) fn complete_pause(&mut self, now: u64) {
        let Some(pause) = &mut self.head.pause else {
            return;
        };
        if pause.is_complete() {
            return;
        }
        pause.completed = Some(now);
        let mut details = json!({
            "PauseRequestTimestamp": seconds(pause.requested),
            "ExecutionTimeoutPaused": pause.timeout_paused,
        });
        if let Some(reason) = &pause.reason {
            details["Reason"] = history::wrapped(Some(reason));
        }
        self.execution_event("ExecutionPaused", now, details);
    }

    /// Resumes a paused execution.
    pub(crate) fn resume(
        &mut self,
        client_token: Option<String>,
        reason: Option<String>,
        at: Moment,
    ) -> Result<(), Refusal> {
        self.advance(at);
        let Some(pause) = self.head.pause.take_if(|_| self.head.ending.is_none()) else {
            if client_token.is_some() && self.head.resumed_by == client_token {
                return Ok(());
            }
            return Err(Refusal::conflict("The execution is not paused."));
        };
        self.head.resumed_by = client_token;
        if let Some(left) = pause.left {
            let end = at.now.saturating_add(left);
            self.head.deadline = Some(end.min(self.latest_end(at)));
        }
        if pause.is_complete() {
            let mut details = json!({ "ResumeRequestTimestamp": seconds(at.now) });
            if let Some(reason) = reason {
                details["Reason"] = history::wrapped(Some(&reason));
            }
            self.execution_event("ExecutionResumed", at.now, details);
        }
        if self.head.withheld && self.head.wake.is_none() {
            self.head.wake = Some(at.now);
        }
        Ok(())
    }

    fn latest_end(&self, at: Moment) -> u64 {
        self.head.started.saturating_add(at.millis(MAX_LIFETIME))
    }
}
