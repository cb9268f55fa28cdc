//! What would become of an execution in flight if the code of a lock took it over.

use std::collections::{HashMap, HashSet};

use super::compare::was;
use super::finding::{Finding, Verdict};
use super::likely::{Gone, Likely};
use super::moves::{Map, Names, Placed, branches_of};
use super::{Lock, LockedHandler, LockedSite};
use crate::model::record::{Kind, Record, Status};
use crate::model::site::Repeat;
use crate::store::Execution;
use crate::{Occurrence, OperationId};

/// Compares what an execution has recorded with the names in `lock`. Without findings it is safe.
///
/// What stands in a scope that has ended is not asked for again, and not looked at; nor is what stands in a
/// `call!` of which no function is known here.
pub fn check(lock: &Lock, execution: &Execution, records: &[Record]) -> Vec<Finding> {
    let Some(handler) = lock.handler(&execution.handler) else {
        let name = &execution.handler;
        return vec![Finding {
            verdict: Verdict::Blocked,
            operation: name.clone(),
            text: format!("no code runs `{name}`: the lock has no handler of that name"),
        }];
    };
    let mut inside: HashMap<OperationId, Vec<&Record>> = HashMap::new();
    for record in records {
        inside.entry(record.parent).or_default().push(record);
    }
    let map = Map::of(lock);
    let recorded = places_of(&inside, OperationId::ROOT, &[]);
    let mut look = Look {
        lock,
        map: &map,
        recorded: recorded.into_iter().collect(),
        inside,
        found: Vec::new(),
    };
    let recorded = execution.input_type.as_deref();
    look.types(
        &handler.name,
        "the input of ",
        recorded,
        Some(&handler.input),
    );
    let top = Scope {
        path: String::new(),
        names: Names::new(),
        many: Vec::new(),
        sites: visible(&handler.sites, false),
        functions: vec![(0, handler)],
        branches: None,
    };
    look.scope(OperationId::ROOT, &top);
    look.found
}

/// The names of all records with those of their scopes.
fn places_of(
    inside: &HashMap<OperationId, Vec<&Record>>,
    scope: OperationId,
    names: &[String],
) -> Vec<Names> {
    let records = inside.get(&scope).into_iter().flatten();
    let places = records.flat_map(|record| {
        let names = [names, &[record.name.to_string()]].concat();
        let mut places = places_of(inside, record.id, &names);
        places.push(names);
        places
    });
    places.collect()
}

struct Look<'a> {
    lock: &'a Lock,
    map: &'a Map<'a>,
    /// The names of all records with those of their scopes.
    recorded: HashSet<Names>,
    inside: HashMap<OperationId, Vec<&'a Record>>,
    found: Vec<Finding>,
}

/// A scope whose records are looked at.
#[derive(Clone)]
struct Scope<'a> {
    /// How histories write what it holds, up to the name.
    path: String,
    /// The names of it and of the scopes around it, and whether each is one of many.
    names: Names,
    many: Vec<bool>,
    /// The call sites that may have records in it.
    sites: Vec<&'a LockedSite>,
    /// The functions around, each with the number of scopes around it, the handler first.
    functions: Vec<(usize, &'a LockedHandler)>,
    /// What the branches are called that what it holds may stand in without a record of theirs.
    branches: Option<&'static str>,
}

impl Scope<'_> {
    fn place(&self, record: &Record) -> Names {
        let name = record.name.to_string();
        self.names.iter().cloned().chain([name]).collect()
    }
}

impl<'a> Look<'a> {
    fn scope(&mut self, id: OperationId, scope: &Scope<'a>) {
        let records = self.inside.remove(&id).unwrap_or_default();
        let known: Vec<_> = records
            .iter()
            .map(|record| self.site_of(record, scope))
            .collect();
        for (record, known) in records.iter().zip(&known) {
            let left = known.is_none() && self.is_left(record, scope);
            if known.is_none() && !left && record.status != Status::Cancelled {
                self.orphan(record, scope);
            }
        }
        for (record, known) in records.into_iter().zip(known) {
            let path = format!("{}{}", scope.path, record.display_name());
            match known {
                Some(site) => self.operation(&path, record, site, scope),
                None if self.is_left(record, scope) => {
                    self.scope(record.id, &entered(&path, record, scope, Vec::new()));
                }
                None => {}
            }
        }
    }

    /// The call site that asks for the record: one in the scope, or one that says it stood there.
    fn site_of(&self, record: &Record, scope: &Scope<'a>) -> Option<&'a LockedSite> {
        let here = scope
            .sites
            .iter()
            .copied()
            .find(|site| answers(record, site));
        let names = scope.place(record);
        let moved = |(around, handler): &(usize, &LockedHandler)| {
            let names = &names[*around..];
            let left = self.map.function(handler)?.left(names, scope.branches);
            left.or_else(|| self.map.elsewhere(handler, names))
        };
        here.or_else(|| scope.functions.iter().find_map(moved))
    }

    /// Whether call sites say that they stood in the scope that is recorded, which the code does not have.
    fn is_left(&self, record: &Record, scope: &Scope<'a>) -> bool {
        let inside = entered("", record, scope, Vec::new());
        let records = self.inside.get(&record.id).into_iter().flatten();
        records
            .into_iter()
            .any(|inner| self.site_of(inner, &inside).is_some() || self.is_left(inner, &inside))
    }

    /// The names of what stands in a scope; of one of branches, of what stands in these.
    fn named<'b>(&self, scope: &'b Record) -> Vec<&'b str>
    where
        'a: 'b,
    {
        let records = self.inside.get(&scope.id).into_iter().flatten();
        let names = records.flat_map(|record| match record.kind {
            Kind::Branch => self.named(record),
            _ => vec![record.name.as_ref()],
        });
        names.collect()
    }

    /// A record that no call site asks for, and what may run in its place.
    fn orphan(&mut self, record: &Record, scope: &Scope<'a>) {
        let (kind, written) = (record.kind, record.display_name());
        let operation = format!("{}{written}", scope.path);
        let Some((around, handler)) = scope.functions.last().copied() else {
            return;
        };
        let (place, many) = (
            scope.place(record),
            entered("", record, scope, Vec::new()).many,
        );
        let gone = Gone {
            kind,
            name: &record.name,
            place: &place[around..],
            many: &many[around..],
            inside: self.named(record),
        };
        let is_idle = |placed: &&Placed<'_>| {
            let is_recorded = |place: &Names| {
                let names = [&scope.names[..around], place].concat();
                self.recorded.contains(&names)
            };
            !placed.places.iter().any(is_recorded)
        };
        let sites = self
            .map
            .function(handler)
            .map(|function| &function.sites[..]);
        let likely = gone.likely(sites.unwrap_or_default().iter().filter(is_idle));
        let (verdict, text) = match likely {
            Some(Likely { placed, moved, was }) => {
                let new = match moved {
                    true => placed.own.join("/"),
                    false => format!("{}{}", scope.path, placed.site.name),
                };
                let is = match moved {
                    true => format!("if `{operation}`, which is recorded, moved there"),
                    false => format!("if that is the new name of `{operation}`, which is recorded"),
                };
                (
                    Verdict::Reruns,
                    format!("will re-run {kind} `{new}`, {is}: then write `{was}`"),
                )
            }
            None => {
                let text =
                    format!("{kind} `{operation}` is recorded, and nothing asks for it any more");
                (Verdict::Orphaned, text)
            }
        };
        self.found.push(Finding {
            verdict,
            operation,
            text,
        });
    }

    /// Compares the types of a `part` of what is recorded, as far as both are known.
    fn types(&mut self, path: &str, part: &str, then: Option<&str>, now: Option<&str>) {
        if let (Some(then), Some(now)) = (then, now)
            && then != now
        {
            self.found.push(Finding {
                verdict: Verdict::Undecodable,
                operation: path.to_owned(),
                text: format!(
                    "cannot decode {part}`{path}`: recorded as `{then}`, the code now wants `{now}`"
                ),
            });
        }
    }

    fn operation(
        &mut self,
        path: &str,
        record: &'a Record,
        site: &'a LockedSite,
        scope: &Scope<'a>,
    ) {
        if record.kind != site.kind {
            let (then, now) = (record.kind, site.kind);
            self.found.push(Finding {
                verdict: Verdict::Blocked,
                operation: path.to_owned(),
                text: format!("blocks at `{path}`: recorded as a {then}, the code has a {now}"),
            });
            return;
        }
        let (value, state) = (record.value_type.as_deref(), record.state_type.as_deref());
        match record.status {
            Status::Succeeded => self.types(path, "", value, site.value_type.as_deref()),
            // Only a check that is still to come reads it.
            Status::Started | Status::Pending if record.payload.is_some() => {
                self.types(path, "the state of ", state, site.state_type.as_deref());
            }
            _ => {}
        }
        // A scope that has ended answers by itself, but for what may be taken back in it.
        if !record.kind.is_scope() || record.status.is_terminal() {
            return;
        }
        let fans = matches!(record.kind, Kind::Map | Kind::Parallel);
        let mut inside = entered(path, record, scope, visible(&site.sites, fans));
        if record.kind == Kind::Call {
            let Some(callee) = callee(self.lock, record) else {
                return;
            };
            inside.sites = visible(&callee.sites, false);
            inside.functions.push((inside.names.len(), callee));
        }
        self.scope(record.id, &inside);
    }
}

/// The inside of what is recorded in `scope`, with these call sites.
fn entered<'a>(
    path: &str,
    record: &Record,
    scope: &Scope<'a>,
    sites: Vec<&'a LockedSite>,
) -> Scope<'a> {
    let mut inside = scope.clone();
    inside.path = format!("{path}/");
    inside.names = scope.place(record);
    inside.many.push(record.occurrence != Occurrence::Once);
    inside.sites = sites;
    inside.branches = branches_of(record.kind);
    inside
}

/// The function that a `call!` runs: by what is recorded of it, else by its name.
fn callee<'a>(lock: &'a Lock, record: &Record) -> Option<&'a LockedHandler> {
    lock.handler(record.handle.as_deref().unwrap_or(&record.name))
}

/// The call sites that may have records directly in a scope: what stands in a branch has, where the whole
/// is flat.
pub(super) fn visible(sites: &[LockedSite], branches: bool) -> Vec<&LockedSite> {
    let inside = sites
        .iter()
        .filter(|site| branches && site.kind == Kind::Branch);
    sites
        .iter()
        .chain(inside.flat_map(|site| &site.sites))
        .collect()
}

/// Whether the site asks for this record.
pub(super) fn answers(record: &Record, site: &LockedSite) -> bool {
    let renamed = was(site, &record.name);
    if site.name != record.name {
        return renamed;
    }
    let fits = matches!(
        (&record.occurrence, site.repeat),
        (Occurrence::Once, Repeat::Once)
            | (Occurrence::Ordered(_), Repeat::Ordered)
            | (Occurrence::Keyed(_), Repeat::Keyed)
    );
    fits || renamed
}
