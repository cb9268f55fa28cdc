//! Checks whether an execution in flight can continue on the code of a lock.

use std::collections::{HashMap, HashSet};

use super::candidate::{Candidate, MissingSite};
use super::finding::{Finding, Verdict};
use super::scope::{Scope, matches, visible};
use super::site_index::{IndexedSite, NamePath, SiteIndex};
use super::{Lock, LockedHandler, LockedSite};
use crate::OperationId;
use crate::model::record::{Kind, Record, Status};
use crate::store::Execution;

/// Compares the records of an execution with the call sites in `lock`. Without findings the execution is safe.
///
/// Skips records inside finished scopes, because they are not replayed, and records inside a `call!` of a
/// function that the lock does not contain.
pub fn check(lock: &Lock, execution: &Execution, records: &[Record]) -> Vec<Finding> {
    let Some(handler) = lock.handler(&execution.handler) else {
        let name = &execution.handler;
        return vec![Finding {
            verdict: Verdict::Blocked,
            operation: name.clone(),
            text: format!("no code runs `{name}`: the lock has no handler of that name"),
        }];
    };
    let mut children: HashMap<OperationId, Vec<&Record>> = HashMap::new();
    // Internal records, such as published values, belong to no call site.
    for record in records.iter().filter(|record| !record.is_internal()) {
        children.entry(record.parent).or_default().push(record);
    }
    let site_index = SiteIndex::of(lock);
    let recorded = recorded_paths(&children, OperationId::ROOT, &[]);
    let mut checker = Checker {
        lock,
        site_index: &site_index,
        recorded: recorded.into_iter().collect(),
        children,
        found: Vec::new(),
    };
    let recorded = execution.input_type.as_deref();
    checker.types(
        &handler.name,
        "the input of ",
        recorded,
        Some(&handler.input),
    );
    checker.scope(OperationId::ROOT, &Scope::top(handler));
    checker.found
}

/// Collects the name paths of all records.
fn recorded_paths(
    children: &HashMap<OperationId, Vec<&Record>>,
    scope: OperationId,
    names: &[String],
) -> Vec<NamePath> {
    let records = children.get(&scope).into_iter().flatten();
    let paths = records.flat_map(|record| {
        let names = [names, &[record.name.to_string()]].concat();
        let mut paths = recorded_paths(children, record.id, &names);
        paths.push(names);
        paths
    });
    paths.collect()
}

/// Comparison of the records of one execution with a lock.
struct Checker<'a> {
    lock: &'a Lock,
    site_index: &'a SiteIndex<'a>,
    /// Name paths of all records.
    recorded: HashSet<NamePath>,
    /// Records by their parent.
    children: HashMap<OperationId, Vec<&'a Record>>,
    found: Vec<Finding>,
}

impl<'a> Checker<'a> {
    /// Checks the records in a scope.
    fn scope(&mut self, id: OperationId, scope: &Scope<'a>) {
        let records = self.children.remove(&id).unwrap_or_default();
        let sites: Vec<_> = records
            .iter()
            .map(|record| self.site_of(record, scope))
            .collect();
        for (record, site) in records.iter().zip(&sites) {
            let vacated = site.is_none() && self.is_vacated(record, scope);
            if site.is_none() && !vacated && record.status != Status::Cancelled {
                self.report_orphan(record, scope);
            }
        }
        for (record, site) in records.into_iter().zip(sites) {
            let path = format!("{}{}", scope.path, record.display_name());
            match site {
                Some(site) => self.operation(&path, record, site, scope),
                None if self.is_vacated(record, scope) => {
                    self.scope(record.id, &scope.enter(&path, record, Vec::new()));
                }
                None => {}
            }
        }
    }

    /// Returns the call site of a record: one in the scope, or one whose `was` refers to the scope.
    fn site_of(&self, record: &Record, scope: &Scope<'a>) -> Option<&'a LockedSite> {
        let current = scope
            .sites
            .iter()
            .copied()
            .find(|site| matches(record, site));
        let names = scope.name_path(record);
        let moved = |(enclosing, handler): &(usize, &LockedHandler)| {
            let names = &names[*enclosing..];
            let vacated = self
                .site_index
                .function(handler)?
                .moved_from(names, scope.branches);
            vacated.or_else(|| self.site_index.in_other_function(handler, names))
        };
        current.or_else(|| scope.functions.iter().find_map(moved))
    }

    /// Returns whether the scope is gone from the code but call sites elsewhere name it in their `was`.
    fn is_vacated(&self, record: &Record, scope: &Scope<'a>) -> bool {
        let nested = scope.enter("", record, Vec::new());
        let records = self.children.get(&record.id).into_iter().flatten();
        records
            .into_iter()
            .any(|inner| self.site_of(inner, &nested).is_some() || self.is_vacated(inner, &nested))
    }

    /// Returns the names of the call sites in a scope. Looks through branches.
    fn nested_names<'b>(&self, scope: &'b Record) -> Vec<&'b str>
    where
        'a: 'b,
    {
        let records = self.children.get(&scope.id).into_iter().flatten();
        let names = records.flat_map(|record| match record.kind {
            Kind::Branch => self.nested_names(record),
            _ => vec![record.name.as_ref()],
        });
        names.collect()
    }

    /// Reports a record without a call site, and the call site that may have replaced it.
    fn report_orphan(&mut self, record: &Record, scope: &Scope<'a>) {
        let operation = format!("{}{}", scope.path, record.display_name());
        let Some((enclosing, handler)) = scope.functions.last().copied() else {
            return;
        };
        let (path, repeated) = (
            scope.name_path(record),
            scope.enter("", record, Vec::new()).repeated,
        );
        let missing = MissingSite {
            kind: record.kind,
            name: &record.name,
            path: &path[enclosing..],
            repeated: &repeated[enclosing..],
            nested: self.nested_names(record),
        };
        let is_unrecorded = |indexed: &&IndexedSite<'_>| {
            let is_recorded = |path: &NamePath| {
                let names = [&scope.names[..enclosing], path].concat();
                self.recorded.contains(&names)
            };
            !indexed.paths.iter().any(is_recorded)
        };
        let sites = self
            .site_index
            .function(handler)
            .map(|function| &function.sites[..]);
        let candidate =
            missing.best_candidate(sites.unwrap_or_default().iter().filter(is_unrecorded));
        let (verdict, text) = match candidate {
            Some(candidate) => (
                Verdict::Reruns,
                describe_rerun(record.kind, &operation, &scope.path, &candidate),
            ),
            None => {
                let kind = record.kind;
                let text = format!(
                    "{kind} `{operation}` is recorded, but no call site matches it any more"
                );
                (Verdict::Orphaned, text)
            }
        };
        self.found.push(Finding {
            verdict,
            operation,
            text,
        });
    }

    /// Reports a changed type of a `part` of a record, if both types are known.
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

    /// Checks a record against its call site, and the records inside it.
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
            // Only a later check reads the state.
            Status::Started | Status::Pending if record.payload.is_some() => {
                self.types(path, "the state of ", state, site.state_type.as_deref());
            }
            _ => {}
        }
        // A finished scope is not entered again, except to undo its steps.
        if !record.kind.is_scope() || record.status.is_terminal() {
            return;
        }
        let may_be_flat = matches!(record.kind, Kind::Map | Kind::Parallel);
        let mut nested = scope.enter(path, record, visible(&site.sites, may_be_flat));
        if record.kind == Kind::Call {
            let Some(callee) = callee(self.lock, record) else {
                return;
            };
            nested.sites = visible(&callee.sites, false);
            nested.functions.push((nested.names.len(), callee));
        }
        self.scope(record.id, &nested);
    }
}

/// Returns the function that a `call!` runs: the recorded one, or else the one with its name.
fn callee<'a>(lock: &'a Lock, record: &Record) -> Option<&'a LockedHandler> {
    lock.handler(record.handle.as_deref().unwrap_or(&record.name))
}

/// Describes a call site that runs again because it probably replaces the recorded `operation`.
fn describe_rerun(kind: Kind, operation: &str, scope: &str, candidate: &Candidate<'_>) -> String {
    let Candidate {
        indexed,
        moved,
        was,
    } = candidate;
    let (new, condition) = match moved {
        true => (
            indexed.path.join("/"),
            format!("if `{operation}`, which is recorded, moved there"),
        ),
        false => (
            format!("{scope}{}", indexed.site.name),
            format!("if that is the new name of `{operation}`, which is recorded"),
        ),
    };
    format!("will re-run {kind} `{new}`, {condition}: then write `{was}`")
}
