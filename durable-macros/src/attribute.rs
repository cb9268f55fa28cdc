//! The attribute, from its tokens to the handler.

use proc_macro2::TokenStream;

use crate::{args, body, check, expand, function, rules};

/// Expands the attribute with these arguments on `item`. Mistakes are `compile_error!`s in the result.
pub(crate) fn transform(arguments: TokenStream, item: TokenStream) -> TokenStream {
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
