//! What of the names in a lock the code does not have any more.

use super::likely::{Gone, Likely, named};
use super::moves::{Function, Map, Names, Placed};
use super::{Lock, LockedHandler, LockedSite};
use crate::model::earlier::{Earlier, Start};
use crate::model::near::is_near;
use crate::model::record::Kind;
use crate::model::site::Repeat;

/// Something in the lock that executions in flight would not find again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What is wrong.
    pub what: String,
    /// What to write, if it is known.
    pub paste: Option<String>,
}

/// What of `locked` is not in `now`. Additions are none of it.
pub fn compare(locked: &Lock, now: &Lock) -> Vec<Difference> {
    let (mut found, map) = (Vec::new(), Map::of(now));
    for before in &locked.handlers {
        let Some(handler) = now.handler(&before.name) else {
            found.push(gone(before, locked, now));
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
        let now = Look {
            before: Function::of(before),
            handler,
            map: &map,
        };
        now.sites(
            &before.sites,
            &mut Names::new(),
            &mut Vec::new(),
            &mut found,
        );
    }
    found
}

/// The line to write above a handler that was renamed.
fn gone(before: &LockedHandler, locked: &Lock, now: &Lock) -> Difference {
    let is_new = |handler: &&LockedHandler| locked.handler(&handler.name).is_none();
    let alike = |handler: &LockedHandler| {
        let alike = handler.sites.iter().filter(|site| {
            let mut sites = before.sites.iter();
            sites.any(|one| one.name == site.name)
        });
        (alike.count(), is_near(&handler.name, &before.name))
    };
    let likely = now.handlers.iter().filter(is_new);
    let likely = likely.filter(|handler| alike(handler) > (0, false));
    let likely = likely.max_by_key(|handler| alike(handler));
    let name = &before.name;
    Difference {
        what: format!(
            "the handler `{name}` is gone: its executions in flight have no code that runs them"
        ),
        paste: likely.map(|handler| {
            format!(
                "#[durable(was = \"{name}\")] above `{}`, if that is its new name",
                handler.name
            )
        }),
    }
}

/// A function of the lock, and what the code has.
struct Look<'a> {
    before: Function<'a>,
    handler: &'a LockedHandler,
    map: &'a Map<'a>,
}

impl<'a> Look<'a> {
    /// Compares `before`, which stands in these scopes, some of them in a loop.
    fn sites(
        &self,
        before: &'a [LockedSite],
        scopes: &mut Names,
        many: &mut Vec<bool>,
        found: &mut Vec<Difference>,
    ) {
        for old in before {
            let within = format!("{}{}", self.before.handler.name, path(scopes));
            scopes.push(old.name.clone());
            many.push(old.repeat != Repeat::Once);
            match self.now_of(scopes) {
                Some((new, declared)) => {
                    changed(&within, old, new, declared, found);
                    self.sites(&old.sites, scopes, many, found);
                }
                // Call sites have moved out of it: it is enough that all of them have.
                None if self.is_left(old, scopes) => self.sites(&old.sites, scopes, many, found),
                None => found.push(self.missing(&within, old, scopes, many)),
            }
            scopes.pop();
            many.pop();
        }
    }

    /// The call site that answers for what is recorded at `names`, and whether it says that it stood there.
    fn now_of(&self, names: &[String]) -> Option<(&'a LockedSite, bool)> {
        let here = self
            .map
            .function(self.handler)
            .and_then(|now| now.at(names));
        let here = here.map(|placed| (placed.site, placed.own != names));
        here.or_else(|| Some((self.map.elsewhere(self.handler, names)?, true)))
    }

    /// Whether call sites say that they stood in this scope; of a call, in what that runs.
    fn is_left(&self, scope: &LockedSite, names: &[String]) -> bool {
        if scope.kind == Kind::Call
            && let Some(now) = self.map.function(self.handler)
        {
            let mut places = now.sites.iter().flat_map(|placed| &placed.places);
            return places.any(|place| place.len() > names.len() && place.starts_with(names));
        }
        scope.sites.iter().any(|site| {
            let names = [names, std::slice::from_ref(&site.name)].concat();
            self.now_of(&names).is_some() || self.is_left(site, &names)
        })
    }

    /// A call site that the code does not have: moved, renamed, or removed.
    fn missing(
        &self,
        scope: &str,
        old: &LockedSite,
        place: &[String],
        many: &[bool],
    ) -> Difference {
        let (kind, name) = (old.kind, &old.name);
        let gone = Gone {
            kind,
            name,
            place,
            many,
            inside: named(old),
        };
        let sites = self.map.function(self.handler).map(|now| &now.sites[..]);
        let is_new = |new: &&Placed<'_>| {
            !new.places
                .iter()
                .any(|place| self.before.at(place).is_some())
        };
        let likely = gone.likely(sites.unwrap_or_default().iter().filter(is_new));
        Difference {
            what: format!(
                "the {kind} `{scope}/{name}` is gone: executions in flight have recorded it"
            ),
            paste: likely.map(|likely| {
                let Likely { placed, moved, was } = likely;
                let (new, place) = (&placed.site.name, self::place(placed.site));
                match moved {
                    true => format!(
                        "{was} at the {kind} `{}{}`{place}, if it moved there",
                        self.handler.name,
                        path(&placed.own)
                    ),
                    false => format!("{was} at the {kind} `{new}`{place}, if that is its new name"),
                }
            }),
        }
    }
}

fn path(names: &[String]) -> String {
    names.iter().map(|name| format!("/{name}")).collect()
}

/// Whether the site had this name in the same scope, whichever of its runs is meant.
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
    let (path, at) = (format!("{scope}/{}", old.name), place(new));
    if old.kind != new.kind {
        found.push(Difference {
            what: format!(
                "`{path}` was a {}, the code now has a {}{at}",
                old.kind, new.kind
            ),
            paste: Some(format!(
                "another name for the {}: what is recorded of the {} answers it nothing",
                new.kind, old.kind
            )),
        });
        return;
    }
    if old.repeat != new.repeat && !declared && !was(new, &old.name) {
        found.push(Difference {
            what: format!(
                "the runs of `{path}` were told apart {}, now {}{at}",
                apart(old.repeat),
                apart(new.repeat)
            ),
            paste: Some(format!(
                "was = \"{}\" at its call site{at}",
                former_run(old)
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
                what: format!("{part}`{path}` is recorded as `{then}`, the code now wants `{today}`{at}"),
                paste: Some(format!(
                    "another name for it, such as \"{}_v2\", unless `{today}` reads what was written as `{then}`",
                    old.name
                )),
            });
        }
    }
}

/// The name that `was` takes for what a site recorded: of a site in a loop, one of its runs.
fn former_run(old: &LockedSite) -> String {
    match old.repeat {
        Repeat::Once => old.name.clone(),
        Repeat::Ordered => format!("{}[0]", old.name),
        Repeat::Keyed => format!("{}[KEY]", old.name),
    }
}

fn apart(repeat: Repeat) -> &'static str {
    match repeat {
        Repeat::Once => "not at all, as it ran once",
        Repeat::Keyed => "by a key",
        Repeat::Ordered => "by their turn",
    }
}

fn place(site: &LockedSite) -> String {
    let source = site.source.as_ref();
    source.map_or_else(String::new, |source| format!(" ({source})"))
}
