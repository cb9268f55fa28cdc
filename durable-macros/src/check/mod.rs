//! Checks the rules that follow from the model: those of the signature, and those of call sites.

mod signature;
mod stored;
mod values;

use std::collections::HashMap;

use syn::spanned::Spanned;

use crate::cfg;
use crate::former_path::{self, FormerPath};
use crate::name::{self, Name};
use crate::rules::{Report, Rule};
use crate::scan;
use crate::sites::{Forbidden, Kind, Repeat, Site};

pub(crate) use signature::{handler_name, is_self_contained, signature};
pub(crate) use stored::{is_result, is_storable};

/// Checks every call site on its own and against the others.
pub(crate) fn sites(sites: &[Site], report: &mut Report) {
    for (index, site) in sites.iter().enumerate() {
        site.call
            .errors
            .iter()
            .for_each(|error| report.add(error.clone()));
        let parent = site.call.parent;
        let broken = site.call.broken.clone().or_else(|| forbidden_place(site));
        let wrong_value =
            || values::wrong_value(&site.call).or_else(|| values::borrowed(site, sites));
        if let Some(parent) = parent {
            jumps(parent, site, report);
            if let Some(error) = values::borrowed(site, sites) {
                report.replace_site(parent, error);
            }
        } else if let Some(error) = broken.or_else(wrong_value) {
            report.replace_site(index, error);
        } else if site.call.kind.is_awaited() {
            awaited_site(index, site, report);
            jumps(index, site, report);
        } else if site.call.kind == Kind::Publish {
            published_name(index, site, report);
        }
    }
    duplicates(sites, report);
    former_names(sites, report);
}

fn forbidden_place(site: &Site) -> Option<syn::Error> {
    let form = site.call.kind.name();
    let (rule, message) = match site.place.forbidden? {
        Forbidden::Body(_) if !site.call.kind.is_awaited() => return None,
        Forbidden::Body(around) => {
            let outer = around.display_name();
            let message = format!(
                "`{form}!` is inside the body of {outer}, which a replay skips: move it out, or make the outer one a \
                 `scope!`"
            );
            (Rule::CallInBody, message)
        }
        Forbidden::Item => {
            let message = format!(
                "`{form}!` is in a nested item, and only the durable function itself can make durable calls: make the \
                 item a `#[durable]` function and use `call!`"
            );
            (Rule::CallInItem, message)
        }
        Forbidden::Spawned => {
            let message = format!(
                "`{form}!` is in a spawned task, which replay cannot follow: await it in this function, together with \
                 others by `join!` or `join_all`"
            );
            (Rule::CallInSpawn, message)
        }
    };
    Some(rule.error(&site.call.path, message))
}

/// Checks the name that a value is published under.
fn published_name(index: usize, site: &Site, report: &mut Report) {
    match &site.call.name {
        Some(given) => name::check(&given.text, &given.tokens, report),
        None => {
            let message = "clients read published values by name: write `publish!(\"name\", value)`, with the name as a \
                           string literal";
            report.replace_site(index, Rule::Name.error(&site.call.path, message));
        }
    }
}

fn awaited_site(index: usize, site: &Site, report: &mut Report) {
    let form = site.call.kind.name();
    if site.place.unawaited {
        let message =
            format!("`{form}!` does nothing until it is awaited: write `{form}!(…).await`");
        let error = Rule::NotAwaited.error(&site.call.path, message);
        // `continue_as!` never returns. Its type fits anywhere, unlike that of an unawaited future.
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
                format!("no name can be derived from this body: write `{form}!(\"name\", …)`");
            report.add(Rule::Name.error(&site.call.path, message));
        }
    }
    repetition(site, report);
}

/// Checks that a site that runs several times distinguishes its runs.
fn repetition(site: &Site, report: &mut Report) {
    let options = &site.call.options;
    let form = site.call.kind.name();
    let keyed = site.call.key().is_some();
    if let Some(ordered) = options.get("ordered") {
        if keyed {
            report.add(Rule::Option.error(&ordered.name, "give `key` or `ordered`, not both"));
        } else if site.place.concurrent {
            let message =
                "in a closure or async block, runs may have another order on replay: use `key = …`";
            report.add(Rule::UnstableOrder.error(&ordered.name, message));
        }
        return;
    }
    let Some(repeat) = site.place.repeat.filter(|_| !keyed) else {
        return;
    };
    if site.call.kind == Kind::Batches {
        let message = "batches are identified by their first item, so `batches!` can run only once in its scope: put it in a \
                       `scope!(\"name\", key = …, { … })`";
        report.add(Rule::MissingKey.error(&site.call.path, message));
    } else if !matches!(site.call.kind, Kind::Wait | Kind::Receive) {
        let construct = match repeat {
            Repeat::Loop => "loop",
            Repeat::Closure => "closure",
        };
        let ordered = if site.place.concurrent {
            ""
        } else {
            ", or with `ordered` if their order never changes"
        };
        let message = format!(
            "`{form}!` in a {construct} runs several times: distinguish its runs with `key = …`{ordered}"
        );
        report.add(Rule::MissingKey.error(&site.call.path, message));
    } else if site.place.concurrent {
        let message = format!(
            "a repeated `{form}!` in a closure or async block needs `key = …`, because its runs may have another order on \
             replay"
        );
        report.add(Rule::UnstableOrder.error(&site.call.path, message));
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
    for tokens in scan::outward_jumps(body) {
        let message = format!(
            "`{tokens}` cannot leave the body of `{}!`, which a replay skips: return a value from the body and use it \
             outside",
            site.call.kind.name()
        );
        report.replace_site(index, Rule::JumpOutOfBody.error(tokens, message));
    }
}

/// Recorded call sites by scope and name, in source order.
type Names<'a> = HashMap<(Option<usize>, &'a str), Vec<(&'a Site, &'a Name)>>;

fn by_name(sites: &[Site]) -> Names<'_> {
    let mut names = Names::new();
    let recorded = sites.iter().filter(|site| {
        site.call.kind.is_recorded()
            && site.call.parent.is_none()
            && site.call.broken.is_none()
            && site.place.forbidden.is_none()
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
        let same_name = names
            .get(&(site.place.scope, name.text.as_str()))
            .map_or(&[][..], Vec::as_slice);
        let Some(own) = same_name
            .iter()
            .position(|(other, _)| std::ptr::eq(*other, site))
        else {
            continue;
        };
        let meets =
            |(other, _): &&(&Site, &Name)| !cfg::exclusive(&other.place.cfgs, &site.place.cfgs);
        if let Some((_, first)) = same_name[..own].iter().find(meets) {
            let line = first.tokens.span().start().line;
            let text = &name.text;
            let message = format!(
                "the name \"{text}\" is already used by the call site in line {line}, and replay finds records by name: \
                 use another one, `{}!(\"other name\", …)`",
                site.call.kind.name()
            );
            report.add(Rule::Duplicate.error(&name.tokens, message));
        }
    }
}

fn former_names(sites: &[Site], report: &mut Report) {
    for (index, site) in sites.iter().enumerate() {
        for old in site.call.options.texts("was") {
            let text = old.value();
            match FormerPath::parse(&text) {
                Ok(former) => {
                    let segments = former.segments.iter();
                    segments.for_each(|one| name::check(&one.name, old, report));
                    if let Some(fault) = former_path::conflict(sites, index, &former) {
                        report.add(Rule::FormerName.error(old, format!("{text:?} {fault}")));
                    }
                }
                Err(fault) => {
                    let message = format!(
                        "{text:?} is not a valid former path: {fault}; write it as in histories, such as \
                         `/files[a.csv]/parse` from the top of the function or `../parse` from the enclosing \
                         scope, with a `\\` before a `]` in a key"
                    );
                    report.add(Rule::FormerName.error(old, message));
                }
            }
        }
    }
}
