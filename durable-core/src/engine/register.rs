//! Registration: a call site takes its place in the history.

use super::operation::Persistence;
use super::quota::Used;
use super::scope::ScopeIndex;
use super::{Engine, IdMap, OpIndex, OperationState, Outcome, StopReason, mismatch};
use crate::model::fingerprint::Input;
use crate::model::payload::Payload;
use crate::model::record::{Kind, Record, Status};
use crate::model::site::{Repeat, Site};
use crate::{Occurrence, OperationId};

/// What a call site passes to tell its runs apart.
#[derive(Debug)]
pub(crate) enum RunKey {
    /// Nothing: the call site runs once, or its runs are numbered.
    FromSite,
    /// A key that the user chose.
    Key(String),
}

impl Engine {
    /// Registers a run of `site` in a scope and returns its operation.
    ///
    /// Stops the invocation if the record does not fit: it has another kind, or was registered before.
    pub(crate) fn register(
        &mut self,
        scope: ScopeIndex,
        site: &'static Site,
        run: RunKey,
    ) -> OpIndex {
        let (parent, records) = (self.scope(scope).id, self.scope(scope).records);
        let occurrence = match (run, site.repeat) {
            (RunKey::Key(key), _) => Occurrence::Keyed(key),
            (RunKey::FromSite, Repeat::Ordered) => {
                Occurrence::Ordered(self.scope(scope).next_occurrence(site))
            }
            (RunKey::FromSite, _) => Occurrence::Once,
        };
        // In a branch without a record, the records of its siblings have the same parent: only the id differs.
        let compares_fields = parent == records && !self.limits.service_driven;
        let fits = |engine: &Self| engine.is_expected(parent, site, &occurrence);
        if compares_fields && (fits(self) || self.skip_internal() && fits(self)) {
            return self.register_known(OpIndex::new(self.expected), scope, site, &occurrence);
        }
        let id = OperationId::of(parent, site.name, &occurrence);
        if self.limits.service_driven && self.is_expected_id(id) {
            return self.register_known(OpIndex::new(self.expected), scope, site, &occurrence);
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
                let op = OpIndex::new(self.operations.len());
                let order = self.live_order(scope);
                let state = OperationState::live(id, records, site, occurrence, order, scope);
                self.operations.push(state);
                self.note_timer(scope, site, op);
                self.index().insert(id, op);
                op
            }
        }
    }

    /// Returns whether the record after the one registered last fits. Then neither a hash nor a lookup is needed,
    /// which makes a replay in the recorded order several times faster.
    fn is_expected(&self, parent: OperationId, site: &Site, occurrence: &Occurrence) -> bool {
        self.operations.get(self.expected).is_some_and(|state| {
            state.is_recorded()
                && state.record.kind == site.kind
                && state.record.parent == parent
                && state.record.name == site.name
                && state.record.occurrence == *occurrence
        })
    }

    /// Skips internal operations, which no call site registers. Returns whether there were any.
    fn skip_internal(&mut self) -> bool {
        let left = self.operations.iter().skip(self.expected);
        let internal = left.take_while(|state| state.record.is_internal()).count();
        self.expected += internal;
        internal > 0
    }

    /// Does the same by id, which still saves the lookup.
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
        // Only needed if the store hides the operations of ended scopes.
        let used = (!self.limits.keeps_children).then(|| Used::of(&state.record));
        if site.kind.is_scope() && state.record.occurrence != *run {
            self.current_occurrences.insert(op, run.clone());
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
        if matches!(site.kind, Kind::Wait | Kind::Receive) {
            self.scope(scope).timers.push(op);
        }
    }

    pub(super) fn index(&mut self) -> &mut IdMap<OpIndex> {
        let operations = &self.operations;
        self.index.get_or_insert_with(|| {
            let ops = operations.iter().enumerate();
            ops.map(|(index, state)| (state.record.id, OpIndex::new(index)))
                .collect()
        })
    }

    /// Makes `op` unrecorded, unless it has a record. The operations in it are recorded under the scope around it.
    pub(crate) fn leave_no_record(&mut self, op: OpIndex) {
        let state = &mut self.operations[op.index()];
        if !state.is_recorded() {
            state.persistence = Persistence::Unrecorded;
        }
    }

    /// Returns whether `op` is unrecorded.
    pub(crate) fn is_unrecorded(&self, op: OpIndex) -> bool {
        self.operations[op.index()].is_unrecorded()
    }

    /// Ends `op` with an outcome that is recorded with the scope around it.
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

    /// Returns the recorded value of `op`.
    pub(crate) fn value(&self, op: OpIndex) -> Option<Payload> {
        self.operations[op.index()].record.payload.clone()
    }

    /// Compares the input of `op` with the recorded fingerprint. Stops the invocation if they differ, because the
    /// recorded outcome belongs to another input.
    pub(crate) fn check_input(&mut self, op: OpIndex, input: &Input) {
        let state = &mut self.operations[op.index()];
        let fingerprint = input.fingerprint(state.record.id);
        let report = match (fingerprint, state.record.fingerprint) {
            (Err(error), _) => mismatch::no_fingerprint(state, error),
            (Ok(current), Some(recorded))
                if current != recorded && !input.matches_rounded(state.record.id, recorded) =>
            {
                mismatch::other_input(state)
            }
            (Ok(current), None) if state.record.seq == 0 => {
                state.record.fingerprint = Some(current);
                return;
            }
            // The same input, or a record without a fingerprint from an earlier build.
            (Ok(_), _) => return,
        };
        self.halt(StopReason::Blocked(report));
    }

    /// Notes that `op` runs the function of this name, for reports.
    pub(crate) fn calls(&mut self, op: OpIndex, function: &str, sites: &'static [Site]) {
        self.runs_function(Some(op), sites);
        let record = &mut self.operations[op.index()].record;
        if record.seq == 0 {
            record.handle = Some(function.to_owned());
        }
    }

    /// Sets the display name of `op`, unless it is recorded.
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
