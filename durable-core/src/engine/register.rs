//! A call site takes its place in the history.

use super::operation::Persistence;
use super::quota::Used;
use super::scope::ScopeIndex;
use super::{Engine, IdMap, OpIndex, OperationState, Outcome, StopReason, mismatch};
use crate::model::fingerprint::Input;
use crate::model::payload::Payload;
use crate::model::record::{Kind, Record, Status};
use crate::model::site::{Repeat, Site};
use crate::{Occurrence, OperationId};

/// What tells this run of a call site apart, as far as the caller knows.
#[derive(Debug)]
pub(crate) enum RunKey {
    /// The site says it all: once, or the next turn.
    FromSite,
    /// The user's key.
    Key(String),
}

impl Engine {
    /// The operation that `site` stands for in this scope, claimed for this invocation.
    ///
    /// A operation that cannot be right (another kind is recorded, or the identity was claimed before)
    /// stops the invocation.
    pub(crate) fn register(
        &mut self,
        scope: ScopeIndex,
        site: &'static Site,
        turn: RunKey,
    ) -> OpIndex {
        let (parent, records) = (self.scope(scope).id, self.scope(scope).records);
        let occurrence = match (turn, site.repeat) {
            (RunKey::Key(key), _) => Occurrence::Keyed(key),
            (RunKey::FromSite, Repeat::Ordered) => {
                Occurrence::Ordered(self.scope(scope).take_turn(site))
            }
            (RunKey::FromSite, _) => Occurrence::Once,
        };
        // In a branch without a record, those of its siblings look the same: only the id tells.
        let by_look = parent == records && !self.limits.service_driven;
        if by_look && self.is_expected(parent, site, &occurrence) {
            return self.register_known(OpIndex::at(self.expected), scope, site, &occurrence);
        }
        let id = OperationId::of(parent, site.name, &occurrence);
        if self.limits.service_driven && self.is_expected_id(id) {
            return self.register_known(OpIndex::at(self.expected), scope, site, &occurrence);
        }
        let index = self.index();
        let known = index.get(&id).copied();
        let known = match known {
            None if !site.was.is_empty() => self.register_earlier(scope, site, &occurrence),
            known => known,
        };
        match known {
            Some(op) => self.register_known(op, scope, site, &occurrence),
            None => {
                let op = OpIndex::at(self.operations.len());
                let order = self.place_live(scope);
                let state = OperationState::live(id, records, site, occurrence, order, scope);
                self.operations.push(state);
                self.note_timer(scope, site, op);
                self.index().insert(id, op);
                op
            }
        }
    }

    /// Whether the record after the one claimed last is the one asked for. Then neither a hash nor
    /// a look-up is needed, which makes a replay in the recorded order several times faster.
    fn is_expected(&self, parent: OperationId, site: &Site, occurrence: &Occurrence) -> bool {
        self.operations.get(self.expected).is_some_and(|state| {
            state.is_recorded()
                && state.record.kind == site.kind
                && state.record.parent == parent
                && state.record.name == site.name
                && state.record.occurrence == *occurrence
        })
    }

    /// The same where only the id tells: no look-up is needed at least.
    fn is_expected_id(&self, id: OperationId) -> bool {
        let expected = self.operations.get(self.expected);
        expected.is_some_and(|state| state.is_recorded() && state.record.id == id)
    }

    fn register_known(
        &mut self,
        op: OpIndex,
        scope: ScopeIndex,
        site: &'static Site,
        run: &Occurrence,
    ) -> OpIndex {
        let state = &mut self.operations[op.index()];
        if let Some(report) = mismatch::check(state, site) {
            self.halt(StopReason::Blocked(report));
            return op;
        }
        state.site = Some(site);
        state.scope = scope;
        let (recorded, moved) = (state.is_recorded(), state.recorded_scope().is_some());
        // Only where scopes hide what stands in them.
        let used = (!self.limits.keeps_children).then(|| Used::of(&state.record));
        if site.kind.is_scope() && state.record.occurrence != *run {
            self.runs_now.insert(op, run.clone());
        }
        self.note_timer(scope, site, op);
        if recorded {
            self.registered_from(op);
            if let Some(used) = used {
                self.used_by(op).add(used);
            }
        }
        let state = &self.operations[op.index()];
        let order = state.record.order;
        self.expected = op.index() + 1;
        if !self.limits.service_driven && !moved {
            self.notice_order(scope, site, op, order);
        }
        op
    }

    fn note_timer(&mut self, scope: ScopeIndex, site: &Site, op: OpIndex) {
        if site.kind == Kind::Wait {
            self.scope(scope).timers.push(op);
        }
    }

    pub(super) fn index(&mut self) -> &mut IdMap<OpIndex> {
        let operations = &self.operations;
        self.index.get_or_insert_with(|| {
            let ops = operations.iter().enumerate();
            ops.map(|(at, state)| (state.record.id, OpIndex::at(at)))
                .collect()
        })
    }

    /// `op` leaves no record, unless it has left one. What stands in it is recorded as part of what
    /// is around it.
    pub(crate) fn leave_no_record(&mut self, op: OpIndex) {
        let state = &mut self.operations[op.index()];
        if !state.is_recorded() {
            state.persistence = Persistence::Unrecorded;
        }
    }

    /// Whether `op` leaves no record.
    pub(crate) fn is_bare(&self, op: OpIndex) -> bool {
        self.operations[op.index()].is_unrecorded()
    }

    /// `op` has ended like this, as the record of what is around it says.
    pub(crate) fn answer_with(&mut self, op: OpIndex, outcome: Outcome) {
        let state = &mut self.operations[op.index()];
        state.persistence = Persistence::Unrecorded;
        let record = &mut state.record;
        (record.status, record.payload, record.error) = match outcome {
            Outcome::Error(error) => (Status::Failed, None, Some(error)),
            Outcome::Value(payload) => (Status::Succeeded, Some(payload), None),
            Outcome::Done => (Status::Succeeded, None, None),
        };
    }

    /// The value that is recorded of `op`.
    pub(crate) fn value(&self, op: OpIndex) -> Option<Payload> {
        self.operations[op.index()].record.payload.clone()
    }

    /// `op` is asked for with the input of this fingerprint. Where another one is recorded, its outcome
    /// is that of something else.
    pub(crate) fn called_with(&mut self, op: OpIndex, input: &Input) {
        let state = &mut self.operations[op.index()];
        let given = input.fingerprint(state.record.id);
        let report = match (given, state.record.fingerprint) {
            (Err(error), _) => mismatch::no_fingerprint(state, error),
            (Ok(given), Some(recorded))
                if given != recorded && !input.matches_rounded(state.record.id, recorded) =>
            {
                mismatch::other_input(state)
            }
            (Ok(given), None) if state.record.seq == 0 => {
                state.record.fingerprint = Some(given);
                return;
            }
            // The same input, or one from before its fingerprint was recorded.
            (Ok(_), _) => return,
        };
        self.halt(StopReason::Blocked(report));
    }

    /// `op` runs the function of this name, for reports.
    pub(crate) fn calls(&mut self, op: OpIndex, function: &str, sites: &'static [Site]) {
        self.runs_function(Some(op), sites);
        let record = &mut self.operations[op.index()].record;
        if record.seq == 0 {
            record.handle = Some(function.to_owned());
        }
    }

    /// How this run is to be written in histories; kept from the first time on.
    pub(crate) fn label(&mut self, op: OpIndex, label: impl FnOnce() -> String) {
        let state = &mut self.operations[op.index()];
        let record = &mut state.record;
        if record.seq == 0 {
            record.label = Some(label());
        }
    }
}

impl OperationState {
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
            scope,
            site: Some(site),
            ..Self::new(record)
        }
    }
}
