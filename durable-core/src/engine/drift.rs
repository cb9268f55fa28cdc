//! Drift: harmless differences between history and code, which are reported but not errors.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::hints::Hints;
use super::moves::InEndedScopes;
use super::scope::ScopeIndex;
use super::{Engine, IdMap, OpIndex, OperationState};
use crate::OperationId;
use crate::model::record::Status;
use crate::model::site::Site;

/// Harmless difference between the history and what the code registered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Drift {
    /// A record that no call site registered.
    Orphaned {
        /// Display name of the operation, with its scopes.
        operation: String,
        /// The call site that has probably replaced its own.
        successor: Option<Successor>,
    },
    /// A record that was registered in another order than it was recorded in.
    Moved {
        /// Display name of the operation, with its scopes.
        operation: String,
    },
}

/// Call site that ran live and that a record without a call site probably belongs to: it has the same kind and
/// name in another scope, or the same kind and a similar name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Successor {
    /// Kind, name, file and line of the call site.
    pub site: String,
    /// Display name of the operation that ran, with its scopes.
    pub operation: String,
    /// Whether it has the same name in another scope.
    pub moved: bool,
    /// Option for the call site if the guess is right: `was = "/charge"`.
    pub was: String,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moved { operation } => {
                write!(
                    f,
                    "`{operation}` ran in another order than it was recorded in"
                )
            }
            Self::Orphaned {
                operation,
                successor,
            } => {
                write!(
                    f,
                    "`{operation}` is recorded, but the code did not reach it"
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
    /// Compares the order of a recorded operation with those registered before it.
    ///
    /// In closures and async blocks the scheduler decides the order, so a difference is no drift.
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

    /// Returns the records that the finished handler did not register, or registered in another order.
    pub(crate) fn drift(&self) -> Vec<Drift> {
        let moved = self.moved.iter().map(|op| Drift::Moved {
            operation: self.path(*op),
        });
        let is_unregistered = |state: &&OperationState| {
            let cancelled = state.record.status == Status::Cancelled;
            state.is_recorded() && state.site.is_none() && !state.record.is_internal() && !cancelled
        };
        let unregistered: Vec<&OperationState> =
            self.operations.iter().filter(is_unregistered).collect();
        if unregistered.is_empty() {
            return moved.collect();
        }
        let records = self.by_id();
        let in_ended_scopes = InEndedScopes::new(self);
        let emptied = self.emptied(&unregistered, &in_ended_scopes, &records);
        let entered: HashMap<OperationId, ScopeIndex> = self.entered().collect();
        // Only operations directly in an entered scope: the others are reported with their parent. A scope that call
        // sites have moved out of is not reported, but what is left in it may be.
        let is_orphan = |state: &&OperationState| {
            let parent = &state.record.parent;
            let inside = match entered.get(parent) {
                // Branches and arms that were abandoned do not run again.
                Some(scope) => !self.is_closed(*scope),
                None => emptied.contains(parent),
            };
            inside && !emptied.contains(&state.record.id)
        };
        let lost = unregistered.iter().copied().filter(is_orphan);
        let lost = lost.filter(|state| !in_ended_scopes.holds(state, &records));
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

    /// Returns the scopes that have no call site because what was in them has moved.
    fn emptied(
        &self,
        unregistered: &[&OperationState],
        in_ended_scopes: &InEndedScopes<'_>,
        records: &IdMap<&OperationState>,
    ) -> HashSet<OperationId> {
        let moved = self
            .operations
            .iter()
            .filter(|state| state.recorded_scope().is_some());
        let left = unregistered.iter().copied();
        let left = left.filter(|state| in_ended_scopes.holds(state, records));
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

/// Returns the display name of an operation, with the scopes it was recorded in.
fn recorded_path(records: &IdMap<&OperationState>, state: &OperationState) -> String {
    let name = state.record.display_name();
    match records.get(&state.record.parent) {
        Some(scope) => format!("{}/{name}", recorded_path(records, scope)),
        None => name,
    }
}
