//! Reports for executions whose code and history disagree.

use super::OperationState;
use crate::model::record::Record;
use crate::model::site::Site;

/// Returns a report if `site` cannot register the operation `state`.
pub(super) fn check(state: &OperationState, site: &'static Site) -> Option<String> {
    if let Some(first) = state.site {
        return Some(registered_twice(state, first, site));
    }
    if state.record.kind == site.kind {
        return None;
    }
    Some(other_kind(state, site))
}

fn registered_twice(state: &OperationState, first: &'static Site, second: &'static Site) -> String {
    let name = state.record.display_name();
    format!(
        "`{name}` was registered twice in one scope:\n  \
         first by  {first}\n  then by   {second}\n\
         Each run of a call site needs its own identity. Give the runs different keys \
         (`key = …` with a value that is unique among them), or put each in a `scope!` of its own. \
         The second operation did not run and was not recorded. Deploy a fix, and the execution resumes."
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
         so that it runs anew, or roll back to the build that recorded it. If the {recorded} only \
         changed its name, write `was = \"{name}\"` at its call site. \
         The execution resumes once a build that fits its history runs it.",
        status = record.status,
        source = record.source,
        now = site.kind,
        name = record.name,
    )
}

/// Report for an operation that was recorded with another input.
pub(super) fn other_input(state: &OperationState) -> String {
    let record = &state.record;
    let (written, kind, status, source) = (
        record.display_name(),
        record.kind,
        record.status,
        &record.source,
    );
    let site = site_of(state);
    format!(
        "`{written}` runs with another input than it was recorded with:\n  \
         the code asks for  {site}\n  \
         history holds      {kind} `{written}`, {status} (started at {source})\n\
         The recorded outcome belongs to the earlier input. If the key is a position in a list, use one that \
         belongs to the item (`key = item.id`). If this input may differ from run to run, leave it out of `with`. \
         Nothing was run or written. The execution resumes once a build that fits its history runs it."
    )
}

/// Report for a value of `with` that has no fingerprint.
pub(super) fn no_fingerprint(state: &OperationState, error: &str) -> String {
    let site = site_of(state);
    format!(
        "the `with` of {site} cannot be written as JSON: {error}\n\
         Use a value that can, such as an id. The execution resumes once a fixed build runs it."
    )
}

/// Report for a call site whose record may be in `scope`, of which the store no longer returns the operations.
pub(super) fn hidden(scope: &Record, site: &'static Site) -> String {
    let (written, kind, now) = (scope.display_name(), scope.kind, site.kind);
    let was: Vec<String> = site.was.iter().map(|path| format!("{path:?}")).collect();
    let was = was.join(", ");
    format!(
        "{site} may have run in the {kind} `{written}`, which has ended (`was = {was}`).\n\
         This store does not return the operations of a scope that has ended, so it is unknown whether the {now} ran \
         there. Keep it in `{written}` until the executions that have passed it have ended. If running it a second \
         time is harmless, leave `was` out. Nothing was run or written. The execution resumes once a build that fits \
         its history runs it."
    )
}

/// Report for a record that two call sites name with `was`.
pub(super) fn two_successors(
    state: &OperationState,
    first: &'static Site,
    second: &'static Site,
) -> String {
    let (written, kind) = (state.record.display_name(), state.record.kind);
    format!(
        "the record of the {kind} `{written}` has two successors:\n  \
         first  {first}\n  then   {second}\n\
         Both name it with `was`, but it can answer only one of them. Remove `was` from the new one. The second did \
         not run and was not recorded. Deploy a fix, and the execution resumes."
    )
}

fn site_of(state: &OperationState) -> String {
    state
        .site
        .map_or_else(|| state.record.display_name(), ToString::to_string)
}
