//! Undo bodies of finished steps, registered while a handler runs.

use std::sync::{Mutex, PoisonError};

use super::failure::Failure;
use super::registered::Operation;
use crate::BoxFuture;
use crate::engine::OpIndex;
use crate::model::site::Site;

/// Undo body that has not run.
pub(crate) type UndoBody<'a> = Box<dyn FnOnce() -> BoxFuture<'a, Result<(), Failure>> + Send + 'a>;

/// Undo bodies of the finished steps in one run of a handler.
///
/// Every replay builds them again: a step that is answered from its record registers its undo body again.
#[derive(Default)]
pub struct Undo<'a> {
    entries: Mutex<Vec<Entry<'a>>>,
}

/// Finished step with its undo body.
pub(crate) struct Entry<'a> {
    pub(crate) step: OpIndex,
    pub(crate) site: &'static Site,
    pub(crate) body: UndoBody<'a>,
}

impl<'a> Undo<'a> {
    /// Registers `body` as the undo body of a finished step. `site` is the call site of the undo operation.
    pub fn register(&self, operation: &Operation<'_>, site: &'static Site, body: UndoBody<'a>) {
        let entry = Entry {
            step: operation.op,
            site,
            body,
        };
        operation.lock().undoable.push(operation.op);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push(entry);
    }

    /// Removes and returns the registered undo bodies.
    pub(crate) fn take(&self) -> Vec<Entry<'a>> {
        std::mem::take(&mut *self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
