//! Locals of the handler: what is known of them from their declaration.

use std::collections::BTreeSet;

use syn::{Expr, Type};

use super::contents::Contents;
use super::flow::Node;

/// Origin of a local.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The shared state, which other executions change too.
    State,
    /// The input.
    Input,
    /// A binding in the function, or a closure's parameter.
    Body,
    /// A nested function.
    Item,
}

pub(super) struct Local {
    pub(super) name: String,
    pub(super) origin: Origin,
    pub(super) mutable: bool,
    pub(super) contents: Contents,
    /// The local whose lock guard this is.
    pub(super) guard_of: Option<Node>,
    pub(super) is_closure: bool,
    pub(super) closures: BTreeSet<Node>,
}

impl Local {
    pub(super) fn new(name: String, origin: Origin) -> Self {
        Self {
            name,
            origin,
            mutable: false,
            contents: Contents::default(),
            guard_of: None,
            is_closure: false,
            closures: BTreeSet::new(),
        }
    }
}

/// Type and value that a name is bound to.
#[derive(Clone, Copy, Default)]
pub(super) struct Binding<'a> {
    pub(super) ty: Option<&'a Type>,
    pub(super) value: Option<&'a Expr>,
    pub(super) guard_of: Option<Node>,
}
