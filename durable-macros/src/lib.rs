//! The `#[durable]` attribute, re-exported by the `durable` crate.
//!
//! The stages of an expansion, in order:
//!
//! 1. `args`, `options` and `parse` read the arguments of the attribute and of call sites.
//! 2. `body` takes the call sites out of the function's body and models them (`function`, `sites`).
//! 3. `check` and `hazards` find mistakes, each under the code of a rule in `rules`.
//! 4. `expand` prints the handler.

mod args;
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

#[doc = include_str!("attribute.md")]
#[proc_macro_attribute]
pub fn durable(arguments: TokenStream, item: TokenStream) -> TokenStream {
    transform(arguments.into(), item.into()).into()
}

fn transform(
    arguments: proc_macro2::TokenStream,
    item: proc_macro2::TokenStream,
) -> proc_macro2::TokenStream {
    let function: syn::ItemFn = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let mut output = rules::Rule::Signature.syntax(&error).to_compile_error();
            output.extend(item);
            return output;
        }
    };
    let mut report = rules::Report::default();
    let args = args::Args::of_function(arguments, &mut report);
    let function = function::Function::new(function);
    let output = if check::signature(&function, &args, &mut report) {
        let (body, sites) = body::lift(&function, &args, &mut report);
        check::sites(&sites, &mut report);
        expand::handler(&function, &args, &body, &sites, &report)
    } else {
        expand::stub(&function, &args)
    };
    let errors = report.beside().iter().map(syn::Error::to_compile_error);
    errors.chain([output]).collect()
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
