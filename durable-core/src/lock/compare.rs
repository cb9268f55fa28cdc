//! Compares a lock with the names in the code.

use super::candidate::{Candidate, MissingSite, nested_names};
use super::site_index::{FunctionIndex, IndexedSite, NamePath, SiteIndex};
use super::{Lock, LockedHandler, LockedSite};
use crate::model::earlier::{Earlier, Start};
use crate::model::near::is_near;
use crate::model::record::Kind;
use crate::model::site::Repeat;

/// Change of the code that executions in flight cannot follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Description of the change.
    pub what: String,
    /// Suggested code, if there is one.
    pub paste: Option<String>,
}

/// Compares the lock with the code. Reports removals and changes, but not additions.
pub fn compare(locked: &Lock, now: &Lock) -> Vec<Difference> {
    let (mut found, site_index) = (Vec::new(), SiteIndex::of(now));
    for before in &locked.handlers {
        let Some(handler) = now.handler(&before.name) else {
            found.push(missing_handler(before, locked, now));
            continue;
        };
        for (what, then, today) in [
            ("input", &before.input, &handler.input),
            ("output", &before.output, &handler.output),
        ] {
            if then != today {
                let name = &handler.name;
                found.push(Difference {
                    what: format!("the {what} of `{name}` is recorded as `{then}`, the code now wants `{today}`"),
                    paste: None,
                });
            }
        }
        let now = Comparer {
            before: FunctionIndex::of(before),
            handler,
            site_index: &site_index,
        };
        now.sites(
            &before.sites,
            &mut NamePath::new(),
            &mut Vec::new(),
            &mut found,
        );
    }
    found
}

/// Reports a handler that is gone, and suggests a `was` for the one that may have replaced it.
fn missing_handler(before: &LockedHandler, locked: &Lock, now: &Lock) -> Difference {
    let is_new = |handler: &&LockedHandler| locked.handler(&handler.name).is_none();
    let alike = |handler: &LockedHandler| {
        let alike = handler.sites.iter().filter(|site| {
            let mut sites = before.sites.iter();
            sites.any(|one| one.name == site.name)
        });
        (alike.count(), is_near(&handler.name, &before.name))
    };
    let candidate = now.handlers.iter().filter(is_new);
    let candidate = candidate.filter(|handler| alike(handler) > (0, false));
    let candidate = candidate.max_by_key(|handler| alike(handler));
    let name = &before.name;
    Difference {
        what: format!(
            "the handler `{name}` is gone: its executions in flight have no code that runs them"
        ),
        paste: candidate.map(|handler| {
            format!(
                "#[durable(was = \"{name}\")] above `{}`, if that is its new name",
                handler.name
            )
        }),
    }
}

/// Compares the call sites of one locked function with the code.
struct Comparer<'a> {
    before: FunctionIndex<'a>,
    handler: &'a LockedHandler,
    site_index: &'a SiteIndex<'a>,
}

impl<'a> Comparer<'a> {
    /// Compares the locked call sites `before`, which are in these scopes.
    fn sites(
        &self,
        before: &'a [LockedSite],
        scopes: &mut NamePath,
        repeated: &mut Vec<bool>,
        found: &mut Vec<Difference>,
    ) {
        for old in before {
            let within = format!("{}{}", self.before.handler.name, path(scopes));
            scopes.push(old.name.clone());
            repeated.push(old.repeat != Repeat::Once);
            match self.find_current(scopes) {
                Some((new, declared)) => {
                    changed(&within, old, new, declared, found);
                    self.sites(&old.sites, scopes, repeated, found);
                }
                // Its call sites have moved elsewhere. The scope itself is not needed if all of them have.
                None if self.is_vacated(old, scopes) => {
                    self.sites(&old.sites, scopes, repeated, found)
                }
                None => found.push(self.missing(&within, old, scopes, repeated)),
            }
            scopes.pop();
            repeated.pop();
        }
    }

    /// Returns the call site in the code that matches the records at `names`, and whether only its `was` says
    /// so.
    fn find_current(&self, names: &[String]) -> Option<(&'a LockedSite, bool)> {
        let current = self
            .site_index
            .function(self.handler)
            .and_then(|now| now.at(names));
        let current = current.map(|indexed| (indexed.site, indexed.path != names));
        current.or_else(|| {
            Some((
                self.site_index.in_other_function(self.handler, names)?,
                true,
            ))
        })
    }

    /// Returns whether call sites elsewhere have moved out of this scope. For a `call!`, checks the called
    /// function.
    fn is_vacated(&self, scope: &LockedSite, names: &[String]) -> bool {
        if scope.kind == Kind::Call
            && let Some(now) = self.site_index.function(self.handler)
        {
            let mut paths = now.sites.iter().flat_map(|indexed| &indexed.paths);
            return paths.any(|path| path.len() > names.len() && path.starts_with(names));
        }
        scope.sites.iter().any(|site| {
            let names = [names, std::slice::from_ref(&site.name)].concat();
            self.find_current(&names).is_some() || self.is_vacated(site, &names)
        })
    }

    /// Reports a call site that was moved, renamed or removed.
    fn missing(
        &self,
        scope: &str,
        old: &LockedSite,
        names: &[String],
        repeated: &[bool],
    ) -> Difference {
        let (kind, name) = (old.kind, &old.name);
        let missing = MissingSite {
            kind,
            name,
            path: names,
            repeated,
            nested: nested_names(old),
        };
        let sites = self
            .site_index
            .function(self.handler)
            .map(|now| &now.sites[..]);
        let is_new =
            |new: &&IndexedSite<'_>| !new.paths.iter().any(|path| self.before.at(path).is_some());
        let candidate = missing.best_candidate(sites.unwrap_or_default().iter().filter(is_new));
        Difference {
            what: format!(
                "the {kind} `{scope}/{name}` is gone: executions in flight have recorded it"
            ),
            paste: candidate.map(|candidate| {
                let Candidate {
                    indexed,
                    moved,
                    was,
                } = candidate;
                let (new, location) = (&indexed.site.name, location(indexed.site));
                match moved {
                    true => format!(
                        "{was} at the {kind} `{}{}`{location}, if it moved there",
                        self.handler.name,
                        path(&indexed.path)
                    ),
                    false => {
                        format!("{was} at the {kind} `{new}`{location}, if that is its new name")
                    }
                }
            }),
        }
    }
}

fn path(names: &[String]) -> String {
    names.iter().map(|name| format!("/{name}")).collect()
}

/// Returns whether `was` contains this name in the same scope, for any run.
pub(super) fn was(site: &LockedSite, name: &str) -> bool {
    let mut paths = site.was.iter().filter_map(|path| Earlier::parse(path));
    paths.any(|path| {
        path.from == Start::Up(0) && matches!(&path.segments[..], [one] if one.name == name)
    })
}

fn changed(
    scope: &str,
    old: &LockedSite,
    new: &LockedSite,
    declared: bool,
    found: &mut Vec<Difference>,
) {
    let (path, location) = (format!("{scope}/{}", old.name), location(new));
    if old.kind != new.kind {
        found.push(Difference {
            what: format!(
                "`{path}` was a {}, the code now has a {}{location}",
                old.kind, new.kind
            ),
            paste: Some(format!(
                "another name for the {}: it cannot use the records of the {}",
                new.kind, old.kind
            )),
        });
        return;
    }
    if old.repeat != new.repeat && !declared && !was(new, &old.name) {
        found.push(Difference {
            what: format!(
                "`{path}` was {}, now it is {}{location}",
                describe_repeat(old.repeat),
                describe_repeat(new.repeat)
            ),
            paste: Some(format!(
                "was = \"{}\" at its call site{location}",
                example_was(old)
            )),
        });
    }
    for (part, then, today) in [
        ("", &old.value_type, &new.value_type),
        ("the state of ", &old.state_type, &new.state_type),
    ] {
        if let (Some(then), Some(today)) = (then, today)
            && then != today
        {
            found.push(Difference {
                what: format!("{part}`{path}` is recorded as `{then}`, the code now wants `{today}`{location}"),
                paste: Some(format!(
                    "another name for it, such as \"{}_v2\", unless `{today}` can decode values encoded as `{then}`",
                    old.name
                )),
            });
        }
    }
}

/// Formats the name of a locked call site for `was`, with an example key if it repeats.
fn example_was(old: &LockedSite) -> String {
    match old.repeat {
        Repeat::Once => old.name.clone(),
        Repeat::Ordered => format!("{}[0]", old.name),
        Repeat::Keyed => format!("{}[KEY]", old.name),
    }
}

fn describe_repeat(repeat: Repeat) -> &'static str {
    match repeat {
        Repeat::Once => "not repeated",
        Repeat::Keyed => "repeated by key",
        Repeat::Ordered => "repeated by number",
    }
}

fn location(site: &LockedSite) -> String {
    let source = site.source.as_ref();
    source.map_or_else(String::new, |source| format!(" ({source})"))
}
