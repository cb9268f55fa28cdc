//! What of the names in a lock the code does not have any more.

use super::{Lock, LockedHandler, LockedSite};
use crate::site::Repeat;

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
    let mut found = Vec::new();
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
        sites(&before.name, &before.sites, &handler.sites, &mut found);
    }
    found
}

/// The line to write above a handler that was renamed.
fn gone(before: &LockedHandler, locked: &Lock, now: &Lock) -> Difference {
    let is_new = |handler: &&LockedHandler| locked.handler(&handler.name).is_none();
    let likely = now.handlers.iter().filter(is_new).max_by_key(|handler| {
        let alike = handler.sites.iter().filter(|site| {
            let mut sites = before.sites.iter();
            sites.any(|one| one.name == site.name)
        });
        alike.count()
    });
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

fn sites(scope: &str, before: &[LockedSite], now: &[LockedSite], found: &mut Vec<Difference>) {
    for old in before {
        match now_of(old, now) {
            Some(new) => {
                changed(scope, old, new, found);
                sites(
                    &format!("{scope}/{}", new.name),
                    &old.sites,
                    &new.sites,
                    found,
                );
            }
            None => found.push(missing(scope, old, before, now)),
        }
    }
}

/// The call site that answers for what `old` has recorded.
pub(super) fn now_of<'a>(old: &LockedSite, now: &'a [LockedSite]) -> Option<&'a LockedSite> {
    let same = now.iter().find(|site| site.name == old.name);
    same.or_else(|| now.iter().find(|site| was(site, &old.name)))
}

/// Whether the site had this name, whichever of its runs is meant.
pub(super) fn was(site: &LockedSite, name: &str) -> bool {
    let names = site
        .was
        .iter()
        .map(|old| old.split('[').next().unwrap_or(old));
    names.into_iter().any(|old| old == name)
}

fn changed(scope: &str, old: &LockedSite, new: &LockedSite, found: &mut Vec<Difference>) {
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
    if old.repeat != new.repeat && !was(new, &old.name) {
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

/// A site that the code does not have: renamed, or removed.
fn missing(scope: &str, old: &LockedSite, before: &[LockedSite], now: &[LockedSite]) -> Difference {
    let is_new = |site: &&LockedSite| {
        site.kind == old.kind && !before.iter().any(|one| one.name == site.name)
    };
    let likely = now.iter().filter(is_new).min_by_key(|site| {
        (
            site.repeat != old.repeat,
            crate::near::distance(&site.name, &old.name),
        )
    });
    let (kind, name) = (old.kind, &old.name);
    Difference {
        what: format!("the {kind} `{scope}/{name}` is gone: executions in flight have recorded it"),
        paste: likely.map(|site| {
            let new = &site.name;
            format!(
                "was = \"{name}\" at the {kind} `{new}`{}, if that is its new name",
                place(site)
            )
        }),
    }
}

fn place(site: &LockedSite) -> String {
    let source = site.source.as_ref();
    source.map_or_else(String::new, |source| format!(" ({source})"))
}
