//! Call sites that stood elsewhere before: finds what they recorded there.

use std::collections::HashSet;

use super::operation::Placement;
use super::quota::Used;
use super::scope::ScopeIndex;
use super::{Engine, IdMap, OpIndex, OperationState, StopReason, mismatch};
use crate::model::earlier::{Earlier, Run, Segment, Start};
use crate::model::record::{Kind, Status};
use crate::model::site::{Repeat, Site};
use crate::{Occurrence, OperationId};

/// What call sites elsewhere have claimed out of a scope.
#[derive(Debug, Default)]
pub(super) struct MovedOut {
    /// Recorded operations that the code of the scope will not claim.
    pub(super) operations: usize,
    /// What these have used up, while the scope is not entered.
    pub(super) used: Used,
}

/// An operation that `was` may stand for.
struct Candidate {
    id: OperationId,
    /// The scope that its identity names.
    home: OperationId,
    /// The scopes on the path to it.
    around: Vec<OperationId>,
    /// Whether it is the run that asks, and not only one that it may have been.
    exact: bool,
}

impl Engine {
    /// The record that `site` left behind where it stood before, unless another call site claimed it.
    ///
    /// Where that cannot be told, or two call sites operation to be its successor, the invocation stops.
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
                    match moved.then(|| self.given_up(op, site)).flatten() {
                        None => return Some(self.move_here(op, &candidate, moved)),
                        Some(given_up) => report = report.or(given_up),
                    }
                }
                Some(op) => report = report.or_else(|| self.taken(op, site, candidate.exact)),
            }
        }
        if let Some(report) = report {
            self.halt(StopReason::Blocked(report));
        }
        None
    }

    fn move_here(&mut self, op: OpIndex, candidate: &Candidate, moved: bool) -> OpIndex {
        let state = &mut self.operations[op.index()];
        state.placement = match moved {
            true => Placement::MovedFrom(candidate.home),
            false => Placement::Renamed,
        };
        op
    }

    /// Everything that `path` may stand for, the likeliest first.
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
            around: Vec::new(),
            exact: true,
        }];
        let last = path.segments.len() - 1;
        for (at, segment) in path.segments.iter().enumerate() {
            let runs = match &segment.run {
                Run::Key(key) => runs_of(key),
                Run::Same => runs_of(same.next().map_or("", String::as_str)),
                Run::Unsaid if at == last => runs_of_last(site, occurrence),
                Run::Unsaid => vec![(Occurrence::Once, true)],
            };
            let each = found.iter().flat_map(|outer| {
                runs.iter()
                    .map(|(run, exact)| outer.inside(segment, run, *exact))
            });
            found = each.collect();
        }
        found
    }

    /// The keys and turns of the run that asks: its own, then those of the scopes around it.
    pub(super) fn keys(&self, scope: ScopeIndex, occurrence: &Occurrence) -> Vec<String> {
        let around = self.around(scope).filter_map(|scope| self.run_of(scope));
        std::iter::once(occurrence)
            .chain(around)
            .filter_map(key_of)
            .collect()
    }

    /// The scope in which a path begins.
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

    /// Why it cannot be told whether the operation was recorded: it stood in a scope that has ended, and of those the
    /// store gives nothing away.
    fn hidden(&mut self, candidate: &Candidate, site: &'static Site) -> Option<String> {
        if self.limits.keeps_children {
            return None;
        }
        for id in &candidate.around {
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

    /// The operation is recorded elsewhere, but not for `site`: it was given up with the scope it stood in. Where it
    /// cannot be gone on with although it was not, that is the report.
    fn given_up(&mut self, op: OpIndex, site: &'static Site) -> Option<Option<String>> {
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

    /// What is wrong when another call site has claimed the record already: nothing, if that is its own.
    fn taken(&self, op: OpIndex, site: &'static Site, exact: bool) -> Option<String> {
        let state = &self.operations[op.index()];
        let other = state.site.filter(|other| !std::ptr::eq(*other, site))?;
        (state.placement != Placement::Same && exact)
            .then(|| mismatch::two_successors(state, other, site))
    }

    /// The function with these call sites runs, as `call` or as the handler.
    pub(crate) fn runs_function(&mut self, call: Option<OpIndex>, sites: &'static [Site]) {
        self.functions.push((call, sites));
    }

    /// Whether a call site elsewhere says that it stood in this scope before. What the scope holds has to be given
    /// away after its end then, so that it shows whether that is true of this execution.
    pub(crate) fn is_vacated(&self, op: OpIndex) -> bool {
        self.operations[op.index()]
            .site
            .is_some_and(|site| site.vacated)
    }

    /// What `op` has recorded of itself is no value, but a summary: what stands in it is given away.
    pub(crate) fn shows_inside(&mut self, op: OpIndex) {
        self.operations[op.index()].hides_children = false;
    }

    /// The new scopes around what was recorded elsewhere, as histories write them.
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

    /// What the operation uses up counts where it was recorded: that scope hides it when it ends.
    pub(super) fn used_by(&mut self, op: OpIndex) -> &mut Used {
        let state = &self.operations[op.index()];
        let (scope, home) = (state.scope, state.recorded_scope());
        let Some(home) = home else {
            return &mut self.scope(scope).used;
        };
        match self.inside_of(home) {
            Some(scope) => &mut self.scope(scope).used,
            None => &mut self.moved_out.entry(home).or_default().used,
        }
    }

    /// A recorded operation was claimed: the scope it stands in has one fewer ahead.
    pub(super) fn registered_from(&mut self, op: OpIndex) {
        let state = &self.operations[op.index()];
        let scope = match state.recorded_scope() {
            None => Some(state.scope),
            Some(home) => {
                self.moved_out.entry(home).or_default().operations += 1;
                self.inside_of(home)
            }
        };
        if let Some(scope) = scope {
            let inside = self.scope(scope);
            inside.ahead = inside.ahead.saturating_sub(1);
        }
    }

    /// The inside of the scope with this id, if it was entered.
    fn inside_of(&mut self, scope: OperationId) -> Option<ScopeIndex> {
        if scope == OperationId::ROOT {
            return Some(ScopeIndex::ROOT);
        }
        let op = self.index().get(&scope).copied()?;
        self.operations[op.index()].inside
    }
}

impl Candidate {
    fn inside(&self, segment: &Segment<'_>, run: &Occurrence, exact: bool) -> Self {
        let mut around = self.around.clone();
        around.push(self.id);
        Self {
            id: OperationId::of(self.id, segment.name, run),
            home: self.id,
            around,
            exact: self.exact && exact,
        }
    }
}

/// Call sites of functions that run, which say where they stood, and were not asked for what they recorded there:
/// the scopes around them have ended, and answer for them.
pub(super) struct TakenIn<'a> {
    paths: Vec<(Kind, Earlier<'a>)>,
}

impl<'a> TakenIn<'a> {
    pub(super) fn new(engine: &Engine) -> Self {
        let passed = |state: &&OperationState| {
            let known = state.is_recorded() || state.is_unrecorded();
            let ended = known && state.record.status.is_terminal();
            ended && state.record.kind.is_scope() && state.inside.is_none()
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
                let mut around = std::iter::successors(site.within, |at| sites[*at].within)
                    .map(|at| &sites[at])
                    .chain(call);
                if around.any(|scope| passed.contains(&std::ptr::from_ref(scope))) {
                    let earlier = site.was.iter().filter_map(|path| Earlier::parse(path));
                    paths.extend(earlier.map(|path| (site.kind, path)));
                }
            }
        }
        Self { paths }
    }

    /// Whether one of them recorded `state`, as far as names tell.
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

/// The runs that are written with this key or turn.
fn runs_of(key: &str) -> Vec<(Occurrence, bool)> {
    let turn = key.parse().ok().map(Occurrence::Ordered);
    let keyed = Occurrence::Keyed(key.to_owned());
    let runs = turn.into_iter().chain([keyed]);
    runs.map(|run| (run, true)).collect()
}

/// What a name without a key may stand for: the same run, or the only one of a site that was not in a loop.
fn runs_of_last(site: &Site, occurrence: &Occurrence) -> Vec<(Occurrence, bool)> {
    let mut runs = vec![(occurrence.clone(), true)];
    let first = matches!(occurrence, Occurrence::Ordered(0) | Occurrence::Keyed(_));
    if site.repeat != Repeat::Once && first {
        runs.push((Occurrence::Once, false));
    }
    runs
}

/// The key or turn of a run that is one of many.
pub(super) fn key_of(run: &Occurrence) -> Option<String> {
    match run {
        Occurrence::Once => None,
        Occurrence::Ordered(turn) => Some(turn.to_string()),
        Occurrence::Keyed(key) => Some(key.clone()),
    }
}
