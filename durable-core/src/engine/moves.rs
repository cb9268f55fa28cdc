//! Call sites that have moved or were renamed (`was`): finds their earlier records.

use std::collections::HashSet;

use super::operation::Placement;
use super::quota::Used;
use super::scope::ScopeIndex;
use super::{Engine, IdMap, OpIndex, OperationState, StopReason, mismatch};
use crate::model::earlier::{Earlier, Run, Segment, Start};
use crate::model::record::{Kind, Status};
use crate::model::site::{Repeat, Site};
use crate::{Occurrence, OperationId};

/// Records of a scope that call sites in other scopes have registered.
#[derive(Debug, Default)]
pub(super) struct MovedOut {
    /// Number of recorded operations that the code of the scope will not register.
    pub(super) operations: usize,
    /// Quota they have used while the scope is not entered.
    pub(super) used: Used,
}

/// Operation that a path in `was` may mean.
struct Candidate {
    id: OperationId,
    /// The scope it was recorded in.
    home: OperationId,
    /// The scopes on the path to it.
    scopes: Vec<OperationId>,
    /// Whether the path means this run exactly, rather than possibly.
    exact: bool,
}

impl Engine {
    /// Finds the earlier record of `site`, unless another call site has registered it.
    ///
    /// Stops the invocation if the store does not return that record, or if two call sites name it.
    pub(super) fn register_earlier(
        &mut self,
        scope: ScopeIndex,
        site: &'static Site,
        occurrence: &Occurrence,
    ) -> Option<OpIndex> {
        let was = site.was.iter();
        let candidates: Vec<Candidate> = was
            .flat_map(|path| self.candidates(path, scope, site, occurrence))
            .collect();
        let mut report = None;
        for candidate in candidates {
            match self.index().get(&candidate.id).copied() {
                None => report = report.or_else(|| self.hidden(&candidate, site)),
                Some(op) if self.operations[op.index()].site.is_none() => {
                    let moved = candidate.home != self.scope(scope).id;
                    match moved.then(|| self.abandoned(op, site)).flatten() {
                        None => return Some(self.set_placement(op, &candidate, moved)),
                        Some(abandoned) => report = report.or(abandoned),
                    }
                }
                Some(op) => {
                    report = report.or_else(|| self.second_successor(op, site, candidate.exact))
                }
            }
        }
        if let Some(report) = report {
            self.halt(StopReason::Blocked(report));
        }
        None
    }

    fn set_placement(&mut self, op: OpIndex, candidate: &Candidate, moved: bool) -> OpIndex {
        let state = &mut self.operations[op.index()];
        state.placement = match moved {
            true => Placement::MovedFrom(candidate.home),
            false => Placement::Renamed,
        };
        op
    }

    /// Returns the operations that `path` may mean, the likeliest first.
    fn candidates(
        &self,
        path: &str,
        scope: ScopeIndex,
        site: &Site,
        occurrence: &Occurrence,
    ) -> Vec<Candidate> {
        let Some(path) = Earlier::parse(path) else {
            return Vec::new();
        };
        let (keys, start) = (self.keys(scope, occurrence), self.start(path.from, scope));
        let (Some(start), true) = (start, path.same_runs() <= keys.len()) else {
            return Vec::new();
        };
        // The last one has the innermost key.
        let mut same = keys[..path.same_runs()].iter().rev();
        let mut found = vec![Candidate {
            id: start,
            home: start,
            scopes: Vec::new(),
            exact: true,
        }];
        let last = path.segments.len() - 1;
        for (index, segment) in path.segments.iter().enumerate() {
            let runs = match &segment.run {
                Run::Key(key) => runs_of(key),
                Run::Same => runs_of(same.next().map_or("", String::as_str)),
                Run::Unsaid if index == last => runs_of_last(site, occurrence),
                Run::Unsaid => vec![(Occurrence::Once, true)],
            };
            let each = found.iter().flat_map(|outer| {
                runs.iter()
                    .map(|(run, exact)| outer.child(segment, run, *exact))
            });
            found = each.collect();
        }
        found
    }

    /// Returns the keys and numbers of a run: its own, then those of the scopes around it.
    pub(super) fn keys(&self, scope: ScopeIndex, occurrence: &Occurrence) -> Vec<String> {
        let around = self.around(scope).filter_map(|scope| self.run_of(scope));
        std::iter::once(occurrence)
            .chain(around)
            .filter_map(key_of)
            .collect()
    }

    /// Returns the scope in which a path begins.
    fn start(&self, from: Start, scope: ScopeIndex) -> Option<OperationId> {
        let is_top = |scope: &ScopeIndex| {
            let op = self.scope_op(*scope);
            op.is_none_or(|op| self.operations[op.index()].record.kind == Kind::Call)
        };
        let start = match from {
            Start::Up(scopes) => self.around(scope).nth(scopes),
            Start::Top => self.around(scope).find(is_top),
        };
        Some(self.scope_id(start?))
    }

    /// Returns a report if the operation may have been recorded in a scope that has ended, and whose operations the
    /// store does not return.
    fn hidden(&mut self, candidate: &Candidate, site: &'static Site) -> Option<String> {
        if self.limits.keeps_children {
            return None;
        }
        for id in &candidate.scopes {
            let Some(op) = self.index().get(id).copied() else {
                continue;
            };
            let state = &self.operations[op.index()];
            let record = &state.record;
            let ended =
                state.is_recorded() && record.kind.is_scope() && record.status.is_terminal();
            let hides = state.hides_children || !record.needs_children();
            if ended && hides && self.recorded_in(*id) == 0 {
                let scope = &self.operations[op.index()].record;
                return Some(mismatch::hidden(scope, site));
            }
        }
        None
    }

    /// Returns `Some` if `site` cannot take over the record: it was cancelled with its scope, or that scope has ended
    /// and hides it, which is reported.
    fn abandoned(&mut self, op: OpIndex, site: &'static Site) -> Option<Option<String>> {
        let status = self.operations[op.index()].record.status;
        if status == Status::Cancelled {
            return Some(None);
        }
        if status.is_terminal() || self.limits.keeps_children {
            return None;
        }
        let mut parent = self.operations[op.index()].record.parent;
        while let Some(around) = self.index().get(&parent).copied() {
            let scope = &self.operations[around.index()].record;
            if scope.status.is_terminal() {
                return Some(Some(mismatch::hidden(scope, site)));
            }
            parent = scope.parent;
        }
        None
    }

    /// Returns a report if another call site with `was` has registered the record already.
    fn second_successor(&self, op: OpIndex, site: &'static Site, exact: bool) -> Option<String> {
        let state = &self.operations[op.index()];
        let other = state.site.filter(|other| !std::ptr::eq(*other, site))?;
        (state.placement != Placement::Same && exact)
            .then(|| mismatch::two_successors(state, other, site))
    }

    /// Notes that the function with these call sites runs, as `call` or as the handler.
    pub(crate) fn runs_function(&mut self, call: Option<OpIndex>, sites: &'static [Site]) {
        self.functions.push((call, sites));
    }

    /// Returns whether a call site in another scope names this one with `was`. Its operations have to stay visible
    /// after its end, so that the call site finds its record.
    pub(crate) fn is_vacated(&self, op: OpIndex) -> bool {
        self.operations[op.index()]
            .site
            .is_some_and(|site| site.vacated)
    }

    /// Notes that `op` has recorded a summary instead of a value, so that the store returns its children.
    pub(crate) fn shows_children(&mut self, op: OpIndex) {
        self.operations[op.index()].hides_children = false;
    }

    /// Returns the display names of new scopes around operations that were recorded in another scope.
    #[cfg(feature = "testing")]
    pub(crate) fn moved_into(&self) -> Vec<String> {
        let moved = self
            .operations
            .iter()
            .filter(|state| state.recorded_scope().is_some());
        let around = moved.flat_map(|state| self.around(state.scope));
        let scopes = around.filter_map(|scope| self.scope_op(scope));
        let new = scopes.filter(|op| !self.operations[op.index()].is_recorded());
        new.map(|op| self.path(op)).collect()
    }

    /// Returns the usage that `op` counts towards: that of the scope it was recorded in, which hides it when it ends.
    pub(super) fn used_by(&mut self, op: OpIndex) -> &mut Used {
        let state = &self.operations[op.index()];
        let (scope, home) = (state.scope, state.recorded_scope());
        let Some(home) = home else {
            return &mut self.scope(scope).used;
        };
        match self.entered_scope(home) {
            Some(scope) => &mut self.scope(scope).used,
            None => &mut self.moved_out.entry(home).or_default().used,
        }
    }

    /// Notes that a recorded operation was registered, in the scope it was recorded in.
    pub(super) fn registered_from(&mut self, op: OpIndex) {
        let state = &self.operations[op.index()];
        let scope = match state.recorded_scope() {
            None => Some(state.scope),
            Some(home) => {
                self.moved_out.entry(home).or_default().operations += 1;
                self.entered_scope(home)
            }
        };
        if let Some(scope) = scope {
            let scope = self.scope(scope);
            scope.unregistered = scope.unregistered.saturating_sub(1);
        }
    }

    /// Returns the scope with this id, if it was entered.
    fn entered_scope(&mut self, scope: OperationId) -> Option<ScopeIndex> {
        if scope == OperationId::ROOT {
            return Some(ScopeIndex::ROOT);
        }
        let op = self.index().get(&scope).copied()?;
        self.operations[op.index()].inner_scope
    }
}

impl Candidate {
    fn child(&self, segment: &Segment<'_>, run: &Occurrence, exact: bool) -> Self {
        let mut scopes = self.scopes.clone();
        scopes.push(self.id);
        Self {
            id: OperationId::of(self.id, segment.name, run),
            home: self.id,
            scopes,
            exact: self.exact && exact,
        }
    }
}

/// Earlier paths of call sites that did not run, because the scopes around them have ended and were answered from their
/// records.
pub(super) struct InEndedScopes<'a> {
    paths: Vec<(Kind, Earlier<'a>)>,
}

impl<'a> InEndedScopes<'a> {
    pub(super) fn new(engine: &Engine) -> Self {
        let passed = |state: &&OperationState| {
            let known = state.is_recorded() || state.is_unrecorded();
            let ended = known && state.record.status.is_terminal();
            ended && state.record.kind.is_scope() && state.inner_scope.is_none()
        };
        let passed: HashSet<*const Site> = engine
            .operations
            .iter()
            .filter(passed)
            .filter_map(|state| Some(std::ptr::from_ref(state.site?)))
            .collect();
        let mut paths = Vec::new();
        for (call, sites) in &engine.functions {
            let call = call.and_then(|op| engine.operations[op.index()].site);
            for site in sites.iter().filter(|site| !site.was.is_empty()) {
                let mut around = std::iter::successors(site.within, |index| sites[*index].within)
                    .map(|index| &sites[index])
                    .chain(call);
                if around.any(|scope| passed.contains(&std::ptr::from_ref(scope))) {
                    let earlier = site.was.iter().filter_map(|path| Earlier::parse(path));
                    paths.extend(earlier.map(|path| (site.kind, path)));
                }
            }
        }
        Self { paths }
    }

    /// Returns whether one of them recorded `state`, judging by names.
    pub(super) fn holds(&self, state: &OperationState, records: &IdMap<&OperationState>) -> bool {
        self.paths.iter().any(|(kind, path)| {
            let around = std::iter::successors(Some(state), |inner| {
                records.get(&inner.record.parent).copied()
            });
            let mut names = around.map(|state| state.record.name.as_ref());
            let mut segments = path.segments.iter().rev();
            *kind == state.record.kind && segments.all(|one| names.next() == Some(one.name))
        })
    }
}

/// Returns the runs that are displayed with this key or number.
fn runs_of(key: &str) -> Vec<(Occurrence, bool)> {
    let ordered = key.parse().ok().map(Occurrence::Ordered);
    let keyed = Occurrence::Keyed(key.to_owned());
    let runs = ordered.into_iter().chain([keyed]);
    runs.map(|run| (run, true)).collect()
}

/// Returns the runs that a name without a key may mean: the same one, or the only one of a site outside loops.
fn runs_of_last(site: &Site, occurrence: &Occurrence) -> Vec<(Occurrence, bool)> {
    let mut runs = vec![(occurrence.clone(), true)];
    let first = matches!(occurrence, Occurrence::Ordered(0) | Occurrence::Keyed(_));
    if site.repeat != Repeat::Once && first {
        runs.push((Occurrence::Once, false));
    }
    runs
}

/// Returns the key or number of a run of a repeated call site.
pub(super) fn key_of(run: &Occurrence) -> Option<String> {
    match run {
        Occurrence::Once => None,
        Occurrence::Ordered(number) => Some(number.to_string()),
        Occurrence::Keyed(key) => Some(key.clone()),
    }
}
