//! Slicing: ends an invocation between two bodies before its time is up.

use std::collections::HashMap;
use std::time::Duration;

use super::{Engine, OpIndex};
use crate::model::record::{Kind, Record};
use crate::{OperationId, Timestamp};

/// Name of the timers after which a service begins the next invocation. No call site can have it.
const SLICE: &str = "#slice";
/// Duration of such a timer: the shortest that a service accepts.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the duration of further timers in the same invocation is doubled at most.
const MAX_DOUBLINGS: u32 = 5;

/// Time that an invocation has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) ends_at: Timestamp,
    /// Total time. No longer body can ever fit.
    pub(crate) total: Duration,
    /// Time reserved for writing and for the response.
    pub(crate) reserve: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Slicing {
    budget: Option<Budget>,
    /// The longest time that a body of each call site took in this invocation.
    longest: HashMap<usize, Duration>,
    longest_of_all: Duration,
    /// Whether this invocation has recorded an outcome.
    progressed: bool,
    /// Whether the invocation ends early because a body did not fit.
    pub(super) sliced: bool,
    /// The timer after which the next invocation begins.
    timer: Option<OpIndex>,
    /// How many such timers this invocation has started.
    timers: u32,
    /// Whether no further body may begin.
    draining: bool,
}

/// Whether a body fits into the remaining time.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Yes,
    NotNow,
    Never(Duration),
}

impl Engine {
    /// Sets the time this invocation has.
    pub(crate) fn set_budget(&mut self, budget: Budget) {
        self.slicing.budget = Some(budget);
    }

    /// Returns `target`, or half of the invocation's time if that is less: a single body should not take longer.
    pub(crate) fn share_of_budget(&self, target: Duration) -> Duration {
        let half = self.slicing.budget.map(|budget| budget.total / 2);
        half.map_or(target, |half| target.min(half))
    }

    /// Ends the invocation as soon as nothing runs. The next one begins immediately.
    pub(crate) fn slice(&mut self) {
        self.slicing.sliced = true;
    }

    /// Lets no further body begin, and ends the invocation when those that run have ended.
    pub(crate) fn drain(&mut self) {
        (self.slicing.draining, self.slicing.sliced) = (true, true);
    }

    /// Returns whether the invocation is to end early.
    pub(crate) fn is_sliced(&self) -> bool {
        self.slicing.sliced
    }

    /// Starts a short timer after which a service begins the next invocation, unless one is running. If the last one
    /// ended while this invocation still wrote, the next one is longer.
    ///
    /// It is an internal operation that no call site registers.
    pub(crate) fn start_slice_timer(&mut self, now: Timestamp) {
        if self.has_slice_timer() {
            return;
        }
        let (root, (id, occurrence)) = (OperationId::ROOT, self.next_internal(SLICE));
        let mut record = Record::started(0, id, root, Kind::Wait, SLICE, occurrence, now);
        let factor = 1 << self.slicing.timers.min(MAX_DOUBLINGS);
        record.due_at = Some(now.after(PAUSE * factor));
        let op = self.add_internal(record);
        self.slicing.timer = Some(op);
        self.slicing.timers += 1;
        self.enqueue(op, true);
    }

    /// Returns whether that timer was started and has not ended.
    pub(crate) fn has_slice_timer(&self) -> bool {
        self.slicing.timer.is_some_and(|op| !self.is_settled(op))
    }

    /// Returns when the invocation has to end.
    pub(crate) fn ends_at(&self) -> Option<Timestamp> {
        self.slicing.budget.map(|budget| budget.ends_at)
    }

    pub(super) fn fits(&mut self, op: OpIndex, timeout: Option<Duration>, now: Timestamp) -> Fit {
        let slicing = &mut self.slicing;
        if slicing.draining {
            return Fit::NotNow;
        }
        let Some(budget) = slicing.budget else {
            return Fit::Yes;
        };
        if timeout.is_some_and(|timeout| timeout > budget.total) {
            return Fit::Never(budget.total);
        }
        let site = self.operations[op.index()]
            .site
            .map(|site| std::ptr::from_ref(site) as usize);
        let seen = site.and_then(|site| slicing.longest.get(&site).copied());
        let need = timeout.or(seen).unwrap_or(slicing.longest_of_all) + budget.reserve;
        if slicing.progressed && (slicing.sliced || now.after(need) > budget.ends_at) {
            slicing.sliced = true;
            return Fit::NotNow;
        }
        Fit::Yes
    }

    /// Notes how long a body of `op` ran.
    pub(crate) fn ran_for(&mut self, op: OpIndex, took: Duration) {
        let site = self.operations[op.index()]
            .site
            .map(|site| std::ptr::from_ref(site) as usize);
        let slicing = &mut self.slicing;
        if slicing.budget.is_none() {
            return;
        }
        slicing.longest_of_all = slicing.longest_of_all.max(took);
        if let Some(site) = site {
            let longest = slicing.longest.entry(site).or_default();
            *longest = took.max(*longest);
        }
    }

    pub(super) fn progressed(&mut self) {
        self.slicing.progressed = true;
        self.cautious = false;
    }
}
