//! Matches records with call sites.

use std::collections::HashMap;

use super::scope::{matches, visible};
use super::site_index::{FunctionIndex, NamePath, branches_of};
use super::{LockedHandler, LockedSite};
use crate::OperationId;
use crate::model::record::{Kind, Record};

/// Returns the records of an execution of `handler`, each with its call site. Omits records without a call site
/// and records inside a `call!`.
pub fn recorded_sites<'a>(
    handler: &'a LockedHandler,
    records: &'a [Record],
) -> Vec<(&'a LockedSite, &'a Record)> {
    let mut children: HashMap<OperationId, Vec<&Record>> = HashMap::new();
    for record in records {
        children.entry(record.parent).or_default().push(record);
    }
    let function = FunctionIndex::of(handler);
    let mut found = Vec::new();
    let top = (
        OperationId::ROOT,
        NamePath::new(),
        None,
        visible(&handler.sites, false),
    );
    let mut open = vec![top];
    while let Some((scope, names, branches, sites)) = open.pop() {
        for record in children.remove(&scope).unwrap_or_default() {
            let names = [&names[..], &[record.name.to_string()]].concat();
            let current = sites.iter().copied().find(|site| matches(record, site));
            let site = current.or_else(|| function.moved_from(&names, branches));
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
