//! Which call site made which record.

use std::collections::HashMap;

use super::check::{answers, visible};
use super::{LockedHandler, LockedSite};
use crate::OperationId;
use crate::record::{Kind, Record};

/// The records of an execution of `handler`, each with the call site that asks for it. What no call site asks
/// for is left out, and so is what stands in a `call!`.
pub fn places<'a>(
    handler: &'a LockedHandler,
    records: &'a [Record],
) -> Vec<(&'a LockedSite, &'a Record)> {
    let mut inside: HashMap<OperationId, Vec<&Record>> = HashMap::new();
    for record in records {
        inside.entry(record.parent).or_default().push(record);
    }
    let mut found = Vec::new();
    let mut open = vec![(OperationId::ROOT, visible(&handler.sites, false))];
    while let Some((scope, sites)) = open.pop() {
        for record in inside.remove(&scope).unwrap_or_default() {
            if let Some(site) = sites.iter().copied().find(|site| answers(record, site)) {
                found.push((site, record));
                let flat = matches!(site.kind, Kind::Map | Kind::Parallel);
                open.push((record.id, visible(&site.sites, flat)));
            }
        }
    }
    found
}
