//! Index of the name paths under which call sites may have records: their own, and those that their `was`
//! refers to.
//!
//! Name paths have no keys, because a lock does not know which runs there are.

use super::{Lock, LockedHandler, LockedSite};
use crate::model::earlier::{Earlier, Start};
use crate::model::record::Kind;

/// Names of the enclosing scopes and of the operation, the outermost first.
pub(super) type NamePath = Vec<String>;

/// Call site with its name paths, which start at the top of its function.
pub(super) struct IndexedSite<'a> {
    pub(super) site: &'a LockedSite,
    /// Current path.
    pub(super) path: NamePath,
    /// All paths under which it may have records, including the current one.
    pub(super) paths: Vec<NamePath>,
    /// Ends of paths that lead out of the function.
    outer_tails: Vec<NamePath>,
    /// Enclosing scopes, the outermost first.
    pub(super) enclosing: Vec<&'a LockedSite>,
}

/// Index of the call sites of one function.
pub(super) struct FunctionIndex<'a> {
    pub(super) handler: &'a LockedHandler,
    pub(super) sites: Vec<IndexedSite<'a>>,
}

/// Index of the call sites of all functions in a lock.
pub(super) struct SiteIndex<'a> {
    pub(super) functions: Vec<FunctionIndex<'a>>,
}

impl<'a> SiteIndex<'a> {
    pub(super) fn of(lock: &'a Lock) -> Self {
        let functions = lock.handlers.iter().map(FunctionIndex::of);
        Self {
            functions: functions.collect(),
        }
    }

    pub(super) fn function(&self, handler: &LockedHandler) -> Option<&FunctionIndex<'a>> {
        let mut functions = self.functions.iter();
        functions.find(|function| std::ptr::eq(function.handler, handler))
    }

    /// Returns the call site that was at `names` in the function of `handler` and is now in another function,
    /// which calls it or is called by it.
    pub(super) fn in_other_function(
        &self,
        handler: &LockedHandler,
        names: &[String],
    ) -> Option<&'a LockedSite> {
        let others = self.functions.iter().flat_map(|function| {
            let sites = function.sites.iter();
            sites.map(move |indexed| (function, indexed))
        });
        let mut found = others.filter(|(function, indexed)| {
            let above = indexed.outer_tails.iter().any(|tail| names.ends_with(tail));
            let below = !std::ptr::eq(function.handler, handler)
                && indexed.paths.iter().any(|path| function.calls(path, names));
            above || below
        });
        found.next().map(|(_, indexed)| indexed.site)
    }
}

impl<'a> FunctionIndex<'a> {
    pub(super) fn of(handler: &'a LockedHandler) -> Self {
        let mut function = Self {
            handler,
            sites: Vec::new(),
        };
        function.add(&handler.sites, &mut vec![vec![NamePath::new()]], &[]);
        function
    }

    /// Indexes `sites`. Each entry of `scopes` holds the paths of one enclosing scope, the outermost first.
    fn add(
        &mut self,
        sites: &'a [LockedSite],
        scopes: &mut Vec<Vec<NamePath>>,
        enclosing: &[&'a LockedSite],
    ) {
        for site in sites {
            let scope_paths = scopes.last().map_or(&[][..], |scopes| scopes);
            let mut paths: Vec<NamePath> = scope_paths
                .iter()
                .map(|scope| joined(scope, [&*site.name]))
                .collect();
            let path = paths.first().cloned().unwrap_or_default();
            let mut outer_tails = Vec::new();
            for earlier in site.was.iter().filter_map(|path| Earlier::parse(path)) {
                let names = || earlier.segments.iter().map(|segment| segment.name);
                let above = match earlier.from {
                    Start::Top => Some(0),
                    Start::Up(scopes_up) => (scopes.len() - 1).checked_sub(scopes_up),
                };
                match above {
                    Some(scope) => {
                        paths.extend(scopes[scope].iter().map(|scope| joined(scope, names())))
                    }
                    None => outer_tails.push(joined(&[], names())),
                }
            }
            let within = [enclosing, &[site]].concat();
            scopes.push(paths.clone());
            self.sites.push(IndexedSite {
                site,
                path,
                paths,
                outer_tails,
                enclosing: enclosing.to_vec(),
            });
            self.add(&site.sites, scopes, &within);
            scopes.pop();
        }
    }

    /// Returns the call site that may have records at `names`. Prefers current paths over earlier ones.
    pub(super) fn at(&self, names: &[String]) -> Option<&IndexedSite<'a>> {
        let current = self.sites.iter().find(|indexed| indexed.path == names);
        current.or_else(|| {
            let mut sites = self.sites.iter();
            sites.find(|indexed| indexed.paths.iter().any(|path| path == names))
        })
    }

    /// Returns the call site that was at `names` and is now elsewhere. Also tries the path through a branch
    /// named `branch`, which may have no record.
    pub(super) fn moved_from(
        &self,
        names: &[String],
        branch: Option<&'static str>,
    ) -> Option<&'a LockedSite> {
        let in_branch = branch.map(|branch| {
            let mut names = names.to_vec();
            names.insert(names.len() - 1, branch.to_owned());
            names
        });
        let mut paths = [Some(names), in_branch.as_deref()].into_iter().flatten();
        paths.find_map(|names| {
            let mut sites = self.sites.iter().filter(|indexed| indexed.path != names);
            let found = sites.find(|indexed| indexed.paths.iter().any(|path| path == names));
            found.map(|indexed| indexed.site)
        })
    }

    /// Returns whether `path` leads to `names` through a `call!` of the function.
    fn calls(&self, path: &[String], names: &[String]) -> bool {
        let Some(call) = path.strip_suffix(names).filter(|call| !call.is_empty()) else {
            return false;
        };
        let at = self.at(call);
        // A missing call site may have been a `call!`.
        at.is_none_or(|indexed| indexed.site.kind == Kind::Call)
    }
}

/// Returns the name of the branches of an operation. Flat branches have no records.
pub(super) fn branches_of(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Map => Some("item"),
        Kind::Parallel => Some("branch"),
        _ => None,
    }
}

fn joined<'a>(scope: &[String], names: impl IntoIterator<Item = &'a str>) -> NamePath {
    let names = names.into_iter().map(str::to_owned);
    scope.iter().cloned().chain(names).collect()
}
