//! Every rule that follows from the model: the signature's, and those of call sites among each other.

mod signature;
mod stored;
mod values;

use std::collections::HashMap;

use syn::spanned::Spanned;

use crate::cfg;
use crate::earlier::{self, Earlier};
use crate::name::{self, Name};
use crate::rules::{Report, Rule};
use crate::scan;
use crate::sites::{Kind, Refused, Repeat, Site};

pub(crate) use signature::{handler_name, is_self_contained, signature};
pub(crate) use stored::{is_result, is_stored};

/// Checks every call site by itself and against the others.
pub(crate) fn sites(sites: &[Site], report: &mut Report) {
    for (index, site) in sites.iter().enumerate() {
        site.call
            .wrong
            .iter()
            .for_each(|error| report.add(error.clone()));
        let whole = site.call.part_of;
        let broken = site.call.broken.clone().or_else(|| misplaced(site));
        let misfit = || values::misfit(&site.call).or_else(|| values::borrowed(site, sites));
        if let Some(whole) = whole {
            jumps(whole, site, report);
            if let Some(error) = values::borrowed(site, sites) {
                report.replace_site(whole, error);
            }
        } else if let Some(error) = broken.or_else(misfit) {
            report.replace_site(index, error);
        } else if site.call.kind.is_awaited() {
            one_site(index, site, report);
            jumps(index, site, report);
        }
    }
    duplicates(sites, report);
    renamed(sites, report);
}

fn misplaced(site: &Site) -> Option<syn::Error> {
    let form = site.call.kind.name();
    let (rule, message) = match site.place.refused? {
        Refused::Body(_) if !site.call.kind.is_awaited() => return None,
        Refused::Body(around) => {
            let around = around.display_name();
            let message = format!(
                "`{form}!` inside the body of {around}: that body runs once and is skipped on replay; move it \
                 out, or make the outer one a `scope!`"
            );
            (Rule::InBody, message)
        }
        Refused::Item => {
            let message = format!(
                "`{form}!` in an item of its own: only the durable function itself can make durable calls; make the \
                 item a `#[durable]` function and use `call!`"
            );
            (Rule::InItem, message)
        }
        Refused::Spawned => {
            let message = format!(
                "`{form}!` in a spawned task, which replay cannot follow: await it here, together with others by \
                 `join!` or `join_all`"
            );
            (Rule::Spawned, message)
        }
    };
    Some(rule.error(&site.call.path, message))
}

fn one_site(index: usize, site: &Site, report: &mut Report) {
    let form = site.call.kind.name();
    if site.place.unawaited {
        let message =
            format!("`{form}!` does nothing until it is awaited: write `{form}!(…).await`");
        let error = Rule::NotAwaited.error(&site.call.path, message);
        // What never ends has no type that anything else could give.
        if site.call.kind == Kind::ContinueAs {
            report.replace_site(index, error);
        } else {
            report.add(error);
        }
    }
    if !site.call.kind.is_recorded() {
        return;
    }
    match &site.call.name {
        Some(given) => name::check(&given.text, &given.tokens, report),
        None => {
            let message =
                format!("no name follows from what this calls: write `{form}!(\"name\", …)`");
            report.add(Rule::Name.error(&site.call.path, message));
        }
    }
    repetition(site, report);
}

/// A site that runs many times says what tells its runs apart.
fn repetition(site: &Site, report: &mut Report) {
    let options = &site.call.options;
    let form = site.call.kind.name();
    let keyed = site.call.key().is_some();
    if let Some(ordered) = options.get("ordered") {
        if keyed {
            report.add(Rule::Option.error(&ordered.name, "give `key` or `ordered`, not both"));
        } else if site.place.concurrent {
            let message = "in a closure or async block turns may be taken in another order on replay: use `key = …`";
            report.add(Rule::Ordered.error(&ordered.name, message));
        }
        return;
    }
    let Some(repeat) = site.place.repeat.filter(|_| !keyed) else {
        return;
    };
    if site.call.kind == Kind::Batches {
        let message = "the first item is what tells batches apart, so this runs once in its scope: put it in a \
                       `scope!(\"name\", key = …, { … })`";
        report.add(Rule::Repeat.error(&site.call.path, message));
    } else if site.call.kind != Kind::Wait {
        let around = match repeat {
            Repeat::Loop => "loop",
            Repeat::Closure => "closure",
        };
        let ordered = if site.place.concurrent {
            ""
        } else {
            ", or `ordered` if its turn is its identity"
        };
        let message = format!(
            "`{form}!` in a {around} runs many times: say what tells its runs apart with `key = …`{ordered}"
        );
        report.add(Rule::Repeat.error(&site.call.path, message));
    } else if site.place.concurrent {
        let message = "a repeated `wait!` in a closure or async block needs `key = …`: turns may be taken in another \
                       order on replay";
        report.add(Rule::Ordered.error(&site.call.path, message));
    }
}

fn jumps(index: usize, site: &Site, report: &mut Report) {
    let Some(body) = site
        .call
        .body
        .as_ref()
        .filter(|_| site.call.kind.skips_body())
    else {
        return;
    };
    for tokens in scan::jumps_out(body) {
        let message = format!(
            "`{tokens}` cannot leave the body of `{}!`, which is skipped on replay: return a value and decide on it \
             outside",
            site.call.kind.name()
        );
        report.replace_site(index, Rule::Jump.error(tokens, message));
    }
}

/// Call sites with a place in the history, by scope and name, in the order of the source.
type Names<'a> = HashMap<(Option<usize>, &'a str), Vec<(&'a Site, &'a Name)>>;

fn by_name(sites: &[Site]) -> Names<'_> {
    let mut names = Names::new();
    let recorded = sites.iter().filter(|site| {
        site.call.kind.is_recorded()
            && site.call.part_of.is_none()
            && site.call.broken.is_none()
            && site.place.refused.is_none()
    });
    for site in recorded {
        if let Some(name) = &site.call.name {
            names
                .entry((site.place.scope, name.text.as_str()))
                .or_default()
                .push((site, name));
        }
    }
    names
}

fn duplicates(sites: &[Site], report: &mut Report) {
    let names = by_name(sites);
    for site in sites {
        let Some(name) = &site.call.name else {
            continue;
        };
        let alike = names
            .get(&(site.place.scope, name.text.as_str()))
            .map_or(&[][..], Vec::as_slice);
        let Some(own) = alike
            .iter()
            .position(|(other, _)| std::ptr::eq(*other, site))
        else {
            continue;
        };
        let meets =
            |(other, _): &&(&Site, &Name)| !cfg::exclusive(&other.place.cfgs, &site.place.cfgs);
        if let Some((_, first)) = alike[..own].iter().find(meets) {
            let line = first.tokens.span().start().line;
            let text = &name.text;
            let message = format!(
                "the name \"{text}\" is taken by the call site in line {line}: a name is what replay looks up, so give \
                 one of them another: `{}!(\"other name\", …)`",
                site.call.kind.name()
            );
            report.add(Rule::Duplicate.error(&name.tokens, message));
        }
    }
}

fn renamed(sites: &[Site], report: &mut Report) {
    for (index, site) in sites.iter().enumerate() {
        for old in site.call.options.texts("was") {
            let text = old.value();
            match Earlier::parse(&text) {
                Ok(earlier) => {
                    let segments = earlier.segments.iter();
                    segments.for_each(|one| name::check(&one.name, old, report));
                    if let Some(fault) = earlier::fault(sites, index, &earlier) {
                        report.add(Rule::Was.error(old, format!("{text:?} {fault}")));
                    }
                }
                Err(fault) => {
                    let message = format!(
                        "{text:?} is no path to where this stood: {fault}; write it as histories do, such as \
                         `/files[a.csv]/parse` from the top of the function or `../parse` from the scope around, \
                         with a `\\` in front of a `]` in a key"
                    );
                    report.add(Rule::Was.error(old, message));
                }
            }
        }
    }
}
