//! Where an operation stands among its siblings.
//!
//! Orders are spaced out, so that an operation inserted between two recorded ones gets a number
//! between theirs and does not look moved on the next replay.

use super::Engine;
use crate::OperationId;
use crate::site::Site;

/// Room for twenty insertions at one place.
const SPACING: u64 = 1 << 20;

/// Which of the scopes entered in this invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScopeIndex(usize);

impl ScopeIndex {
    pub(crate) const ROOT: Self = Self(0);
}

/// A scope that was entered in this invocation.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) id: OperationId,
    /// Turns taken so far by the sites whose turn is their identity.
    turns: Vec<(&'static Site, u64)>,
    /// The highest order claimed so far.
    pub(super) last: u64,
    /// Recorded orders, sorted; read when the first live operation needs a place.
    recorded: Option<Vec<u64>>,
}

impl Scope {
    pub(super) fn new(id: OperationId) -> Self {
        Self {
            id,
            turns: Vec::new(),
            last: 0,
            recorded: None,
        }
    }

    /// The next turn of `site`, from 0.
    pub(super) fn take_turn(&mut self, site: &'static Site) -> u64 {
        match self
            .turns
            .iter_mut()
            .find(|(of, _)| std::ptr::eq(*of, site))
        {
            Some((_, turn)) => {
                *turn += 1;
                *turn
            }
            None => {
                self.turns.push((site, 0));
                0
            }
        }
    }

    /// A place after everything claimed so far and before the next recorded operation.
    fn next_order(&self, recorded: &[u64]) -> u64 {
        let following = recorded.partition_point(|order| *order <= self.last);
        match recorded.get(following) {
            Some(next) => self.last + (next - self.last) / 2,
            None => self.last + SPACING,
        }
    }
}

impl Engine {
    /// A scope whose operations are claimed under `id`.
    pub(crate) fn open_scope(&mut self, id: OperationId) -> ScopeIndex {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.entered = true;
        }
        self.scopes.push(Scope::new(id));
        ScopeIndex(self.scopes.len() - 1)
    }

    pub(super) fn scope(&mut self, index: ScopeIndex) -> &mut Scope {
        &mut self.scopes[index.0]
    }

    /// The order of an operation that no record answers.
    pub(super) fn place_live(&mut self, index: ScopeIndex) -> u64 {
        let scope = &mut self.scopes[index.0];
        let recorded = match scope.recorded.take() {
            Some(recorded) => recorded,
            None => {
                let id = scope.id;
                self.recorded_orders(id)
            }
        };
        let scope = &mut self.scopes[index.0];
        let order = scope.next_order(&recorded);
        scope.recorded = Some(recorded);
        scope.last = order;
        order
    }

    fn recorded_orders(&self, scope: OperationId) -> Vec<u64> {
        let mut orders: Vec<u64> = self
            .slots
            .values()
            .filter(|slot| slot.recorded && slot.record.parent == scope)
            .map(|slot| slot.record.order)
            .collect();
        orders.sort_unstable();
        orders
    }
}
