//! Prints the handler. Only this module knows the items that expansions use.

mod body;
mod branches;
mod exits;
mod fill;
mod forms;
mod handlers;
mod sites;
mod step;

use std::cell::RefCell;
use std::collections::BTreeSet;

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse_quote_spanned;
use syn::{FnArg, LitStr, Signature, Type};

use crate::args::Args;
use crate::check::{handler_name, is_result, is_self_contained, is_storable};
use crate::function::Function;
use crate::rules::Report;
use crate::sites::Site;

/// Path of the items that expansions use. `#[durable(crate = path)]` replaces the first segment.
const CRATE: [&str; 2] = ["durable", "__private"];

/// Span of generated tokens: hygienic, and ignored by lints.
fn hidden() -> Span {
    Span::mixed_site()
}

fn private_path(args: &Args) -> TokenStream {
    let [krate, module] = CRATE.map(|name| Ident::new(name, hidden()));
    match &args.krate {
        Some(path) => quote!(#path::#module),
        None => quote_spanned!(hidden()=> ::#krate::#module),
    }
}

/// Prints a handler.
///
/// Input: `async fn etl(app: &App, job: Job) -> Result<Summary, BoxError> { body }`.
/// Output: `fn etl() -> impl Handler<App, Input = Job, Output = Summary>`, with all other items nested in it,
/// because an `impl` block can contain a function but no other items.
pub(crate) fn handler(
    function: &Function,
    args: &Args,
    body: &TokenStream,
    sites: &[Site],
    report: &Report,
) -> TokenStream {
    let printer = Printer {
        handler: handler_type(function),
        sites,
        report,
        printed: RefCell::default(),
    };
    let needs_state = sites.iter().any(|site| site.call.kind.passes_state());
    let parts = HandlerParts::new(function, printer.statics());
    let body_attributes = &function.body_attributes;
    // Errors replace parts of the user's code, which would make rustc's lints about unused code wrong.
    let quiet = (!report.is_empty()).then(|| quote_spanned!(hidden()=> #[allow(unused)]));
    // The lint's advice would show the hidden lifetime, and the type of the state must be the registered one.
    let borrowed = function.state.as_ref().is_some_and(has_borrowed_form);
    let borrowed = borrowed.then(|| quote_spanned!(hidden()=> #[allow(clippy::ptr_arg)]));
    let signature = body_signature(function, &parts, needs_state);
    let body = printer.fill(body.clone());
    let again = needs_state.then(|| quote_spanned!(hidden()=> __state,));
    let passed = function.params().map(|param| match &*param.ty {
        Type::Reference(_) => quote_spanned!(hidden()=> __state),
        _ => quote_spanned!(hidden()=> __input),
    });
    let passed = quote_spanned!(hidden()=> #again #(#passed),*);
    let content = quote_spanned! {hidden()=>
        #(#body_attributes)* #quiet #borrowed
        #signature #body
    };
    let mut output = items(function, args, &parts, &passed, &content);
    output.extend(printer.unprinted_errors());
    output
}

/// Whether clippy advises to take a slice instead of a reference to this type. The state of a handler must be sized, and
/// the advice would show the hidden lifetime.
fn has_borrowed_form(ty: &Type) -> bool {
    match ty {
        Type::Group(group) => has_borrowed_form(&group.elem),
        Type::Paren(paren) => has_borrowed_form(&paren.elem),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            let owned = ["Vec", "String", "PathBuf", "Cow"];
            owned.iter().any(|name| last.ident == name)
        }),
        _ => false,
    }
}

/// The user's signature with hidden parameters in front. The state is one of them if a call site passes it on, since the
/// user may have destructured or shadowed it. Its lifetime is explicit, so that undo bodies can borrow it.
fn body_signature(function: &Function, parts: &HandlerParts, needs_state: bool) -> Signature {
    let mut signature = function.signature.clone();
    let state = &parts.state;
    for param in &mut signature.inputs {
        if let FnArg::Typed(param) = param
            && let Type::Reference(reference) = &mut *param.ty
        {
            reference.lifetime = Some(parse_quote_spanned!(hidden()=> '__u));
        }
    }
    let mut hidden_inputs: Vec<FnArg> = vec![
        parse_quote_spanned!(hidden()=> __cx: &__p::Context),
        parse_quote_spanned!(hidden()=> __undo: &__p::Undo<'__u>),
    ];
    if needs_state {
        hidden_inputs.push(parse_quote_spanned!(hidden()=> __state: &'__u #state));
    }
    signature.inputs = hidden_inputs.into_iter().chain(signature.inputs).collect();
    signature.ident = Ident::new("__body", hidden());
    signature.asyncness = Some(syn::Token![async](hidden()));
    signature.fn_token.span = hidden();
    signature.generics = parse_quote_spanned!(hidden()=> <'__u>);
    signature
}

/// Span of generated tokens whose errors point at the user's `tokens`.
fn located(tokens: impl ToTokens) -> Span {
    let first = tokens.into_token_stream().into_iter().next();
    first.map_or_else(hidden, |tree| hidden().located_at(tree.span()))
}

fn or_unit(ty: Option<&Type>) -> TokenStream {
    ty.map_or_else(|| quote!(()), ToTokens::to_token_stream)
}

/// Prints a function whose signature was refused: just enough for the code that names the handler to compile.
pub(crate) fn stub(function: &Function, args: &Args) -> TokenStream {
    if function.has_receiver() {
        let (vis, signature, attributes) =
            (&function.vis, &function.signature, &function.cfg_attributes);
        return quote!(#(#attributes)* #[allow(unused)] #vis #signature { ::core::unreachable!() });
    }
    let generics = function.generics();
    let known = |ty: &Option<Type>| ty.clone().filter(|ty| is_self_contained(ty, &generics));
    let output = known(&function.output).filter(is_result);
    let input = known(&function.input).filter(is_storable);
    let unit_result = || quote_spanned!(hidden()=> ::core::result::Result<(), __p::BoxError>);
    let statics = Printer {
        handler: handler_type(function),
        sites: &[],
        report: &Report::default(),
        printed: RefCell::default(),
    }
    .statics();
    let parts = HandlerParts {
        state: quote_spanned!(hidden()=> ()),
        any_state: true,
        result: output.map_or_else(unit_result, ToTokens::into_token_stream),
        input: or_unit(input.as_ref()),
        statics,
    };
    let result = &parts.result;
    let content = quote_spanned! {hidden()=>
        async fn __body(_: &__p::Context, _: &__p::Undo<'_>) -> #result { ::core::future::pending().await }
    };
    items(function, args, &parts, &TokenStream::new(), &content)
}

fn handler_type(function: &Function) -> Ident {
    Ident::new("__Handler", hidden().located_at(function.name.span()))
}

struct HandlerParts {
    statics: TokenStream,
    state: TokenStream,
    /// Whether the function takes no state and runs with any.
    any_state: bool,
    input: TokenStream,
    result: TokenStream,
}

impl HandlerParts {
    fn new(function: &Function, statics: TokenStream) -> Self {
        Self {
            statics,
            state: or_unit(function.state.as_ref()),
            any_state: function.state.is_none(),
            input: or_unit(function.input.as_ref()),
            result: function.output.to_token_stream(),
        }
    }
}

fn items(
    function: &Function,
    args: &Args,
    parts: &HandlerParts,
    passed: &TokenStream,
    content: &TokenStream,
) -> TokenStream {
    let (vis, name) = (&function.vis, &function.name);
    let (item_attributes, cfg_attributes) = (&function.item_attributes, &function.cfg_attributes);
    let handler = handler_type(function);
    let private = private_path(args);
    let HandlerParts {
        statics,
        state,
        input,
        result,
        any_state,
    } = parts;
    let traits = traits(function, args, parts, &handler, passed);
    let wrapper = Ident::new(if *any_state { "AnyState" } else { "WithState" }, hidden());
    let return_type = quote_spanned! {located(&function.output)=>
        #private::#wrapper<impl #private::Handler<
            #state,
            Input = #input,
            Output = <#result as #private::HandlerResult>::Output,
        >>
    };
    quote_spanned! {hidden()=>
        #(#cfg_attributes)* #(#item_attributes)*
        #vis fn #name() -> #return_type {
            use #private as __p;
            #[derive(Clone, Copy)]
            struct #handler;
            #statics
            #traits
            #content
            __p::#wrapper(#handler)
        }
    }
}

/// Prints the implementations of `Durable` and `Handler`.
///
/// All of it has the span of the return type, so that a wrong return type is one error.
fn traits(
    function: &Function,
    args: &Args,
    parts: &HandlerParts,
    handler: &Ident,
    passed: &TokenStream,
) -> TokenStream {
    let HandlerParts {
        state,
        input,
        result,
        ..
    } = parts;
    let name = LitStr::new(&handler_name(function, args), hidden());
    let was = &args.was;
    let version = match &args.version {
        Some(version) => quote_spanned!(hidden()=> __p::Some(#version)),
        None => quote_spanned!(hidden()=> __p::None),
    };
    let bars = quote_spanned!(hidden()=> |__state, __input| (#passed));
    quote_spanned! {located(&function.output)=>
        __p::handler!(#handler, #name, #version, [#(#was),*], #state, #input, #result, #bars);
    }
}

struct Printer<'a> {
    /// Name of the handler's type.
    handler: Ident,
    sites: &'a [Site],
    report: &'a Report,
    /// Numbers of the refused awaits whose errors are printed.
    printed: RefCell<BTreeSet<usize>>,
}

impl Printer<'_> {
    fn statics(&self) -> TokenStream {
        let entries = self.table();
        let count = Literal::usize_unsuffixed(entries.len());
        quote_spanned!(hidden()=> static __SITES: [__p::Site; #count] = [#(#entries),*];)
    }
}
