//! The rules by code, and their errors. `attribute.md` documents them for users.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use quote::ToTokens;

/// Rule of the attribute. The number is its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    Clock = 1,
    Random,
    Environment,
    Spawn,
    Timer,
    CompletionOrder,
    Io,
    Mutation,
    HashOrder,
    Signature,
    Option,
    Name,
    Duplicate,
    MissingKey,
    UnstableOrder,
    FormerName,
    CallInBody,
    CallInItem,
    CallInSpawn,
    NotAwaited,
    JumpOutOfBody,
    ForeignAwait,
    SharedMemory,
}

/// The rules that `allow(…)` takes. Without the others, the code could not be expanded or replayed.
const ALLOWABLE: [Rule; 11] = [
    Rule::Clock,
    Rule::Random,
    Rule::Environment,
    Rule::Spawn,
    Rule::Timer,
    Rule::CompletionOrder,
    Rule::Io,
    Rule::Mutation,
    Rule::HashOrder,
    Rule::ForeignAwait,
    Rule::SharedMemory,
];

impl Rule {
    /// The rule with this code, if it can be allowed.
    pub(crate) fn allowable(code: &str) -> Option<Self> {
        ALLOWABLE.into_iter().find(|rule| rule.code() == code)
    }

    pub(crate) fn code(self) -> String {
        format!("D{:03}", self as u8)
    }

    /// Creates an error that spans all of `tokens`.
    pub(crate) fn error(self, tokens: impl ToTokens, message: impl AsRef<str>) -> syn::Error {
        syn::Error::new_spanned(tokens, self.message(message))
    }

    /// Creates an error of this rule from a syntax error of `syn`.
    pub(crate) fn syntax(self, error: &syn::Error) -> syn::Error {
        syn::Error::new(error.span(), self.message(error.to_string()))
    }

    fn message(self, message: impl AsRef<str>) -> String {
        let escape = if ALLOWABLE.contains(&self) {
            format!(
                "\nif this is harmless here, allow it: #[durable(allow({}))]",
                self.code()
            )
        } else {
            String::new()
        };
        format!("durable::{}: {}{escape}", self.code(), message.as_ref())
    }
}

/// Errors found so far.
///
/// The error of a call site that cannot be expanded is printed in its place, and the error of a refused await in place of
/// its operand. There its unknown type keeps rustc from reporting errors that follow from it. All other errors are printed
/// beside the handler.
#[derive(Default)]
pub(crate) struct Report {
    beside: Vec<syn::Error>,
    in_place: BTreeMap<usize, syn::Error>,
    awaits: BTreeMap<usize, syn::Error>,
}

impl Report {
    /// Adds an error that is printed beside the handler.
    pub(crate) fn add(&mut self, error: syn::Error) {
        self.beside.push(error);
    }

    /// Adds an error that is printed in place of call site `site`, or beside the handler if the site has one already.
    pub(crate) fn replace_site(&mut self, site: usize, error: syn::Error) {
        match self.in_place.entry(site) {
            Entry::Vacant(empty) => {
                empty.insert(error);
            }
            Entry::Occupied(_) => self.beside.push(error),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.beside.is_empty() && self.in_place.is_empty() && self.awaits.is_empty()
    }

    pub(crate) fn in_place(&self, site: usize) -> Option<&syn::Error> {
        self.in_place.get(&site)
    }

    /// Adds the error of a refused await, to be printed in place of its operand.
    pub(crate) fn replace_await(&mut self, number: usize, error: syn::Error) {
        self.awaits.insert(number, error);
    }

    /// Errors of refused awaits, by the number of the await.
    pub(crate) fn awaits(&self) -> &BTreeMap<usize, syn::Error> {
        &self.awaits
    }

    pub(crate) fn beside(&self) -> &[syn::Error] {
        &self.beside
    }
}
