//! The modules of `durable-macros`, compiled as an ordinary library: a macro crate exports nothing but macros.

#![allow(unreachable_pub)]

#[path = "../../../durable-macros/src/args.rs"]
mod args;
#[path = "../../../durable-macros/src/attribute.rs"]
mod attribute;
#[path = "../../../durable-macros/src/body/mod.rs"]
mod body;
#[path = "../../../durable-macros/src/cfg.rs"]
mod cfg;
#[path = "../../../durable-macros/src/check/mod.rs"]
mod check;
#[path = "../../../durable-macros/src/expand/mod.rs"]
mod expand;
#[path = "../../../durable-macros/src/expressions.rs"]
mod expressions;
#[path = "../../../durable-macros/src/former_path.rs"]
mod former_path;
#[path = "../../../durable-macros/src/function.rs"]
mod function;
#[path = "../../../durable-macros/src/hazards/mod.rs"]
mod hazards;
#[path = "../../../durable-macros/src/kinds.rs"]
mod kinds;
#[path = "../../../durable-macros/src/name.rs"]
mod name;
#[path = "../../../durable-macros/src/options.rs"]
mod options;
#[path = "../../../durable-macros/src/parse/mod.rs"]
mod parse;
#[path = "../../../durable-macros/src/rules.rs"]
mod rules;
#[path = "../../../durable-macros/src/scan/mod.rs"]
mod scan;
#[path = "../../../durable-macros/src/sites.rs"]
mod sites;

use std::str::FromStr;

use proc_macro2::TokenStream;

/// Expands the attribute with `arguments` on `item`, and returns the expansion. Text that is not made of tokens is skipped.
pub fn expand(arguments: &str, item: &str) -> Option<String> {
    let tokens = (
        TokenStream::from_str(arguments),
        TokenStream::from_str(item),
    );
    let expansion = match tokens {
        (Ok(arguments), Ok(item)) => Some(attribute::transform(arguments, item).to_string()),
        _ => None,
    };
    // The positions of all tokens are kept until here.
    proc_macro2::extra::invalidate_current_thread_spans();
    expansion
}
