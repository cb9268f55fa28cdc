//! A call site takes its place in the history.

use super::order::ScopeIndex;
use super::quota::Used;
use super::{Engine, IdMap, Op, Outcome, Slot, Stop, mismatch};
use crate::model::fingerprint::Input;
use crate::model::payload::Payload;
use crate::model::record::{Kind, Record, Status};
use crate::model::site::{Repeat, Site};
use crate::{Occurrence, OperationId};

/// What tells this run of a call site apart, as far as the caller knows.
#[derive(Debug)]
pub(crate) enum Turn {
    /// The site says it all: once, or the next turn.
    OfSite,
    /// The user's key.
    Key(String),
}

impl Engine {
    /// The operation that `site` stands for in this scope, claimed for this invocation.
    ///
    /// A claim that cannot be right (another kind is recorded, or the identity was claimed before)
    /// stops the invocation.
    pub(crate) fn claim(&mut self, scope: ScopeIndex, site: &'static Site, turn: Turn) -> Op {
        let (parent, records) = (self.scope(scope).id, self.scope(scope).records);
        let occurrence = match (turn, site.repeat) {
            (Turn::Key(key), _) => Occurrence::Keyed(key),
            (Turn::OfSite, Repeat::Ordered) => {
                Occurrence::Ordered(self.scope(scope).take_turn(site))
            }
            (Turn::OfSite, _) => Occurrence::Once,
        };
        // In a branch without a record, those of its siblings look the same: only the id tells.
        let by_look = parent == records && !self.limits.orchestrates;
        if by_look && self.is_expected(parent, site, &occurrence) {
            return self.answer_claim(Op::at(self.expected), scope, site, &occurrence);
        }
        let id = OperationId::of(parent, site.name, &occurrence);
        if self.limits.orchestrates && self.is_expected_id(id) {
            return self.answer_claim(Op::at(self.expected), scope, site, &occurrence);
        }
        let index = self.index();
        let known = index.get(&id).copied();
        let known = match known {
            None if !site.was.is_empty() => self.claim_earlier(scope, site, &occurrence),
            known => known,
        };
        match known {
            Some(op) => self.answer_claim(op, scope, site, &occurrence),
            None => {
                let op = Op::at(self.slots.len());
                let order = self.place_live(scope);
                let slot = Slot::live(id, records, site, occurrence, order, scope);
                self.slots.push(slot);
                self.note_timer(scope, site, op);
                self.index().insert(id, op);
                op
            }
        }
    }

    /// Whether the record after the one claimed last is the one asked for. Then neither a hash nor
    /// a look-up is needed, which makes a replay in the recorded order several times faster.
    fn is_expected(&self, parent: OperationId, site: &Site, occurrence: &Occurrence) -> bool {
        self.slots.get(self.expected).is_some_and(|slot| {
            slot.recorded
                && slot.record.kind == site.kind
                && slot.record.parent == parent
                && slot.record.name == site.name
                && slot.record.occurrence == *occurrence
        })
    }

    /// The same where only the id tells: no look-up is needed at least.
    fn is_expected_id(&self, id: OperationId) -> bool {
        let expected = self.slots.get(self.expected);
        expected.is_some_and(|slot| slot.recorded && slot.record.id == id)
    }

    fn answer_claim(
        &mut self,
        op: Op,
        scope: ScopeIndex,
        site: &'static Site,
        run: &Occurrence,
    ) -> Op {
        let slot = &mut self.slots[op.index()];
        if let Some(report) = mismatch::check(slot, site) {
            self.halt(Stop::Blocked(report));
            return op;
        }
        slot.site = Some(site);
        slot.scope = scope;
        let (recorded, moved) = (slot.recorded, slot.home.is_some());
        // Only where scopes hide what stands in them.
        let used = (!self.limits.keeps_children).then(|| Used::of(&slot.record));
        if site.kind.is_scope() && slot.record.occurrence != *run {
            self.runs_now.insert(op, run.clone());
        }
        self.note_timer(scope, site, op);
        if recorded {
            self.claimed_from(op);
            if let Some(used) = used {
                self.used_by(op).add(used);
            }
        }
        let slot = &self.slots[op.index()];
        let order = slot.record.order;
        self.expected = op.index() + 1;
        if !self.limits.orchestrates && !moved {
            self.notice_order(scope, site, op, order);
        }
        op
    }

    fn note_timer(&mut self, scope: ScopeIndex, site: &Site, op: Op) {
        if site.kind == Kind::Wait {
            self.scope(scope).timers.push(op);
        }
    }

    pub(super) fn index(&mut self) -> &mut IdMap<Op> {
        let slots = &self.slots;
        self.index.get_or_insert_with(|| {
            let ops = slots.iter().enumerate();
            ops.map(|(at, slot)| (slot.record.id, Op::at(at))).collect()
        })
    }

    /// `op` leaves no record, unless it has left one. What stands in it is recorded as part of what
    /// is around it.
    pub(crate) fn leave_no_record(&mut self, op: Op) {
        let slot = &mut self.slots[op.index()];
        slot.bare = !slot.recorded;
        slot.written |= slot.bare;
    }

    /// Whether `op` leaves no record.
    pub(crate) fn is_bare(&self, op: Op) -> bool {
        self.slots[op.index()].bare
    }

    /// `op` has ended like this, as the record of what is around it says.
    pub(crate) fn answer_with(&mut self, op: Op, outcome: Outcome) {
        let slot = &mut self.slots[op.index()];
        (slot.bare, slot.written) = (true, true);
        let record = &mut slot.record;
        (record.status, record.payload, record.error) = match outcome {
            Outcome::Error(error) => (Status::Failed, None, Some(error)),
            Outcome::Value(payload) => (Status::Succeeded, Some(payload), None),
            Outcome::Done => (Status::Succeeded, None, None),
        };
    }

    /// The value that is recorded of `op`.
    pub(crate) fn value(&self, op: Op) -> Option<Payload> {
        self.slots[op.index()].record.payload.clone()
    }

    /// `op` is asked for with the input of this fingerprint. Where another one is recorded, its outcome
    /// is that of something else.
    pub(crate) fn called_with(&mut self, op: Op, input: &Input) {
        let slot = &mut self.slots[op.index()];
        let given = input.fingerprint(slot.record.id);
        let report = match (given, slot.record.fingerprint) {
            (Err(error), _) => mismatch::no_fingerprint(slot, error),
            (Ok(given), Some(recorded))
                if given != recorded && !input.had(slot.record.id, recorded) =>
            {
                mismatch::other_input(slot)
            }
            (Ok(given), None) if slot.record.seq == 0 => {
                slot.record.fingerprint = Some(given);
                return;
            }
            // The same input, or one from before its fingerprint was recorded.
            (Ok(_), _) => return,
        };
        self.halt(Stop::Blocked(report));
    }

    /// `op` runs the function of this name, for reports.
    pub(crate) fn calls(&mut self, op: Op, function: &str, sites: &'static [Site]) {
        self.runs_function(Some(op), sites);
        let record = &mut self.slots[op.index()].record;
        if record.seq == 0 {
            record.handle = Some(function.to_owned());
        }
    }

    /// How this run is to be written in histories; kept from the first time on.
    pub(crate) fn label(&mut self, op: Op, label: impl FnOnce() -> String) {
        let slot = &mut self.slots[op.index()];
        let record = &mut slot.record;
        if record.seq == 0 {
            record.label = Some(label());
        }
    }
}

impl Slot {
    fn live(
        id: OperationId,
        parent: OperationId,
        site: &'static Site,
        occurrence: Occurrence,
        order: u64,
        scope: ScopeIndex,
    ) -> Self {
        let mut record = Record::started(
            0,
            id,
            parent,
            site.kind,
            site.name,
            occurrence,
            Default::default(),
        );
        record.order = order;
        record.secret = site.secret;
        Self {
            record,
            scope,
            site: Some(site),
            recorded: false,
            begun: false,
            queued: false,
            written: false,
            bare: false,
            inside: None,
            hides: false,
            adopted: false,
            home: None,
        }
    }
}
