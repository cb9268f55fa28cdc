//! The `#[durable]` attribute, re-exported by the `durable` crate.
//!
//! The stages of an expansion, in order:
//!
//! 1. `args`, `options` and `parse` read the arguments of the attribute and of call sites.
//! 2. `body` takes the call sites out of the function's body and models them (`function`, `sites`).
//! 3. `check` and `hazards` find mistakes, each under the code of a rule in `rules`.
//! 4. `expand` prints the handler.

mod args;
mod attribute;
mod body;
mod cfg;
mod check;
#[cfg(test)]
mod corpus;
mod expand;
mod expressions;
mod former_path;
mod function;
mod hazards;
mod kinds;
mod name;
mod options;
mod parse;
#[cfg(test)]
mod refusals;
mod rules;
mod scan;
mod sites;
#[cfg(test)]
mod snapshots;

use proc_macro::TokenStream;

use attribute::transform;

#[doc = include_str!("attribute.md")]
#[proc_macro_attribute]
pub fn durable(arguments: TokenStream, item: TokenStream) -> TokenStream {
    transform(arguments.into(), item.into()).into()
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
