//! What surrounds the code being looked at, as far as call sites in it care.

use super::flow::Node;
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
    /// The innermost body that a replay skips, and the first local of its own.
    pub(super) skipped: Option<(Kind, Node)>,
}

impl Here {
    /// How what is around changes on entering the body of site `index`, whose first local is `since`.
    pub(super) fn enter(&mut self, kind: Kind, index: usize, since: Node) {
        if kind.skips_body() {
            self.skipped = Some((kind, since));
        }
        if kind.is_leaf() {
            self.refused = Some(Refused::Body(kind));
        } else if kind.is_scope() {
            self.scope = Some(index);
            self.repeat = None;
            self.concurrent = false;
        }
    }
}
