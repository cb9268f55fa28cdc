//! Which call site made which record.

use std::collections::HashMap;

use super::check::{answers, visible};
use super::moves::{Function, Names, branches_of};
use super::{LockedHandler, LockedSite};
use crate::OperationId;
use crate::model::record::{Kind, Record};

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
    let function = Function::of(handler);
    let mut found = Vec::new();
    let top = (
        OperationId::ROOT,
        Names::new(),
        None,
        visible(&handler.sites, false),
    );
    let mut open = vec![top];
    while let Some((scope, names, branches, sites)) = open.pop() {
        for record in inside.remove(&scope).unwrap_or_default() {
            let names = [&names[..], &[record.name.to_string()]].concat();
            let here = sites.iter().copied().find(|site| answers(record, site));
            let site = here.or_else(|| function.left(&names, branches));
            let mut sites = Vec::new();
            if let Some(site) = site {
                found.push((site, record));
                let flat = matches!(site.kind, Kind::Map | Kind::Parallel);
                sites = visible(&site.sites, flat);
            }
            open.push((record.id, names, branches_of(record.kind), sites));
        }
    }
    found
}
