//! What replay did not ask for, or asked for in another order: no error, but worth a word.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::hints::Hints;
use super::moves::TakenIn;
use super::scope::ScopeIndex;
use super::{Engine, IdMap, OpIndex, OperationState};
use crate::OperationId;
use crate::model::record::Status;
use crate::model::site::Site;

/// A difference between the history and what the code asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Drift {
    /// A record that no call site asked for.
    Orphaned {
        /// The operation as histories write it, with its scopes.
        operation: String,
        /// The call site that is likely to have taken its place.
        successor: Option<Successor>,
    },
    /// A record that was asked for earlier or later than when it was made.
    Moved {
        /// The operation as histories write it, with its scopes.
        operation: String,
    },
}

/// A call site that ran live and is likely to be what a record without a call site belongs to: it has the same
/// name and kind in another place, or the same kind and nearly the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Successor {
    /// Kind, name, file and line of the call site.
    pub site: String,
    /// The operation that ran, as histories write it, with its scopes.
    pub operation: String,
    /// Whether it has the same name, and so stands elsewhere.
    pub moved: bool,
    /// What to write at the call site if the guess is right: `was = "/charge"`.
    pub was: String,
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
                successor,
            } => {
                write!(
                    f,
                    "`{operation}` is recorded, but the code never asked for it"
                )?;
                match successor {
                    Some(successor) => write!(f, ", while {successor}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl fmt::Display for Successor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            site,
            operation,
            moved,
            was,
        } = self;
        match moved {
            true => write!(
                f,
                "{site} ran live as `{operation}`; if it moved to `{operation}`, write `{was}` there"
            ),
            false => write!(
                f,
                "{site} ran live; if that is its new name, write `{was}` there"
            ),
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
        op: OpIndex,
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
        let is_unclaimed = |state: &&OperationState| {
            let given_up = state.record.status == Status::Cancelled;
            state.is_recorded() && state.site.is_none() && !state.record.is_internal() && !given_up
        };
        let unclaimed: Vec<&OperationState> = self.operations.iter().filter(is_unclaimed).collect();
        if unclaimed.is_empty() {
            return moved.collect();
        }
        let records = self.by_id();
        let taken_in = TakenIn::new(self);
        let emptied = self.emptied(&unclaimed, &taken_in, &records);
        let entered: HashMap<OperationId, ScopeIndex> = self.entered().collect();
        // Only what stands directly in an entered scope: the rest follows from its parent. A scope that call sites
        // have moved out of is no loss, but what else it holds may be.
        let is_orphan = |state: &&OperationState| {
            let parent = &state.record.parent;
            let inside = match entered.get(parent) {
                // What a race or a map has given up is not asked for again.
                Some(scope) => !self.is_closed(*scope),
                None => emptied.contains(parent),
            };
            inside && !emptied.contains(&state.record.id)
        };
        let lost = unclaimed.iter().copied().filter(is_orphan);
        let lost = lost.filter(|state| !taken_in.holds(state, &records));
        let hints = Hints::new(self, &records);
        let orphaned = lost.map(|state| Drift::Orphaned {
            operation: match entered.get(&state.record.parent) {
                Some(scope) => self.path_in(*scope, &state.record),
                None => recorded_path(&records, state),
            },
            successor: hints.successor(state),
        });
        moved.chain(orphaned).collect()
    }

    pub(super) fn by_id(&self) -> IdMap<&OperationState> {
        let operations = self.operations.iter();
        operations.map(|state| (state.record.id, state)).collect()
    }

    /// The scopes without a call site that other call sites say they have moved out of.
    fn emptied(
        &self,
        unclaimed: &[&OperationState],
        taken_in: &TakenIn<'_>,
        records: &IdMap<&OperationState>,
    ) -> HashSet<OperationId> {
        let moved = self
            .operations
            .iter()
            .filter(|state| state.recorded_scope().is_some());
        let left = unclaimed.iter().copied();
        let left = left.filter(|state| taken_in.holds(state, records));
        let mut emptied = HashSet::new();
        for moved in moved.chain(left) {
            let mut next = records.get(&moved.record.parent);
            while let Some(scope) = next.filter(|scope| scope.site.is_none()) {
                emptied.insert(scope.record.id);
                next = records.get(&scope.record.parent);
            }
        }
        emptied
    }
}

/// The operation with its scopes, as they are recorded.
fn recorded_path(records: &IdMap<&OperationState>, state: &OperationState) -> String {
    let written = state.record.display_name();
    match records.get(&state.record.parent) {
        Some(scope) => format!("{}/{written}", recorded_path(records, scope)),
        None => written,
    }
}
