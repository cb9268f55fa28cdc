//! What replay did not ask for, or asked for in another order: no error, but worth a word.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::order::ScopeIndex;
use super::{Engine, Op, Slot};
use crate::OperationId;
use crate::site::Site;

/// A difference between the history and what the code asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Drift {
    /// A record that no call site asked for.
    Orphaned {
        /// The operation as histories write it, with its scopes.
        operation: String,
        /// A call site that ran live in its place, if one looks like its new name.
        renamed_to: Option<String>,
    },
    /// A record that was asked for earlier or later than when it was made.
    Moved {
        /// The operation as histories write it, with its scopes.
        operation: String,
    },
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moved { operation } => {
                write!(
                    f,
                    "`{operation}` was asked for in another order than it was recorded in"
                )
            }
            Self::Orphaned {
                operation,
                renamed_to: None,
            } => write!(
                f,
                "`{operation}` is recorded, but the code never asked for it"
            ),
            Self::Orphaned {
                operation,
                renamed_to: Some(site),
            } => {
                let old = operation.rsplit('/').next().unwrap_or(operation);
                let old = old.split('[').next().unwrap_or(old);
                write!(
                    f,
                    "`{operation}` is recorded, but the code never asked for it, while {site} ran \
                     live; if that is its new name, write `was = \"{old}\"` there"
                )
            }
        }
    }
}

impl Engine {
    /// Compares the place of a recorded operation with those claimed before it.
    ///
    /// Inside closures and async blocks the scheduler decides the order, so nothing follows from it.
    pub(super) fn notice_order(
        &mut self,
        scope: ScopeIndex,
        site: &'static Site,
        op: Op,
        order: u64,
    ) {
        let last = self.scope(scope).last;
        if order >= last {
            self.scope(scope).last = order;
        } else if !site.concurrent {
            self.moved.push(op);
        }
    }

    /// What the finished handler never asked for, and what it asked for in another order.
    pub(crate) fn drift(&self) -> Vec<Drift> {
        let moved = self.moved.iter().map(|op| Drift::Moved {
            operation: self.path(*op),
        });
        let renames = self.possible_renames();
        let entered: HashMap<OperationId, ScopeIndex> = self.entered().collect();
        // Only what stands directly in an entered scope: the rest follows from its parent.
        let orphaned = self
            .slots
            .iter()
            .filter(|slot| slot.recorded && slot.site.is_none() && !slot.record.is_internal())
            .filter_map(|slot| Some((slot, *entered.get(&slot.record.parent)?)))
            // What a race or a map has given up is not asked for again.
            .filter(|(_, scope)| !self.is_closed(*scope))
            .map(|(slot, scope)| Drift::Orphaned {
                operation: self.path_in(scope, &slot.record),
                renamed_to: likely_rename(slot, &renames),
            });
        moved.chain(orphaned).collect()
    }

    /// The call sites that ran live under names that no record has, by scope; each once.
    fn possible_renames(&self) -> HashMap<OperationId, Vec<&'static Site>> {
        let recorded = self.slots.iter().filter(|slot| slot.recorded);
        let known: HashSet<&str> = recorded.map(|slot| &*slot.record.name).collect();
        let mut renames = HashMap::<_, Vec<&'static Site>>::new();
        for slot in self.slots.iter().filter(|slot| !slot.recorded) {
            let Some(site) = slot.site.filter(|site| !known.contains(site.name)) else {
                continue;
            };
            let sites = renames.entry(slot.record.parent).or_default();
            if !sites.iter().any(|other| std::ptr::eq(*other, site)) {
                sites.push(site);
            }
        }
        renames
    }
}

/// The most similar name among the call sites of the same kind and scope that ran live.
fn likely_rename(
    orphan: &Slot,
    renames: &HashMap<OperationId, Vec<&'static Site>>,
) -> Option<String> {
    let sites = renames.get(&orphan.record.parent)?.iter();
    sites
        .filter(|site| site.kind == orphan.record.kind)
        .min_by_key(|site| (distance(site.name, &orphan.record.name), site.line))
        .map(|site| site.to_string())
}

/// Edits that lead from one name to the other.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.bytes().enumerate() {
            let substitution = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
