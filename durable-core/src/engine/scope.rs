//! Where an operation stands among its siblings.
//!
//! Orders are spaced out, so that an operation inserted between two recorded ones gets a number
//! between theirs and does not look moved on the next replay.

use std::borrow::Cow;
use std::collections::HashSet;

use super::quota::Used;
use super::{Engine, IdMap, OpIndex, OperationState};
use crate::model::site::Site;
use crate::{Occurrence, OperationId};

/// What tells the operations of one scope apart.
pub(super) type Runs = Vec<(Cow<'static, str>, Occurrence)>;

/// So many are looked for in every branch.
const MOST_RUNS: usize = 64;

/// Room for twenty insertions at one place.
const SPACING: u64 = 1 << 20;

/// Which of the scopes entered in this invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScopeIndex(usize);

impl ScopeIndex {
    pub(crate) const ROOT: Self = Self(0);

    pub(super) fn index(self) -> usize {
        self.0
    }
}

/// A scope that was entered in this invocation.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) id: OperationId,
    /// The scope that the records of what stands in it name: another one where this has no record.
    pub(super) records: OperationId,
    /// The operation whose inside this is; none for the handler's own.
    pub(super) op: Option<OpIndex>,
    /// Whether it is over, so that nothing in it is written any more.
    pub(super) closed: bool,
    /// Turns taken so far by the sites whose turn is their identity.
    turns: Vec<(&'static Site, u64)>,
    /// Timers claimed directly in it, and the scopes entered in it: what ends when it does.
    pub(super) timers: Vec<OpIndex>,
    pub(super) scopes: Vec<ScopeIndex>,
    /// The highest order claimed so far.
    pub(super) last: u64,
    /// Recorded operations directly in it that were not claimed yet.
    pub(super) ahead: usize,
    /// What operations directly in it have used up.
    pub(super) used: Used,
}

impl Scope {
    pub(super) fn new(id: OperationId, records: OperationId, op: Option<OpIndex>) -> Self {
        Self {
            id,
            records,
            op,
            closed: false,
            turns: Vec::new(),
            timers: Vec::new(),
            scopes: Vec::new(),
            last: 0,
            ahead: 0,
            used: Used::default(),
        }
    }

    /// The next turn of `site`, from 0.
    pub(super) fn take_turn(&mut self, site: &'static Site) -> u64 {
        match self
            .turns
            .iter_mut()
            .find(|(of, _)| std::ptr::eq(*of, site))
        {
            Some((_, turn)) => {
                *turn += 1;
                *turn
            }
            None => {
                self.turns.push((site, 0));
                0
            }
        }
    }

    /// A place after everything claimed so far and before the next recorded operation.
    fn next_order(&self, recorded: &[u64]) -> u64 {
        let following = recorded.partition_point(|order| *order <= self.last);
        match recorded.get(following) {
            Some(next) => self.last + (next - self.last) / 2,
            None => self.last + SPACING,
        }
    }
}

impl Engine {
    /// The inside of `op`.
    pub(crate) fn open_scope(&mut self, op: OpIndex) -> ScopeIndex {
        let state = &self.operations[op.index()];
        let (id, around, recorded) = (state.record.id, state.scope, state.is_recorded());
        let records = if state.is_unrecorded() {
            self.scopes[around.0].records
        } else {
            id
        };
        let mut scope = Scope::new(id, records, Some(op));
        if recorded {
            scope.ahead = self.recorded_in(id);
        }
        if let Some(moved) = self.moved_out.get_mut(&id) {
            scope.ahead = scope.ahead.saturating_sub(moved.operations);
            scope.used.add(std::mem::take(&mut moved.used));
        }
        let index = ScopeIndex(self.scopes.len());
        self.operations[op.index()].inside.get_or_insert(index);
        self.scopes.push(scope);
        self.scopes[around.0].scopes.push(index);
        index
    }

    /// Whether the code of the scope ran before: it has ended, or records directly in it still wait to
    /// be claimed.
    pub(crate) fn is_replaying(&self, index: ScopeIndex) -> bool {
        let scope = &self.scopes[index.0];
        let ended = |op: OpIndex| {
            let state = &self.operations[op.index()];
            state.is_recorded() && state.record.status.is_terminal()
        };
        scope.ahead > 0 || scope.op.is_some_and(ended)
    }

    /// Finds the records that stand in a branch without a record of its own. They name another scope,
    /// so each name and occurrence there is tried; where these are too many, none is found.
    pub(crate) fn look_ahead(&mut self, index: ScopeIndex) {
        let (id, records) = (self.scopes[index.0].id, self.scopes[index.0].records);
        if id == records {
            return;
        }
        let runs = self.runs.remove(&records).unwrap_or_else(|| {
            let inside =
                |state: &&OperationState| state.is_recorded() && state.record.parent == records;
            let records = self
                .operations
                .iter()
                .filter(inside)
                .map(|state| &state.record);
            let runs: HashSet<_> = records
                .map(|record| (record.name.clone(), record.occurrence.clone()))
                .collect();
            runs.into_iter().collect()
        });
        if runs.len() <= MOST_RUNS {
            let ids = runs
                .iter()
                .map(|(name, run)| OperationId::of(id, name, run));
            let found = self.index();
            let ahead: Vec<OpIndex> = ids.filter_map(|id| found.get(&id).copied()).collect();
            let ahead = ahead.iter();
            let ahead = ahead.filter(|op| self.operations[op.index()].site.is_none());
            self.scopes[index.0].ahead = ahead.count();
        }
        self.runs.insert(records, runs);
    }

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

    /// Whether a scope, or one around it, is over.
    pub(super) fn is_closed(&self, index: ScopeIndex) -> bool {
        let scope = &self.scopes[index.0];
        scope.closed
            || scope
                .op
                .is_some_and(|op| self.is_closed(self.operations[op.index()].scope))
    }

    /// The scope and those around it, the innermost first.
    pub(super) fn around(&self, index: ScopeIndex) -> impl Iterator<Item = ScopeIndex> {
        std::iter::successors(Some(index), |scope| {
            let op = self.scopes[scope.0].op?;
            Some(self.operations[op.index()].scope)
        })
    }

    /// The operation whose inside the scope is; none for the handler's own.
    pub(super) fn scope_op(&self, index: ScopeIndex) -> Option<OpIndex> {
        self.scopes[index.0].op
    }

    pub(super) fn scope_id(&self, index: ScopeIndex) -> OperationId {
        self.scopes[index.0].id
    }

    /// Which run of its call site the scope is, as the code has it today.
    pub(super) fn run_of(&self, index: ScopeIndex) -> Option<&Occurrence> {
        let op = self.scopes[index.0].op?;
        let now = self.runs_now.get(&op);
        Some(now.unwrap_or(&self.operations[op.index()].record.occurrence))
    }

    /// The scopes entered so far.
    pub(super) fn entered(&self) -> impl Iterator<Item = (OperationId, ScopeIndex)> {
        let scopes = self.scopes.iter().enumerate();
        scopes.map(|(at, scope)| (scope.id, ScopeIndex(at)))
    }

    pub(super) fn scope(&mut self, index: ScopeIndex) -> &mut Scope {
        &mut self.scopes[index.0]
    }

    /// The order of an operation that no record answers.
    pub(super) fn place_live(&mut self, index: ScopeIndex) -> u64 {
        self.orders();
        let orders = self.orders.as_ref();
        let scope = &mut self.scopes[index.0];
        let recorded = orders.and_then(|orders| orders.get(&scope.records));
        scope.last = scope.next_order(recorded.map_or(&[][..], |orders| orders));
        scope.last
    }
}
