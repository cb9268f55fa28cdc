//! Ends an invocation before its time is up, between two bodies.

use std::collections::HashMap;
use std::time::Duration;

use super::{Engine, OpIndex};
use crate::model::record::{Kind, Record};
use crate::{OperationId, Timestamp};

/// Name of the timers that a sliced execution leaves behind: none that a call site can have.
const SLICE: &str = "#slice";
/// How long they last: the least that a service takes.
const PAUSE: Duration = Duration::from_secs(1);
/// So often the length of a further one in the same invocation is doubled at most.
const MOST_DOUBLINGS: u32 = 5;

/// The time an invocation has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) ends_at: Timestamp,
    /// What it had in all: no body that takes longer can ever fit.
    pub(crate) whole: Duration,
    /// Time that is left over for writing and answering.
    pub(crate) reserve: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Slicing {
    budget: Option<Budget>,
    /// The longest that a body of each call site took in this invocation.
    longest: HashMap<usize, Duration>,
    longest_of_all: Duration,
    /// Whether this invocation has recorded an outcome.
    progressed: bool,
    /// Whether a body did not fit any more.
    pub(super) sliced: bool,
    /// The timer that was left behind for the next invocation, and how many of this one were.
    left: Option<OpIndex>,
    times: u32,
    /// Whether no further body is to begin.
    draining: bool,
}

/// Whether a body fits into what is left.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Yes,
    NotNow,
    Never(Duration),
}

impl Engine {
    /// The time this invocation has.
    pub(crate) fn limit_to(&mut self, budget: Budget) {
        self.slicing.budget = Some(budget);
    }

    /// `target`, or what of an invocation's time a single body should take at most: half of it.
    pub(crate) fn share_of_budget(&self, target: Duration) -> Duration {
        let whole = self.slicing.budget.map(|budget| budget.whole / 2);
        whole.map_or(target, |half| target.min(half))
    }

    /// Ends the invocation as soon as nothing runs; the next one begins at once.
    pub(crate) fn slice(&mut self) {
        self.slicing.sliced = true;
    }

    /// Begins no further body, and ends the invocation as soon as those that run have ended.
    pub(crate) fn drain(&mut self) {
        (self.slicing.draining, self.slicing.sliced) = (true, true);
    }

    /// Whether a body did not fit any more, so that the invocation is to end.
    pub(crate) fn is_sliced(&self) -> bool {
        self.slicing.sliced
    }

    /// Queues a short timer for which a service begins the next invocation, unless one is there. One that
    /// has ended while the invocation still wrote something begins no other: then a longer one is left.
    ///
    /// An operation of its own that no call site claims: identity by name is what allows it.
    pub(crate) fn leave_timer(&mut self, now: Timestamp) {
        if self.has_left_timer() {
            return;
        }
        let (root, (id, at)) = (OperationId::ROOT, self.next_internal(SLICE));
        let mut record = Record::started(0, id, root, Kind::Wait, SLICE, at, now);
        let longer = 1 << self.slicing.times.min(MOST_DOUBLINGS);
        record.due_at = Some(now.after(PAUSE * longer));
        let op = self.add_internal(record);
        self.slicing.left = Some(op);
        self.slicing.times += 1;
        self.enqueue(op, true);
    }

    /// Whether that timer was queued and is still to end.
    pub(crate) fn has_left_timer(&self) -> bool {
        self.slicing.left.is_some_and(|op| !self.is_settled(op))
    }

    /// When the invocation has to be over.
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
        if timeout.is_some_and(|timeout| timeout > budget.whole) {
            return Fit::Never(budget.whole);
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

    /// A body of `op` ran for this long.
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
