//! The context of the visited code, as far as it matters to call sites.

use super::flow::Node;
use crate::cfg::Condition;
use crate::rules::Rule;
use crate::sites::{Forbidden, Kind, Repeat};

/// Location of the visited code.
#[derive(Clone, Default)]
pub(super) struct Location {
    pub(super) scope: Option<usize>,
    pub(super) repeat: Option<Repeat>,
    pub(super) concurrent: bool,
    pub(super) forbidden: Option<Forbidden>,
    pub(super) cfgs: Vec<Condition>,
    pub(super) allowed: Vec<Rule>,
    /// The innermost body that a replay skips, and the first local declared in it.
    pub(super) skipped: Option<(Kind, Node)>,
}

impl Location {
    /// Enters the body of site `index`, whose first local is `first_local`.
    pub(super) fn enter(&mut self, kind: Kind, index: usize, first_local: Node) {
        if kind.skips_body() {
            self.skipped = Some((kind, first_local));
        }
        if kind.is_leaf() {
            self.forbidden = Some(Forbidden::Body(kind));
        } else if kind.is_scope() {
            self.scope = Some(index);
            self.repeat = None;
            self.concurrent = false;
        }
    }
}
