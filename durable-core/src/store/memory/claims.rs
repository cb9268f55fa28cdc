//! Claims of due executions by workers.

use std::sync::Arc;

use super::entry::{Entry, Holder};
use super::executions::Executions;
use crate::store::{ClaimRequest, Claimed, Lease, WorkerFilter};
use crate::{ExecutionId, Timestamp};

/// Execution that a claim may grant: the time it is due, its id and the worker's build of its handler.
pub(super) type Candidate = (Timestamp, ExecutionId, String);

impl Executions {
    pub(super) fn claim_due(
        &mut self,
        holder: &Arc<Holder>,
        filter: &WorkerFilter,
        request: ClaimRequest,
    ) -> Claimed {
        self.entries.update_indexes();
        let mut claimed = Claimed {
            next_firing: self.next_firing(),
            ..Claimed::default()
        };
        let mut candidates = self.due(filter, request, &mut claimed.next_due);
        candidates.extend(self.admissible(filter, request, &mut claimed.next_due));
        for (at, id, build) in candidates {
            if claimed.leases.len() >= request.limit {
                set_earlier(&mut claimed.next_due, at);
                continue;
            }
            let lease = self.grant(holder, &id, &build, request);
            claimed.leases.extend(lease);
        }
        claimed
    }

    fn grant(
        &mut self,
        holder: &Arc<Holder>,
        id: &ExecutionId,
        build: &str,
        request: ClaimRequest,
    ) -> Option<Lease> {
        let entry = self.entries.get_mut(id)?;
        let waited = entry.execution.waits_in_queue();
        let lease = entry
            .claim(holder, request.now, request.ttl, Some(build))
            .ok()?;
        if let Some(entry) = lease.execution.queue.as_ref().filter(|_| waited) {
            let queue = self.queues.get(&entry.queue);
            self.queues.note_start(&queue, request.now);
        }
        Some(lease)
    }

    /// Returns executions to take over or try again, if requested, and due executions that do not wait in a queue, soonest
    /// first.
    fn due(
        &self,
        filter: &WorkerFilter,
        request: ClaimRequest,
        next_due: &mut Option<Timestamp>,
    ) -> Vec<Candidate> {
        let mut due = match request.recover {
            true => self.recoverable(filter, request.now),
            false => Vec::new(),
        };
        let mut found = 0;
        for (at, entry) in self.entries.due() {
            let Some(build) = build_for(filter, entry) else {
                continue;
            };
            if at > request.now || found == request.limit {
                set_earlier(next_due, at);
                break;
            }
            found += 1;
            due.push((at, entry.execution.id.clone(), build.to_owned()));
        }
        due.sort();
        due
    }

    /// Returns executions whose holders have died, and blocked ones that this build has not tried.
    fn recoverable(&self, filter: &WorkerFilter, now: Timestamp) -> Vec<Candidate> {
        let recoverable = self.entries.recoverable().filter_map(|entry| {
            let build = build_for(filter, entry)?;
            let abandoned = entry.is_abandoned(now) && entry.execution.ensure_claimable().is_ok();
            (abandoned || entry.is_untried_by(build))
                .then(|| (now, entry.execution.id.clone(), build.to_owned()))
        });
        recoverable.collect()
    }

    fn next_firing(&self) -> Option<Timestamp> {
        let active = self.schedules.values().filter(|schedule| !schedule.paused);
        active.filter_map(|schedule| schedule.next_at).min()
    }
}

/// Returns the worker's build of the entry's handler, if it has that handler.
pub(super) fn build_for<'a>(filter: &'a WorkerFilter, entry: &Entry) -> Option<&'a str> {
    let name = &entry.execution.handler;
    let handler = filter
        .handlers
        .iter()
        .find(|handler| handler.name == *name)?;
    Some(handler.build.as_str())
}

pub(super) fn set_earlier(next_due: &mut Option<Timestamp>, at: Timestamp) {
    *next_due = Some(next_due.map_or(at, |next| next.min(at)));
}
