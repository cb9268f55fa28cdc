//! Scopes of a recorded execution, with the call sites that may have records in them.

use super::compare::was;
use super::site_index::{NamePath, branches_of};
use super::{LockedHandler, LockedSite};
use crate::Occurrence;
use crate::model::record::{Kind, Record};
use crate::model::site::Repeat;

/// Scope whose records are checked.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    /// Path of display names, up to and including the last `/`.
    pub(super) path: String,
    /// Name path of the scope, and for each of its names whether the operation repeats.
    pub(super) names: NamePath,
    pub(super) repeated: Vec<bool>,
    /// Call sites that may have records in it.
    pub(super) sites: Vec<&'a LockedSite>,
    /// Enclosing functions, the handler first, each with the number of scopes around it.
    pub(super) functions: Vec<(usize, &'a LockedHandler)>,
    /// Name of the branches that may be missing between this scope and its records.
    pub(super) branches: Option<&'static str>,
}

impl<'a> Scope<'a> {
    /// Returns the top of a handler.
    pub(super) fn top(handler: &'a LockedHandler) -> Self {
        Self {
            path: String::new(),
            names: NamePath::new(),
            repeated: Vec::new(),
            sites: visible(&handler.sites, false),
            functions: vec![(0, handler)],
            branches: None,
        }
    }

    /// Returns the name path of a record in this scope.
    pub(super) fn name_path(&self, record: &Record) -> NamePath {
        let name = record.name.to_string();
        self.names.iter().cloned().chain([name]).collect()
    }

    /// Enters the scope of a record, which has these call sites.
    pub(super) fn enter(&self, path: &str, record: &Record, sites: Vec<&'a LockedSite>) -> Self {
        let mut nested = self.clone();
        nested.path = format!("{path}/");
        nested.names = self.name_path(record);
        nested.repeated.push(record.occurrence != Occurrence::Once);
        nested.sites = sites;
        nested.branches = branches_of(record.kind);
        nested
    }
}

/// Returns the call sites that may have records directly in a scope. With `flat` these include the
/// call sites in the branches.
pub(super) fn visible(sites: &[LockedSite], flat: bool) -> Vec<&LockedSite> {
    let nested = sites
        .iter()
        .filter(|site| flat && site.kind == Kind::Branch);
    sites
        .iter()
        .chain(nested.flat_map(|site| &site.sites))
        .collect()
}

/// Returns whether a record belongs to a call site.
pub(super) fn matches(record: &Record, site: &LockedSite) -> bool {
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
