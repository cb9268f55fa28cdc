//! Scopes, and the order of the operations in them.
//!
//! Order numbers have gaps, so that an operation inserted between two recorded ones gets a number
//! between theirs and does not count as moved on the next replay.

use std::borrow::Cow;
use std::collections::HashSet;

use super::quota::Used;
use super::{Engine, IdMap, OpIndex, OperationState};
use crate::model::site::Site;
use crate::{Occurrence, OperationId};

/// Names and occurrences of the operations in a scope.
pub(super) type Runs = Vec<(Cow<'static, str>, Occurrence)>;

/// Maximum number of runs that are looked up in every branch.
const MAX_RUNS: usize = 64;

/// Gap between order numbers. Leaves room for twenty insertions at one position.
const SPACING: u64 = 1 << 20;

/// Index of a scope that was entered in this invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScopeIndex(usize);

impl ScopeIndex {
    pub(crate) const ROOT: Self = Self(0);

    pub(super) fn index(self) -> usize {
        self.0
    }
}

/// Scope that was entered in this invocation.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) id: OperationId,
    /// The scope that records of operations in it name as their parent: an outer one if it is unrecorded.
    pub(super) records: OperationId,
    /// Its operation. `None` for the scope of the handler.
    pub(super) op: Option<OpIndex>,
    /// Whether it has ended, so that nothing in it is recorded any more.
    pub(super) closed: bool,
    /// Last occurrence of each call site whose runs are numbered.
    occurrences: Vec<(&'static Site, u64)>,
    /// Timers registered directly in it. They end with it.
    pub(super) timers: Vec<OpIndex>,
    /// Scopes entered directly in it. They end with it.
    pub(super) scopes: Vec<ScopeIndex>,
    /// The highest order registered so far.
    pub(super) last: u64,
    /// Number of recorded operations directly in it that are not registered yet.
    pub(super) unregistered: usize,
    /// Usage of the operations directly in it.
    pub(super) used: Used,
}

impl Scope {
    pub(super) fn new(id: OperationId, records: OperationId, op: Option<OpIndex>) -> Self {
        Self {
            id,
            records,
            op,
            closed: false,
            occurrences: Vec::new(),
            timers: Vec::new(),
            scopes: Vec::new(),
            last: 0,
            unregistered: 0,
            used: Used::default(),
        }
    }

    /// Returns the number of the next run of `site`, from 0.
    pub(super) fn next_occurrence(&mut self, site: &'static Site) -> u64 {
        match self
            .occurrences
            .iter_mut()
            .find(|(of, _)| std::ptr::eq(*of, site))
        {
            Some((_, number)) => {
                *number += 1;
                *number
            }
            None => {
                self.occurrences.push((site, 0));
                0
            }
        }
    }

    /// Returns an order after everything registered so far and before the next recorded operation.
    fn next_order(&self, recorded: &[u64]) -> u64 {
        let following = recorded.partition_point(|order| *order <= self.last);
        match recorded.get(following) {
            Some(next) => self.last + (next - self.last) / 2,
            None => self.last.saturating_add(SPACING),
        }
    }
}

impl Engine {
    /// Opens the scope of `op`.
    pub(crate) fn open_scope(&mut self, op: OpIndex) -> ScopeIndex {
        let state = &self.operations[op.index()];
        let (id, outer, recorded) = (state.record.id, state.scope, state.is_recorded());
        let records = if state.is_unrecorded() {
            self.scopes[outer.0].records
        } else {
            id
        };
        let mut scope = Scope::new(id, records, Some(op));
        if recorded {
            scope.unregistered = self.recorded_in(id);
        }
        if let Some(moved) = self.moved_out.get_mut(&id) {
            scope.unregistered = scope.unregistered.saturating_sub(moved.operations);
            scope.used.add(std::mem::take(&mut moved.used));
        }
        let index = ScopeIndex(self.scopes.len());
        self.operations[op.index()].inner_scope.get_or_insert(index);
        self.scopes.push(scope);
        self.scopes[outer.0].scopes.push(index);
        index
    }

    /// Returns whether the code of the scope ran before: it has ended, or some records directly in it are not
    /// registered yet.
    pub(crate) fn is_replaying(&self, index: ScopeIndex) -> bool {
        let scope = &self.scopes[index.0];
        let ended = |op: OpIndex| {
            let state = &self.operations[op.index()];
            state.is_recorded() && state.record.status.is_terminal()
        };
        scope.unregistered > 0 || scope.op.is_some_and(ended)
    }

    /// Counts the records in an unrecorded branch. They name an outer scope as their parent, so each name and
    /// occurrence recorded there is looked up in the branch. Does nothing if these are too many.
    pub(crate) fn count_unregistered(&mut self, index: ScopeIndex) {
        let (id, records) = (self.scopes[index.0].id, self.scopes[index.0].records);
        if id == records {
            return;
        }
        let runs = self.runs.remove(&records).unwrap_or_else(|| {
            let is_inside =
                |state: &&OperationState| state.is_recorded() && state.record.parent == records;
            let records = self
                .operations
                .iter()
                .filter(is_inside)
                .map(|state| &state.record);
            let runs: HashSet<_> = records
                .map(|record| (record.name.clone(), record.occurrence.clone()))
                .collect();
            runs.into_iter().collect()
        });
        if runs.len() <= MAX_RUNS {
            let ids = runs
                .iter()
                .map(|(name, run)| OperationId::of(id, name, run));
            let known = self.index();
            let found: Vec<OpIndex> = ids.filter_map(|id| known.get(&id).copied()).collect();
            let found = found.iter();
            let unregistered = found.filter(|op| self.operations[op.index()].site.is_none());
            self.scopes[index.0].unregistered = unregistered.count();
        }
        self.runs.insert(records, runs);
    }

    /// Returns how many operations are recorded directly in a scope.
    pub(super) fn recorded_in(&mut self, scope: OperationId) -> usize {
        self.orders().get(&scope).map_or(0, Vec::len)
    }

    fn orders(&mut self) -> &IdMap<Vec<u64>> {
        let operations = &self.operations;
        self.orders.get_or_insert_with(|| {
            let mut orders = IdMap::<Vec<u64>>::default();
            for state in operations.iter().filter(|state| state.is_recorded()) {
                let siblings = orders.entry(state.record.parent).or_default();
                siblings.push(state.record.order);
            }
            orders
                .values_mut()
                .for_each(|orders| orders.sort_unstable());
            orders
        })
    }

    /// Returns whether a scope, or one around it, has ended.
    pub(super) fn is_closed(&self, index: ScopeIndex) -> bool {
        let scope = &self.scopes[index.0];
        scope.closed
            || scope
                .op
                .is_some_and(|op| self.is_closed(self.operations[op.index()].scope))
    }

    /// Returns the scope and those around it, the innermost first.
    pub(super) fn around(&self, index: ScopeIndex) -> impl Iterator<Item = ScopeIndex> {
        std::iter::successors(Some(index), |scope| {
            let op = self.scopes[scope.0].op?;
            Some(self.operations[op.index()].scope)
        })
    }

    /// Returns the operation of a scope. `None` for the scope of the handler.
    pub(super) fn scope_op(&self, index: ScopeIndex) -> Option<OpIndex> {
        self.scopes[index.0].op
    }

    pub(super) fn scope_id(&self, index: ScopeIndex) -> OperationId {
        self.scopes[index.0].id
    }

    /// Returns which run of its call site the scope is in the current code.
    pub(super) fn run_of(&self, index: ScopeIndex) -> Option<&Occurrence> {
        let op = self.scopes[index.0].op?;
        let current = self.current_occurrences.get(&op);
        Some(current.unwrap_or(&self.operations[op.index()].record.occurrence))
    }

    /// Returns the scopes entered so far.
    pub(super) fn entered(&self) -> impl Iterator<Item = (OperationId, ScopeIndex)> {
        let scopes = self.scopes.iter().enumerate();
        scopes.map(|(index, scope)| (scope.id, ScopeIndex(index)))
    }

    pub(super) fn scope(&mut self, index: ScopeIndex) -> &mut Scope {
        &mut self.scopes[index.0]
    }

    /// Returns the order for a new operation.
    pub(super) fn live_order(&mut self, index: ScopeIndex) -> u64 {
        self.orders();
        let orders = self.orders.as_ref();
        let scope = &mut self.scopes[index.0];
        let recorded = orders.and_then(|orders| orders.get(&scope.records));
        scope.last = scope.next_order(recorded.map_or(&[][..], |orders| orders));
        scope.last
    }
}
