//! Which call sites may have taken the place of records that nothing asks for.

use std::collections::{HashMap, HashSet};

use super::drift::Successor;
use super::moves::key_of;
use super::operation::Placement;
use super::{Engine, IdMap, OpIndex, OperationState};
use crate::model::earlier;
use crate::model::near::{distance, is_near};
use crate::model::record::{Kind, Record};
use crate::model::site::Site;
use crate::{Occurrence, OperationId};

/// What ran live, by what it may be taken for.
pub(super) struct Hints<'a> {
    engine: &'a Engine,
    records: &'a IdMap<&'a OperationState>,
    /// The call sites that have claimed something, by scope and name, and whether each runs once.
    stands: HashSet<(OperationId, &'a str, bool)>,
    /// One run of each live call site, one for each of its keys, and each run with the keys of its scopes.
    same_name: HashMap<(Kind, &'a str, Vec<String>), OpIndex>,
    /// One run of each live call site whose name is new; then the same for each scope.
    new_names: Vec<OpIndex>,
    new_in_scope: HashMap<OperationId, Vec<OpIndex>>,
}

impl<'a> Hints<'a> {
    pub(super) fn new(engine: &'a Engine, records: &'a IdMap<&'a OperationState>) -> Self {
        let recorded = || engine.operations.iter().filter(|state| state.is_recorded());
        let names: HashSet<&str> = recorded().map(|state| &*state.record.name).collect();
        // A call site that answers from records of its own is no new one.
        let old: HashSet<*const Site> = recorded()
            .filter(|state| state.placement == Placement::Same)
            .filter_map(|state| Some(std::ptr::from_ref(state.site?)))
            .collect();
        let mut hints = Self {
            engine,
            records,
            stands: HashSet::new(),
            same_name: HashMap::new(),
            new_names: Vec::new(),
            new_in_scope: HashMap::new(),
        };
        let (mut seen, mut seen_in_scope) = (HashSet::new(), HashSet::new());
        for (at, state) in engine.operations.iter().enumerate() {
            let Some(site) = state.site else { continue };
            let once = state.record.occurrence == Occurrence::Once;
            let scope = state
                .recorded_scope()
                .unwrap_or(engine.scope_id(state.scope));
            hints.stands.insert((scope, site.name, once));
            if state.is_recorded()
                || state.is_unrecorded()
                || old.contains(&std::ptr::from_ref(site))
            {
                continue;
            }
            let op = OpIndex::at(at);
            for keys in of_keys(engine.keys(state.scope, &state.record.occurrence)) {
                let name = (site.kind, site.name, keys);
                hints.same_name.entry(name).or_insert(op);
            }
            if names.contains(site.name) {
                continue;
            }
            let site = std::ptr::from_ref(site);
            if seen.insert(site) {
                hints.new_names.push(op);
            }
            if seen_in_scope.insert((scope, site)) {
                hints.new_in_scope.entry(scope).or_default().push(op);
            }
        }
        hints
    }

    /// The call site that is likely to be what `orphan` belongs to, if there is one.
    pub(super) fn successor(&self, orphan: &'a OperationState) -> Option<Successor> {
        let run = identified(&orphan.record)?;
        let record = &orphan.record;
        let once = run == Occurrence::Once;
        // Its call site is still there: it was not asked for this time.
        if self
            .stands
            .contains(&(record.parent, record.name.as_ref(), once))
        {
            return None;
        }
        let moved = self.same_name(record, &run);
        let (op, moved) = match moved {
            Some(op) => (op, true),
            None => (self.near_name(record)?, false),
        };
        let state = &self.engine.operations[op.index()];
        Some(Successor {
            site: state.site?.to_string(),
            operation: self.engine.path(op),
            moved,
            was: format!("was = {:?}", self.path(record, &run, op)?),
        })
    }

    fn same_name(&self, record: &'a Record, run: &Occurrence) -> Option<OpIndex> {
        let around = std::iter::successors(self.records.get(&record.parent), |scope| {
            self.records.get(&scope.record.parent)
        });
        let around = around.filter_map(|scope| identified(&scope.record));
        let runs = std::iter::once(run.clone()).chain(around);
        let keys = runs.filter_map(|run| key_of(&run)).collect();
        let find = |keys| {
            self.same_name
                .get(&(record.kind, record.name.as_ref(), keys))
        };
        of_keys(keys)
            .into_iter()
            .find_map(find)
            .copied()
            .filter(|op| !self.is_same_place(record, *op))
    }

    /// Whether the operation stands where the record does, whichever runs of the scopes around these are in.
    fn is_same_place(&self, record: &Record, op: OpIndex) -> bool {
        let state = &self.engine.operations[op.index()];
        let mut scopes = self.engine.around(state.scope);
        let mut parent = record.parent;
        loop {
            let here = scopes.next().and_then(|scope| self.engine.scope_op(scope));
            let there = self.records.get(&parent);
            match (here, there) {
                (None, None) => {
                    let once = identified(record) == Some(Occurrence::Once);
                    return once == (state.record.occurrence == Occurrence::Once);
                }
                (Some(here), Some(there))
                    if self.engine.operations[here.index()].record.name == there.record.name =>
                {
                    parent = there.record.parent;
                }
                _ => return false,
            }
        }
    }

    fn near_name(&self, record: &Record) -> Option<OpIndex> {
        let state = |op: &&OpIndex| &self.engine.operations[op.index()];
        let here = self.new_in_scope.get(&record.parent).into_iter().flatten();
        let near = here.chain(&self.new_names).filter(|op| {
            let live = &state(op).record;
            live.kind == record.kind && is_near(&live.name, &record.name)
        });
        near.min_by_key(|op| {
            let state = state(op);
            let elsewhere = self.engine.scope_id(state.scope) != record.parent;
            let line = state.site.map_or(0, |site| site.line);
            (elsewhere, distance(&state.record.name, &record.name), line)
        })
        .copied()
    }

    /// The path to `record` that the call site of `op` has to name.
    fn path(&self, record: &Record, run: &Occurrence, op: OpIndex) -> Option<String> {
        let state = &self.engine.operations[op.index()];
        let mut there = vec![(record.id, record.name.as_ref(), run.clone())];
        let mut parent = record.parent;
        while parent != OperationId::ROOT {
            let scope = &self.records.get(&parent)?.record;
            there.push((scope.id, scope.name.as_ref(), identified(scope)?));
            parent = scope.parent;
        }
        there.reverse();
        let mut here: Vec<_> = self.engine.around(state.scope).collect();
        here.reverse();
        let is_call = |op: OpIndex| self.engine.operations[op.index()].record.kind == Kind::Call;
        let top = here
            .iter()
            .rposition(|scope| self.engine.scope_op(*scope).is_some_and(is_call))
            .unwrap_or(0);
        // How many of the scopes around both are the same, the handler's own not counted.
        let shared = here[1..]
            .iter()
            .zip(&there[..there.len() - 1])
            .take_while(|(here, there)| self.engine.scope_id(**here) == there.0)
            .count();
        let (start, from) = match here.len() - 1 - shared {
            0 => (String::new(), shared),
            _ if top <= shared => ("/".to_owned(), top),
            up => ("../".repeat(up), shared),
        };
        let own = key_of(&state.record.occurrence);
        let keys = self.engine.keys(state.scope, &state.record.occurrence);
        Some(start + &segments(&there[from..], own.as_deref(), &keys))
    }
}

/// What runs with these keys, the innermost first, are looked up by: all keys, the innermost, none.
fn of_keys(keys: Vec<String>) -> [Vec<String>; 3] {
    let innermost = keys.first().cloned().into_iter().collect();
    [keys, innermost, Vec::new()]
}

/// The segments of a path, with the keys that the call site has too left to it.
fn segments(
    path: &[(OperationId, &str, Occurrence)],
    own: Option<&str>,
    keys: &[String],
) -> String {
    let keyed = path.iter().filter(|(.., run)| *run != Occurrence::Once);
    let is_only_key = keyed.count() == 1;
    let mut same = keys.iter().peekable();
    let mut written = Vec::new();
    for (at, (_, name, run)) in path.iter().enumerate().rev() {
        let key = key_of(run);
        let last = at + 1 == path.len();
        written.push(match key {
            // The name stands for the same run.
            Some(key) if last && is_only_key && own == Some(&*key) => (*name).to_owned(),
            Some(key) if same.next_if(|same| **same == key).is_some() => format!("{name}[*]"),
            key => earlier::display_name(name, key.as_deref()),
        });
    }
    written.reverse();
    written.join("/")
}

/// Which run the record is, where its identity confirms it: stores of services keep only how it was written.
fn identified(record: &Record) -> Option<Occurrence> {
    let label = record.label.as_deref().unwrap_or_default();
    let key = label
        .strip_prefix(&*record.name)
        .and_then(|rest| rest.strip_prefix('[')?.strip_suffix(']'));
    let turn = key.and_then(|key| key.parse().ok());
    let runs = [
        Some(record.occurrence.clone()),
        turn.map(Occurrence::Ordered),
        key.map(|key| Occurrence::Keyed(key.to_owned())),
    ];
    let is_it = |run: &Occurrence| OperationId::of(record.parent, &record.name, run) == record.id;
    runs.into_iter().flatten().find(is_it)
}
