//! Operations as the engine knows them in one invocation.

use super::ScopeIndex;
use crate::OperationId;
use crate::model::record::Record;
use crate::model::site::Site;

/// Index of an operation in an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct OpIndex(u32);

impl OpIndex {
    pub(super) fn new(index: usize) -> Self {
        // More operations than this do not fit into memory.
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where this invocation knows an operation from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Loaded from the store. Its body has not begun in this invocation.
    Loaded,
    /// Loaded from the store, and its body has begun again.
    Resumed,
    /// Registered by a call site. The store had no record of it.
    New,
}

/// How far the latest state of an operation has come on its way to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Persistence {
    /// Known only here, or sent with the batch that is not acknowledged yet.
    Volatile,
    /// In the queue of changes for the next batch.
    Queued,
    /// Acknowledged by the store.
    Durable,
    /// The operation has no record: its outcome is recorded with the scope around it.
    Unrecorded,
}

/// How the call site that registered a record relates to the one that recorded it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placement {
    /// The same name in the same scope.
    Same,
    /// Another name in the same scope.
    Renamed,
    /// Recorded in this other scope.
    MovedFrom(OperationId),
}

/// State of an operation in this invocation.
#[derive(Debug)]
pub(super) struct OperationState {
    pub(super) record: Record,
    /// The scope in which it was registered in this invocation.
    pub(super) scope: ScopeIndex,
    /// The call site that registered it in this invocation.
    pub(super) site: Option<&'static Site>,
    pub(super) origin: Origin,
    pub(super) persistence: Persistence,
    pub(super) placement: Placement,
    /// The scope inside it, if it is a scope that was entered.
    pub(super) inner_scope: Option<ScopeIndex>,
    /// Whether it was answered by its own value or error, without the operations in it.
    pub(super) hides_children: bool,
}

impl OperationState {
    /// State of an operation that the store has a record of.
    pub(super) fn loaded(record: Record) -> Self {
        Self {
            record,
            scope: ScopeIndex::ROOT,
            site: None,
            origin: Origin::Loaded,
            persistence: Persistence::Durable,
            placement: Placement::Same,
            inner_scope: None,
            hides_children: false,
        }
    }

    /// State of an operation that the store has no record of.
    pub(super) fn new(record: Record) -> Self {
        Self {
            origin: Origin::New,
            persistence: Persistence::Volatile,
            ..Self::loaded(record)
        }
    }

    /// Returns whether the store had a record of it when the invocation began.
    pub(super) fn is_recorded(&self) -> bool {
        matches!(self.origin, Origin::Loaded | Origin::Resumed)
    }

    /// Returns whether it was loaded and its body has not begun in this invocation.
    pub(super) fn is_replayed(&self) -> bool {
        self.origin == Origin::Loaded
    }

    /// Returns whether it has no record.
    pub(super) fn is_unrecorded(&self) -> bool {
        self.persistence == Persistence::Unrecorded
    }

    /// Returns whether its latest state needs no further write.
    pub(super) fn is_durable(&self) -> bool {
        matches!(
            self.persistence,
            Persistence::Durable | Persistence::Unrecorded
        )
    }

    /// Notes that its body begins.
    pub(super) fn begin(&mut self) {
        if self.origin == Origin::Loaded {
            self.origin = Origin::Resumed;
        }
    }

    /// Takes it out of the queue of changes.
    pub(super) fn dequeue(&mut self) {
        if self.persistence == Persistence::Queued {
            self.persistence = Persistence::Volatile;
        }
    }

    /// Notes that the store has acknowledged what was sent. A change that was queued meanwhile is still to be sent.
    pub(super) fn acknowledge(&mut self) {
        if self.persistence == Persistence::Volatile {
            self.persistence = Persistence::Durable;
        }
    }

    /// Returns the scope it was recorded in, if that is another one.
    pub(super) fn recorded_scope(&self) -> Option<OperationId> {
        match self.placement {
            Placement::MovedFrom(scope) => Some(scope),
            Placement::Same | Placement::Renamed => None,
        }
    }
}
