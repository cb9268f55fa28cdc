//! Guesses which call sites have replaced those of records that none registered.

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

/// Operations that ran live, indexed by how an orphaned record may match them.
pub(super) struct Hints<'a> {
    engine: &'a Engine,
    records: &'a IdMap<&'a OperationState>,
    /// Scope and name of every call site that has registered an operation, and whether it runs once.
    present: HashSet<(OperationId, &'a str, bool)>,
    /// Live operations by kind, name and keys: one for each call site, for each key, and for each path of keys.
    same_name: HashMap<(Kind, &'a str, Vec<String>), OpIndex>,
    /// One operation of each live call site whose name is new, and the same for each scope.
    new_names: Vec<OpIndex>,
    new_in_scope: HashMap<OperationId, Vec<OpIndex>>,
}

impl<'a> Hints<'a> {
    pub(super) fn new(engine: &'a Engine, records: &'a IdMap<&'a OperationState>) -> Self {
        let recorded = || engine.operations.iter().filter(|state| state.is_recorded());
        let names: HashSet<&str> = recorded().map(|state| &*state.record.name).collect();
        // A call site that is answered from its own records is not new.
        let old: HashSet<*const Site> = recorded()
            .filter(|state| state.placement == Placement::Same)
            .filter_map(|state| Some(std::ptr::from_ref(state.site?)))
            .collect();
        let mut hints = Self {
            engine,
            records,
            present: HashSet::new(),
            same_name: HashMap::new(),
            new_names: Vec::new(),
            new_in_scope: HashMap::new(),
        };
        let (mut seen, mut seen_in_scope) = (HashSet::new(), HashSet::new());
        for (index, state) in engine.operations.iter().enumerate() {
            let Some(site) = state.site else { continue };
            let once = state.record.occurrence == Occurrence::Once;
            let scope = state
                .recorded_scope()
                .unwrap_or(engine.scope_id(state.scope));
            hints.present.insert((scope, site.name, once));
            if state.is_recorded()
                || state.is_unrecorded()
                || old.contains(&std::ptr::from_ref(site))
            {
                continue;
            }
            let op = OpIndex::new(index);
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

    /// Returns the call site that `orphan` probably belongs to.
    pub(super) fn successor(&self, orphan: &'a OperationState) -> Option<Successor> {
        let run = identified(&orphan.record)?;
        let record = &orphan.record;
        let once = run == Occurrence::Once;
        // Its call site still exists, and did not run this time.
        if self
            .present
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

    /// Returns whether `op` has the same path of names as the record, whatever the occurrences of the scopes.
    fn is_same_place(&self, record: &Record, op: OpIndex) -> bool {
        let state = &self.engine.operations[op.index()];
        let mut scopes = self.engine.around(state.scope);
        let mut parent = record.parent;
        loop {
            let current = scopes.next().and_then(|scope| self.engine.scope_op(scope));
            let recorded = self.records.get(&parent);
            match (current, recorded) {
                (None, None) => {
                    let once = identified(record) == Some(Occurrence::Once);
                    return once == (state.record.occurrence == Occurrence::Once);
                }
                (Some(current), Some(recorded))
                    if self.engine.operations[current.index()].record.name
                        == recorded.record.name =>
                {
                    parent = recorded.record.parent;
                }
                _ => return false,
            }
        }
    }

    fn near_name(&self, record: &Record) -> Option<OpIndex> {
        let state = |op: &&OpIndex| &self.engine.operations[op.index()];
        let same_scope = self.new_in_scope.get(&record.parent).into_iter().flatten();
        let near = same_scope.chain(&self.new_names).filter(|op| {
            let live = &state(op).record;
            live.kind == record.kind && is_near(&live.name, &record.name)
        });
        near.min_by_key(|op| {
            let state = state(op);
            let other_scope = self.engine.scope_id(state.scope) != record.parent;
            let line = state.site.map_or(0, |site| site.line);
            (
                other_scope,
                distance(&state.record.name, &record.name),
                line,
            )
        })
        .copied()
    }

    /// Returns the path that `was` at the call site of `op` has to name to find `record`.
    fn path(&self, record: &Record, run: &Occurrence, op: OpIndex) -> Option<String> {
        let state = &self.engine.operations[op.index()];
        let mut recorded = vec![(record.id, record.name.as_ref(), run.clone())];
        let mut parent = record.parent;
        while parent != OperationId::ROOT {
            let scope = &self.records.get(&parent)?.record;
            recorded.push((scope.id, scope.name.as_ref(), identified(scope)?));
            parent = scope.parent;
        }
        recorded.reverse();
        let mut current: Vec<_> = self.engine.around(state.scope).collect();
        current.reverse();
        let is_call = |op: OpIndex| self.engine.operations[op.index()].record.kind == Kind::Call;
        let top = current
            .iter()
            .rposition(|scope| self.engine.scope_op(*scope).is_some_and(is_call))
            .unwrap_or(0);
        // Number of scopes they share, not counting that of the handler.
        let shared = current[1..]
            .iter()
            .zip(&recorded[..recorded.len() - 1])
            .take_while(|(current, recorded)| self.engine.scope_id(**current) == recorded.0)
            .count();
        let (start, from) = match current.len() - 1 - shared {
            0 => (String::new(), shared),
            _ if top <= shared => ("/".to_owned(), top),
            up => ("../".repeat(up), shared),
        };
        let own = key_of(&state.record.occurrence);
        let keys = self.engine.keys(state.scope, &state.record.occurrence);
        Some(start + &segments(&recorded[from..], own.as_deref(), &keys))
    }
}

/// Keys of lookups, the most specific first: all `keys`, the innermost, none.
fn of_keys(keys: Vec<String>) -> [Vec<String>; 3] {
    let innermost = keys.first().cloned().into_iter().collect();
    [keys, innermost, Vec::new()]
}

/// Formats the segments of a path. Keys that the call site has too become `[*]` or are left out.
fn segments(
    path: &[(OperationId, &str, Occurrence)],
    own: Option<&str>,
    keys: &[String],
) -> String {
    let keyed = path.iter().filter(|(.., run)| *run != Occurrence::Once);
    let is_only_key = keyed.count() == 1;
    let mut same = keys.iter().peekable();
    let mut segments = Vec::new();
    for (index, (_, name, run)) in path.iter().enumerate().rev() {
        let key = key_of(run);
        let last = index + 1 == path.len();
        segments.push(match key {
            // A name alone means the same key.
            Some(key) if last && is_only_key && own == Some(&*key) => (*name).to_owned(),
            Some(key) if same.next_if(|same| **same == key).is_some() => format!("{name}[*]"),
            key => earlier::display_name(name, key.as_deref()),
        });
    }
    segments.reverse();
    segments.join("/")
}

/// Returns the occurrence of a record, confirmed by its id. A service keeps only the display name, from which it is
/// parsed.
fn identified(record: &Record) -> Option<Occurrence> {
    let label = record.label.as_deref().unwrap_or_default();
    let key = label
        .strip_prefix(&*record.name)
        .and_then(|rest| rest.strip_prefix('[')?.strip_suffix(']'));
    let number = key.and_then(|key| key.parse().ok());
    let runs = [
        Some(record.occurrence.clone()),
        number.map(Occurrence::Ordered),
        key.map(|key| Occurrence::Keyed(key.to_owned())),
    ];
    let is_it = |run: &Occurrence| OperationId::of(record.parent, &record.name, run) == record.id;
    runs.into_iter().flatten().find(is_it)
}
