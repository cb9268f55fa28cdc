//! The rules by code, and the errors they produce. The table a user reads is in the crate documentation.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use quote::ToTokens;

/// One rule of the attribute. Those that cannot be allowed cannot be ignored without changing what runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    Clock = 1,
    Random,
    Environment,
    Spawn,
    Timer,
    CompletionOrder,
    Outside,
    Mutation,
    HashOrder,
    Signature,
    Option,
    Name,
    Duplicate,
    Repeat,
    Ordered,
    Was,
    InBody,
    InItem,
    Spawned,
    NotAwaited,
    Jump,
    /// An await of what is not durable.
    Foreign,
    /// Memory that other executions share.
    Shared,
}

const ALLOWABLE: [Rule; 11] = [
    Rule::Clock,
    Rule::Random,
    Rule::Environment,
    Rule::Spawn,
    Rule::Timer,
    Rule::CompletionOrder,
    Rule::Outside,
    Rule::Mutation,
    Rule::HashOrder,
    Rule::Foreign,
    Rule::Shared,
];

impl Rule {
    /// The rule that `allow(…)` names by `code`, if that rule can be allowed.
    pub(crate) fn allowable(code: &str) -> Option<Self> {
        ALLOWABLE.into_iter().find(|rule| rule.code() == code)
    }

    pub(crate) fn code(self) -> String {
        format!("D{:03}", self as u8)
    }

    /// An error over all of `tokens`.
    pub(crate) fn error(self, tokens: impl ToTokens, message: impl AsRef<str>) -> syn::Error {
        syn::Error::new_spanned(tokens, self.message(message))
    }

    /// The same rule broken by a syntax error that `syn` found.
    pub(crate) fn syntax(self, error: &syn::Error) -> syn::Error {
        syn::Error::new(error.span(), self.message(error.to_string()))
    }

    fn message(self, message: impl AsRef<str>) -> String {
        let escape = if ALLOWABLE.contains(&self) {
            format!(
                "\nif it is harmless here: #[durable(allow({}))]",
                self.code()
            )
        } else {
            String::new()
        };
        format!("durable::{}: {}{escape}", self.code(), message.as_ref())
    }
}

/// Every mistake found so far. Errors of a call site that cannot be printed stand in its place, where their unknown
/// type keeps rustc silent about everything that depends on them; all others stand beside the handler.
#[derive(Default)]
pub(crate) struct Report {
    beside: Vec<syn::Error>,
    in_place: BTreeMap<usize, syn::Error>,
}

impl Report {
    pub(crate) fn add(&mut self, error: syn::Error) {
        self.beside.push(error);
    }

    pub(crate) fn replace_site(&mut self, site: usize, error: syn::Error) {
        match self.in_place.entry(site) {
            Entry::Vacant(empty) => {
                empty.insert(error);
            }
            Entry::Occupied(_) => self.beside.push(error),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.beside.is_empty() && self.in_place.is_empty()
    }

    pub(crate) fn in_place(&self, site: usize) -> Option<&syn::Error> {
        self.in_place.get(&site)
    }

    pub(crate) fn beside(&self) -> &[syn::Error] {
        &self.beside
    }
}
