//! The report when code and history disagree.

use super::Slot;
use crate::site::Site;

/// What is wrong with `site` claiming `slot`, in words for the people who have to mend it.
pub(super) fn check(slot: &Slot, site: &'static Site) -> Option<String> {
    if let Some(first) = slot.site {
        return Some(claimed_twice(slot, first, site));
    }
    if slot.record.kind == site.kind {
        return None;
    }
    Some(other_kind(slot, site))
}

fn claimed_twice(slot: &Slot, first: &'static Site, second: &'static Site) -> String {
    let written = slot.record.written();
    format!(
        "`{written}` was claimed twice in one scope:\n  \
         first by  {first}\n  then by   {second}\n\
         Each run of a call site needs an identity of its own. Give the runs different keys \
         (`key = …` with a value that no two of them share), or put each in a `scope!` of its own. \
         Nothing was run or written for the second claim; the execution goes on once the code is fixed."
    )
}

fn other_kind(slot: &Slot, site: &'static Site) -> String {
    let record = &slot.record;
    let written = record.written();
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
