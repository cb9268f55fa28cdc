//! What surrounds the code being looked at, as far as call sites in it care.

use crate::cfg::Condition;
use crate::rules::Rule;
use crate::sites::{Kind, Refused, Repeat};

/// The place of the code being looked at.
#[derive(Clone, Default)]
pub(super) struct Here {
    pub(super) scope: Option<usize>,
    pub(super) repeat: Option<Repeat>,
    pub(super) concurrent: bool,
    pub(super) refused: Option<Refused>,
    pub(super) cfgs: Vec<Condition>,
    pub(super) allowed: Vec<Rule>,
}

impl Here {
    /// How what is around changes on entering the body of site `index`.
    pub(super) fn enter(&mut self, kind: Kind, index: usize) {
        if kind.is_leaf() {
            self.refused = Some(Refused::Body(kind));
        } else if kind.is_scope() {
            self.scope = Some(index);
            self.repeat = None;
            self.concurrent = false;
        }
    }
}
