//! The model of a call site: what its macro was given and where it stands.

use quote::ToTokens;
use syn::{Expr, LitStr, Pat, Path};

use crate::args::Options;
use crate::cfg::Condition;
pub(crate) use crate::kinds::Kind;
use crate::name::Name;

/// What a call site's macro was given.
pub(crate) struct Call {
    pub(crate) kind: Kind,
    /// The macro as the user wrote it.
    pub(crate) path: Path,
    pub(crate) name: Option<Name>,
    pub(crate) options: Options,
    /// The `item` of `|item| body`.
    pub(crate) binder: Option<Pat>,
    /// What a `map!` or `batches!` goes over.
    pub(crate) items: Option<Expr>,
    pub(crate) body: Option<Expr>,
    /// The name of what an `invoke!` runs, if that is all that is known of it.
    pub(crate) function: Option<LitStr>,
    pub(crate) arms: Vec<Arm>,
    /// The call sites that it brings along: branches, the callback and its `submit`, `undo`.
    pub(crate) parts: Vec<usize>,
    /// The call site that brought it along.
    pub(crate) part_of: Option<usize>,
    /// A `parallel!` whose branches are in a list, which is a `map!` by another word.
    pub(crate) parallel: bool,
    /// Whether a key that the user does not give as an option of it tells its runs apart.
    pub(crate) keyed: bool,
    pub(crate) secret: bool,
    /// Why it cannot be printed as it is.
    pub(crate) broken: Option<syn::Error>,
    /// What is wrong with it apart from that.
    pub(crate) wrong: Vec<syn::Error>,
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
            part_of: None,
            parallel: false,
            keyed: kind == Kind::Batches,
            secret: false,
            broken: None,
            wrong: Vec::new(),
        }
    }

    /// The call site that `whole` brings along.
    pub(crate) fn part(kind: Kind, name: &str, whole: &Self, index: usize) -> Self {
        Self {
            name: Some(Name {
                text: name.to_owned(),
                tokens: whole.path.to_token_stream(),
            }),
            part_of: Some(index),
            secret: whole.options.flag("secret"),
            keyed: whole.kind == Kind::Parallel || whole.item_key().is_some(),
            ..Self::new(kind, &whole.path)
        }
    }

    /// Whether all that is known of what an `invoke!` runs is its name.
    pub(crate) fn is_named_function(&self) -> bool {
        self.function.is_some() || self.options.flag("function")
    }

    /// What tells the runs of this call site apart.
    pub(crate) fn key(&self) -> Option<&Expr> {
        let key = self.options.expr("key")?;
        (self.item_key().is_none()).then_some(key)
    }

    /// The key of an item: the only option of this name that is a closure.
    pub(crate) fn item_key(&self) -> Option<(&Pat, &Expr)> {
        self.of_item("key")
    }

    /// How an item's branch is written in histories.
    pub(crate) fn item_label(&self) -> Option<(&Pat, &Expr)> {
        self.of_item("item_label")
    }

    /// What the body is called with for an item, or for a batch.
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

/// Where a call site stands.
#[derive(Clone, Default)]
pub(crate) struct Place {
    /// Index of the scope around it.
    pub(crate) scope: Option<usize>,
    pub(crate) repeat: Option<Repeat>,
    /// In a closure or an async block, since the function or scope began.
    pub(crate) concurrent: bool,
    pub(crate) refused: Option<Refused>,
    pub(crate) cfgs: Vec<Condition>,
    pub(crate) unawaited: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    Loop,
    Closure,
}

/// A place where no durable call can be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Body(Kind),
    Item,
    Spawned,
}

pub(crate) struct Site {
    pub(crate) call: Call,
    pub(crate) place: Place,
}
