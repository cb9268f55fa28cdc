//! The report when code and history disagree.

use super::OperationState;
use crate::model::record::Record;
use crate::model::site::Site;

/// What is wrong with `site` claiming `state`, in words for the people who have to mend it.
pub(super) fn check(state: &OperationState, site: &'static Site) -> Option<String> {
    if let Some(first) = state.site {
        return Some(claimed_twice(state, first, site));
    }
    if state.record.kind == site.kind {
        return None;
    }
    Some(other_kind(state, site))
}

fn claimed_twice(state: &OperationState, first: &'static Site, second: &'static Site) -> String {
    let written = state.record.display_name();
    format!(
        "`{written}` was claimed twice in one scope:\n  \
         first by  {first}\n  then by   {second}\n\
         Each run of a call site needs an identity of its own. Give the runs different keys \
         (`key = …` with a value that no two of them share), or put each in a `scope!` of its own. \
         Nothing was run or written for the second operation; the execution goes on once the code is fixed."
    )
}

fn other_kind(state: &OperationState, site: &'static Site) -> String {
    let record = &state.record;
    let written = record.display_name();
    let recorded = record.kind;
    format!(
        "code and history disagree about `{written}`:\n  \
         the code asks for  {site}\n  \
         history holds      {recorded} `{written}`, {status} (started at {source})\n\
         A {now} cannot be answered by the record of a {recorded}. Give the {now} another name \
         so that it runs anew, or roll back to the code that recorded it; if the {recorded} only \
         moved to another name, write `was = \"{name}\"` at its new call site. \
         The execution goes on once a fitting build runs it.",
        status = record.status,
        source = record.source,
        now = site.kind,
        name = record.name,
    )
}

/// The record is of a run with another input.
pub(super) fn other_input(state: &OperationState) -> String {
    let record = &state.record;
    let (written, kind, status, source) = (
        record.display_name(),
        record.kind,
        record.status,
        &record.source,
    );
    let site = asked_by(state);
    format!(
        "`{written}` is asked for with another input than it was recorded with:\n  \
         the code asks for  {site}\n  \
         history holds      {kind} `{written}`, {status} (started at {source})\n\
         What is recorded belongs to the input of then, so it answers nothing now. If its key is a position \
         in a list, give it one that goes with the item (`key = item.id`); if this input may differ from run \
         to run, leave it out of `with`. Nothing was run or written; the execution goes on once a fitting \
         build runs it."
    )
}

/// What the call site gives for `with` has no fingerprint.
pub(super) fn no_fingerprint(state: &OperationState, error: &str) -> String {
    let site = asked_by(state);
    format!(
        "the `with` of {site} cannot be written as JSON: {error}\n\
         Give it a value that can, such as an id. The execution goes on once a fitting build runs it."
    )
}

/// `site` may be recorded in `scope`, of which nothing is given away any more.
pub(super) fn hidden(scope: &Record, site: &'static Site) -> String {
    let (written, kind, now) = (scope.display_name(), scope.kind, site.kind);
    let was: Vec<String> = site.was.iter().map(|path| format!("{path:?}")).collect();
    let was = was.join(", ");
    format!(
        "{site} says where it stood before (`was = {was}`): in the {kind} `{written}`, which has ended.\n\
         This store does not give away what stood in a scope that has ended, so whether the {now} was done there \
         cannot be told. Keep it in `{written}` until the executions that are past it have ended; where doing it a \
         second time is harmless, leave `was` out. Nothing was run or written; the execution goes on once a fitting \
         build runs it."
    )
}

/// Two call sites say that they were what `state` records.
pub(super) fn two_successors(
    state: &OperationState,
    first: &'static Site,
    second: &'static Site,
) -> String {
    let (written, kind) = (state.record.display_name(), state.record.kind);
    format!(
        "the record of the {kind} `{written}` has two successors:\n  \
         first  {first}\n  then   {second}\n\
         Both name it with `was`, and it answers only one of them. Leave `was` out at the one that is new. Nothing was \
         run or written for the second; the execution goes on once the code is fixed."
    )
}

fn asked_by(state: &OperationState) -> String {
    state
        .site
        .map_or_else(|| state.record.display_name(), ToString::to_string)
}
