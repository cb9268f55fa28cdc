//! The model of a call site: the arguments of its macro, and its place in the function.

use quote::ToTokens;
use syn::{Expr, LitStr, Pat, Path};

use crate::cfg::Condition;
pub(crate) use crate::kinds::Kind;
use crate::name::Name;
use crate::options::Options;

/// Arguments of a call site's macro.
pub(crate) struct Call {
    pub(crate) kind: Kind,
    /// The macro as the user wrote it.
    pub(crate) path: Path,
    pub(crate) name: Option<Name>,
    pub(crate) options: Options,
    /// The `item` of `|item| body`.
    pub(crate) binder: Option<Pat>,
    /// The items of a `map!` or `batches!`, or the execution that a `send!` goes to.
    pub(crate) items: Option<Expr>,
    pub(crate) body: Option<Expr>,
    /// The function of an `invoke!` that is given by name.
    pub(crate) function: Option<LitStr>,
    pub(crate) arms: Vec<Arm>,
    /// Indexes of the call sites that belong to this one: branches, the callback and its `submit`, `undo`.
    pub(crate) parts: Vec<usize>,
    /// Index of the call site that this one belongs to.
    pub(crate) parent: Option<usize>,
    /// Whether this is a `parallel!` over a list of branches. It is expanded as a `map!`, and recorded as a `parallel!`.
    pub(crate) is_parallel_list: bool,
    /// Whether its occurrences have keys that do not come from its own option `key`.
    pub(crate) keyed: bool,
    pub(crate) secret: bool,
    /// Error because of which the call site cannot be expanded.
    pub(crate) broken: Option<syn::Error>,
    /// Errors that do not prevent its expansion.
    pub(crate) errors: Vec<syn::Error>,
}

/// `"name" => body` of a `parallel!`, or `"name" => pat = future => then` of a `race!`.
pub(crate) struct Arm {
    pub(crate) name: LitStr,
    pub(crate) pat: Option<Pat>,
    pub(crate) body: Option<Expr>,
    pub(crate) then: Option<Expr>,
}

impl Call {
    pub(crate) fn new(kind: Kind, path: &Path) -> Self {
        Self {
            kind,
            path: path.clone(),
            name: None,
            options: Options::default(),
            binder: None,
            items: None,
            body: None,
            function: None,
            arms: Vec::new(),
            parts: Vec::new(),
            parent: None,
            is_parallel_list: false,
            keyed: kind == Kind::Batches,
            secret: false,
            broken: None,
            errors: Vec::new(),
        }
    }

    /// Creates a call site that belongs to `parent`.
    pub(crate) fn part(kind: Kind, name: &str, parent: &Self, index: usize) -> Self {
        Self {
            name: Some(Name {
                text: name.to_owned(),
                tokens: parent.path.to_token_stream(),
            }),
            parent: Some(index),
            secret: parent.options.flag("secret"),
            keyed: parent.kind == Kind::Parallel || parent.item_key().is_some(),
            ..Self::new(kind, &parent.path)
        }
    }

    /// Whether this is an `invoke!` of a function that is given by name.
    pub(crate) fn is_named_function(&self) -> bool {
        self.function.is_some() || self.options.flag("function")
    }

    /// The key that distinguishes the occurrences of this call site.
    pub(crate) fn key(&self) -> Option<&Expr> {
        let key = self.options.expr("key")?;
        (self.item_key().is_none()).then_some(key)
    }

    /// The key of each item, from a `key` that is a closure.
    pub(crate) fn item_key(&self) -> Option<(&Pat, &Expr)> {
        self.of_item("key")
    }

    /// The label of each item in histories.
    pub(crate) fn item_label(&self) -> Option<(&Pat, &Expr)> {
        self.of_item("item_label")
    }

    /// The declared input of the body for each item or batch, from a `with` that is a closure.
    pub(crate) fn item_with(&self) -> Option<(&Pat, &Expr)> {
        self.of_item("with")
    }

    fn of_item(&self, option: &str) -> Option<(&Pat, &Expr)> {
        match self.options.expr(option) {
            Some(Expr::Closure(one)) if self.kind.has_items() && one.inputs.len() == 1 => {
                Some((&one.inputs[0], &one.body))
            }
            _ => None,
        }
    }
}

/// Place of a call site in the function.
#[derive(Clone, Default)]
pub(crate) struct Place {
    /// Index of the enclosing scope.
    pub(crate) scope: Option<usize>,
    pub(crate) repeat: Option<Repeat>,
    /// Whether it is in a closure or async block within the enclosing scope or function.
    pub(crate) concurrent: bool,
    pub(crate) forbidden: Option<Forbidden>,
    pub(crate) cfgs: Vec<Condition>,
    pub(crate) unawaited: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    Loop,
    Closure,
}

/// Place in which durable calls are forbidden.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forbidden {
    Body(Kind),
    Item,
    Spawned,
}

pub(crate) struct Site {
    pub(crate) call: Call,
    pub(crate) place: Place,
}
