//! Where the records of call sites may stand: at their own place, and where they say that they stood before.
//!
//! Places are names without keys: which runs there are, a lock does not know.

use super::{Lock, LockedHandler, LockedSite};
use crate::model::earlier::{Earlier, Start};
use crate::model::record::Kind;

/// The names of an operation and of the scopes around it, the outermost first.
pub(super) type Names = Vec<String>;

/// A call site with its places, from the top of its function.
pub(super) struct Placed<'a> {
    pub(super) site: &'a LockedSite,
    /// Where it stands, with the names of today.
    pub(super) own: Names,
    /// Where its records may stand, that place included.
    pub(super) places: Vec<Names>,
    /// The ends of its places outside of the function.
    outside: Vec<Names>,
    /// The scopes around it, the outermost first.
    pub(super) around: Vec<&'a LockedSite>,
}

/// The call sites of a function with their places.
pub(super) struct Function<'a> {
    pub(super) handler: &'a LockedHandler,
    pub(super) sites: Vec<Placed<'a>>,
}

/// The call sites of all functions of a lock.
pub(super) struct Map<'a> {
    pub(super) functions: Vec<Function<'a>>,
}

impl<'a> Map<'a> {
    pub(super) fn of(lock: &'a Lock) -> Self {
        let functions = lock.handlers.iter().map(Function::of);
        Self {
            functions: functions.collect(),
        }
    }

    pub(super) fn function(&self, handler: &LockedHandler) -> Option<&Function<'a>> {
        let mut functions = self.functions.iter();
        functions.find(|function| std::ptr::eq(function.handler, handler))
    }

    /// The call site that says it stood at `names` in the function of `handler` and stands in another function now:
    /// in one that is called from there, or in one that calls it.
    pub(super) fn elsewhere(
        &self,
        handler: &LockedHandler,
        names: &[String],
    ) -> Option<&'a LockedSite> {
        let others = self.functions.iter().flat_map(|function| {
            let sites = function.sites.iter();
            sites.map(move |placed| (function, placed))
        });
        let mut found = others.filter(|(function, placed)| {
            let above = placed.outside.iter().any(|tail| names.ends_with(tail));
            let below = !std::ptr::eq(function.handler, handler)
                && placed
                    .places
                    .iter()
                    .any(|place| function.calls(place, names));
            above || below
        });
        found.next().map(|(_, placed)| placed.site)
    }
}

impl<'a> Function<'a> {
    pub(super) fn of(handler: &'a LockedHandler) -> Self {
        let mut function = Self {
            handler,
            sites: Vec::new(),
        };
        function.add(&handler.sites, &mut vec![vec![Names::new()]], &[]);
        function
    }

    /// Adds `sites`, which stand in scopes with these places, the outermost first.
    fn add(
        &mut self,
        sites: &'a [LockedSite],
        scopes: &mut Vec<Vec<Names>>,
        around: &[&'a LockedSite],
    ) {
        for site in sites {
            let inside = scopes.last().map_or(&[][..], |scopes| scopes);
            let mut places: Vec<Names> = inside
                .iter()
                .map(|scope| joined(scope, [&*site.name]))
                .collect();
            let own = places.first().cloned().unwrap_or_default();
            let mut outside = Vec::new();
            for path in site.was.iter().filter_map(|path| Earlier::parse(path)) {
                let names = || path.segments.iter().map(|segment| segment.name);
                let above = match path.from {
                    Start::Top => Some(0),
                    Start::Up(scopes_up) => (scopes.len() - 1).checked_sub(scopes_up),
                };
                match above {
                    Some(scope) => {
                        places.extend(scopes[scope].iter().map(|scope| joined(scope, names())))
                    }
                    None => outside.push(joined(&[], names())),
                }
            }
            let within = [around, &[site]].concat();
            scopes.push(places.clone());
            self.sites.push(Placed {
                site,
                own,
                places,
                outside,
                around: around.to_vec(),
            });
            self.add(&site.sites, scopes, &within);
            scopes.pop();
        }
    }

    /// The call site whose records may stand at `names`: by its own place, else by an earlier one.
    pub(super) fn at(&self, names: &[String]) -> Option<&Placed<'a>> {
        let own = self.sites.iter().find(|placed| placed.own == names);
        own.or_else(|| {
            let mut sites = self.sites.iter();
            sites.find(|placed| placed.places.iter().any(|place| place == names))
        })
    }

    /// The call site that says it stood at `names`, and stands elsewhere. What is there may also stand in a branch of
    /// this name that left no record.
    pub(super) fn left(
        &self,
        names: &[String],
        branch: Option<&'static str>,
    ) -> Option<&'a LockedSite> {
        let in_branch = branch.map(|branch| {
            let mut names = names.to_vec();
            names.insert(names.len() - 1, branch.to_owned());
            names
        });
        let mut places = [Some(names), in_branch.as_deref()].into_iter().flatten();
        places.find_map(|names| {
            let mut sites = self.sites.iter().filter(|placed| placed.own != names);
            let here = sites.find(|placed| placed.places.iter().any(|place| place == names));
            here.map(|placed| placed.site)
        })
    }

    /// Whether `place` leads through a `call!` to `names` in what that calls.
    fn calls(&self, place: &[String], names: &[String]) -> bool {
        let Some(call) = place.strip_suffix(names).filter(|call| !call.is_empty()) else {
            return false;
        };
        let at = self.at(call);
        // One that is gone may have been a call.
        at.is_none_or(|placed| placed.site.kind == Kind::Call)
    }
}

/// What the branches of an operation are called, which leave no record where it is flat.
pub(super) fn branches_of(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Map => Some("item"),
        Kind::Parallel => Some("branch"),
        _ => None,
    }
}

fn joined<'a>(scope: &[String], names: impl IntoIterator<Item = &'a str>) -> Names {
    let names = names.into_iter().map(str::to_owned);
    scope.iter().cloned().chain(names).collect()
}
