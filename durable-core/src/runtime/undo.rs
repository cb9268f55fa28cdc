//! Undo bodies of finished steps, registered while a handler runs.

use std::sync::{Mutex, PoisonError};

use super::context::Claim;
use super::failure::Failure;
use crate::BoxFuture;
use crate::engine::Op;
use crate::model::site::Site;

/// An undo body that has not run.
pub(crate) type UndoBody<'a> = Box<dyn FnOnce() -> BoxFuture<'a, Result<(), Failure>> + Send + 'a>;

/// The undo bodies of the steps that have finished, in one run of a handler.
///
/// Made anew by every replay: a step that is answered from its record registers its undo body again.
#[derive(Default)]
pub struct Undo<'a> {
    entries: Mutex<Vec<Entry<'a>>>,
}

/// A finished step and its undo body.
pub(crate) struct Entry<'a> {
    pub(crate) step: Op,
    pub(crate) site: &'static Site,
    pub(crate) body: UndoBody<'a>,
}

impl<'a> Undo<'a> {
    /// The finished step `claim` is taken back by `body`.
    pub fn register(&self, claim: &Claim<'_>, site: &'static Site, body: UndoBody<'a>) {
        let entry = Entry {
            step: claim.op,
            site,
            body,
        };
        claim.lock().undoable.push(claim.op);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push(entry);
    }

    /// Removes and returns what was registered.
    pub(crate) fn take(&self) -> Vec<Entry<'a>> {
        std::mem::take(&mut *self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
