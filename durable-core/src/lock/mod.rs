//! The names that identify the records of executions in flight, as a file under version control.
//!
//! `durable::testing::names!` writes and checks it; `durable check` and `durable graph` read it. It is text
//! with one line for each handler and each call site, nested like the scopes:
//!
//! ```text
//! handler "import": app::Job -> app::Summary
//!   step "read": alloc::vec::Vec<app::Row>
//!   step "load"[key] was "insert": u64
//!   poll "ready" state "app::Cursor": bool
//!   wait "breathe"[turn]
//! ```
//!
//! Handlers are sorted by name, call sites are in source order. `[key]` and `[turn]` mark call sites that
//! repeat, with runs distinguished by a key or by their number. `was` lists earlier names, `state` is the type
//! of the state of a `poll!`, and the type at the end is that of the value. The attribute does not know the
//! types of values, so they come from the records of a test run.

mod candidate;
mod check;
mod compare;
mod finding;
mod recorded_sites;
mod scope;
mod site_index;
mod text;

use std::any::type_name;
use std::collections::BTreeMap;

use crate::OperationId;
use crate::model::record::{Kind, Record};
use crate::model::site::{Manifest, Repeat, Site};
use crate::runtime::handler::Durable;

pub use check::check;
pub use compare::{Difference, compare};
pub use finding::{Finding, Verdict};
pub use recorded_sites::recorded_sites;
pub use text::ParseError;

/// Names of several handlers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lock {
    /// Handlers, sorted by name.
    pub handlers: Vec<LockedHandler>,
}

/// Names of one handler.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockedHandler {
    /// Name of the handler.
    pub name: String,
    /// Earlier names of the handler.
    pub was: Vec<String>,
    /// Rust type of its input.
    pub input: String,
    /// Rust type of its output.
    pub output: String,
    /// Call sites in source order.
    pub sites: Vec<LockedSite>,
}

/// Call site, with the call sites in its scope.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockedSite {
    /// Kind of the operation.
    pub kind: Kind,
    /// Name of the call site.
    pub name: String,
    /// Whether and how it repeats.
    pub repeat: Repeat,
    /// Earlier names, and paths to earlier locations.
    pub was: Vec<String>,
    /// Rust type of the value, if a test run recorded one.
    pub value_type: Option<String>,
    /// Rust type of the state of a `poll!`, if a test run recorded one.
    pub state_type: Option<String>,
    /// `file:line`, if known: a parsed lock does not contain it.
    pub source: Option<String>,
    /// Call sites in its scope.
    pub sites: Vec<LockedSite>,
}

impl LockedHandler {
    /// Returns the names of this handler.
    pub fn of<H: Durable>() -> Self {
        Self::from_manifest(
            H::manifest(),
            type_name::<H::Input>(),
            type_name::<H::Output>(),
        )
    }

    fn from_manifest(manifest: &Manifest, input: &str, output: &str) -> Self {
        Self {
            name: manifest.handler.to_owned(),
            was: owned(manifest.was),
            input: input.to_owned(),
            output: output.to_owned(),
            sites: nested_sites(manifest.sites, None),
        }
    }

    /// Takes the types of values from the records of a run in `scope`: the id of a `call!`, or
    /// [`OperationId::ROOT`].
    pub fn observe(&mut self, records: &[Record], scope: OperationId) {
        let mut children: BTreeMap<_, Vec<&Record>> = BTreeMap::new();
        for record in records {
            children.entry(record.parent).or_default().push(record);
        }
        observe(&mut self.sites, &children, scope);
    }
}

impl Lock {
    /// Creates a lock of these handlers.
    pub fn new(mut handlers: Vec<LockedHandler>) -> Self {
        handlers.sort_by(|a, b| a.name.cmp(&b.name));
        Self { handlers }
    }

    /// Returns the handler with this name, or the one that used to have it.
    pub fn handler(&self, name: &str) -> Option<&LockedHandler> {
        let now = self.handlers.iter().find(|handler| handler.name == name);
        now.or_else(|| {
            let mut handlers = self.handlers.iter();
            handlers.find(|handler| handler.was.iter().any(|old| old == name))
        })
    }

    /// Copies types from `earlier` that this lock does not know.
    pub fn keep_types(&mut self, earlier: &Self) {
        for handler in &mut self.handlers {
            if let Some(earlier) = earlier.handlers.iter().find(|one| one.name == handler.name) {
                keep_types(&mut handler.sites, &earlier.sites);
            }
        }
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn nested_sites(sites: &[Site], scope: Option<usize>) -> Vec<LockedSite> {
    let of_scope = sites
        .iter()
        .enumerate()
        .filter(|(_, site)| site.within == scope);
    of_scope
        .map(|(index, site)| LockedSite {
            kind: site.kind,
            name: site.name.to_owned(),
            repeat: site.repeat,
            was: owned(site.was),
            value_type: None,
            state_type: None,
            source: Some(format!("{}:{}", site.file, site.line)),
            sites: nested_sites(sites, Some(index)),
        })
        .collect()
}

fn observe(
    sites: &mut [LockedSite],
    children: &BTreeMap<OperationId, Vec<&Record>>,
    scope: OperationId,
) {
    for record in children.get(&scope).into_iter().flatten() {
        let Some(site) = site_of(sites, record) else {
            continue;
        };
        for (found, known) in [
            (&record.value_type, &mut site.value_type),
            (&record.state_type, &mut site.state_type),
        ] {
            if let Some(name) = found {
                *known = Some(name.clone().into_owned());
            }
        }
        observe(&mut site.sites, children, record.id);
    }
}

/// Returns the call site of a record. Looks into the branches of a flat `map!`.
fn site_of<'a>(sites: &'a mut [LockedSite], record: &Record) -> Option<&'a mut LockedSite> {
    let fits = |site: &LockedSite| site.kind == record.kind && site.name == record.name;
    match sites.iter().position(fits) {
        Some(at) => sites.get_mut(at),
        None => {
            let branches = sites.iter_mut().filter(|site| site.kind == Kind::Branch);
            let nested = branches.flat_map(|branch| branch.sites.iter_mut());
            nested.into_iter().find(|site| fits(site))
        }
    }
}

fn keep_types(sites: &mut [LockedSite], earlier: &[LockedSite]) {
    for site in sites {
        let found = earlier.iter().find(|one| one.name == site.name);
        if let Some(earlier) = found.filter(|one| one.kind == site.kind) {
            if site.value_type.is_none() {
                site.value_type.clone_from(&earlier.value_type);
            }
            if site.state_type.is_none() {
                site.state_type.clone_from(&earlier.state_type);
            }
            keep_types(&mut site.sites, &earlier.sites);
        }
    }
}
