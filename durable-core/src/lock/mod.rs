//! The names that executions in flight are recognised by, as a file that is committed.
//!
//! `durable::testing::names!` keeps it; `durable check` and `durable graph` read it. It is text, one line
//! for each handler and each call site, nested as the scopes are:
//!
//! ```text
//! handler "import": app::Job -> app::Summary
//!   step "read": alloc::vec::Vec<app::Row>
//!   step "load"[key] was "insert": u64
//!   poll "ready" state "app::Cursor": bool
//!   wait "breathe"[turn]
//! ```
//!
//! Handlers are sorted by name; call sites stand in the order of the source. `[key]` and `[turn]` tell the
//! runs of one apart, `was` names what it was called before, `state` is the
//! type of what a poll carries from one check to the next, and the type at the end is that of its value. The attribute
//! does not know the types of values: they are those that a run has recorded, where the test names one.

mod check;
mod compare;
mod finding;
mod likely;
mod location;
mod moves;
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
pub use location::places;
pub use text::ParseError;

/// The names of several handlers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lock {
    /// Sorted by their names.
    pub handlers: Vec<LockedHandler>,
}

/// The names of one handler.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockedHandler {
    /// Its name.
    pub name: String,
    /// Names it had before.
    pub was: Vec<String>,
    /// Rust type of its input.
    pub input: String,
    /// Rust type of its output.
    pub output: String,
    /// Its call sites, in the order of the source.
    pub sites: Vec<LockedSite>,
}

/// One call site, with those that stand in its scope.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockedSite {
    /// What it does.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Whether and how it runs more than once.
    pub repeat: Repeat,
    /// Names it had before, and paths to where it stood.
    pub was: Vec<String>,
    /// Rust type of its value, where one was recorded.
    pub value_type: Option<String>,
    /// Rust type of what a `poll!` carries from one check to the next, where one was recorded.
    pub state_type: Option<String>,
    /// `file:line`, where it is known: a lock that was read does not know it.
    pub source: Option<String>,
    /// The call sites in its scope.
    pub sites: Vec<LockedSite>,
}

impl LockedHandler {
    /// The names of this handler.
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
            sites: inside(manifest.sites, None),
        }
    }

    /// Takes the types of values over from records of a run of it, which stand in `scope`: that of a
    /// `call!`, or [`OperationId::ROOT`].
    pub fn observe(&mut self, records: &[Record], scope: OperationId) {
        let mut inside: BTreeMap<_, Vec<&Record>> = BTreeMap::new();
        for record in records {
            inside.entry(record.parent).or_default().push(record);
        }
        observe(&mut self.sites, &inside, scope);
    }
}

impl Lock {
    /// The names of these handlers.
    pub fn new(mut handlers: Vec<LockedHandler>) -> Self {
        handlers.sort_by(|a, b| a.name.cmp(&b.name));
        Self { handlers }
    }

    /// The handler of this name, or one that had it.
    pub fn handler(&self, name: &str) -> Option<&LockedHandler> {
        let now = self.handlers.iter().find(|handler| handler.name == name);
        now.or_else(|| {
            let mut handlers = self.handlers.iter();
            handlers.find(|handler| handler.was.iter().any(|old| old == name))
        })
    }

    /// Takes over the types that `earlier` knows and this one does not.
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

fn inside(sites: &[Site], scope: Option<usize>) -> Vec<LockedSite> {
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
            sites: inside(sites, Some(index)),
        })
        .collect()
}

fn observe(
    sites: &mut [LockedSite],
    inside: &BTreeMap<OperationId, Vec<&Record>>,
    scope: OperationId,
) {
    for record in inside.get(&scope).into_iter().flatten() {
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
        observe(&mut site.sites, inside, record.id);
    }
}

/// The call site that made the record; of a flat `map!`, one that stands in its branch.
fn site_of<'a>(sites: &'a mut [LockedSite], record: &Record) -> Option<&'a mut LockedSite> {
    let fits = |site: &LockedSite| site.kind == record.kind && site.name == record.name;
    match sites.iter().position(fits) {
        Some(at) => sites.get_mut(at),
        None => {
            let branches = sites.iter_mut().filter(|site| site.kind == Kind::Branch);
            let inside = branches.flat_map(|branch| branch.sites.iter_mut());
            inside.into_iter().find(|site| fits(site))
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
