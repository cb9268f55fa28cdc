//! Prints the handler. The only place that knows what expansions call.

mod sites;

use proc_macro2::{Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::parse_quote_spanned;
use syn::{FnArg, LitStr, Signature, Type};

use crate::args::Args;
use crate::body::PLACEHOLDER;
use crate::check::{handler_name, is_self_contained};
use crate::function::Function;
use crate::rules::Report;
use crate::sites::{Kind, Site};

/// Where everything that expansions call lives; `#[durable(crate = path)]` replaces the first part.
const CRATE: [&str; 2] = ["durable", "__private"];

/// The span of what the user did not write: hidden from the user's names, ignored by lints.
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

/// Input: `async fn etl(app: &App, job: Job) -> Result<Summary, BoxError> { body }`.
/// Output: `fn etl() -> __durable_etl`, that type, and its implementations of `Durable` and `Handler<App>`.
pub(crate) fn handler(
    function: &Function,
    args: &Args,
    body: &TokenStream,
    sites: &[Site],
    report: &Report,
) -> TokenStream {
    let printer = Printer { sites, report };
    let needs_state = sites.iter().any(|site| site.call.kind == Kind::Call);
    let generic = quote_spanned!(hidden()=> __S);
    let state = function.state.as_ref();
    let generics = quote_spanned!(hidden()=> <__S: ::core::marker::Sync>);
    let parts = Parts {
        statics: printer.statics(),
        generics: state.is_none().then_some(generics),
        state: state.map_or(generic, ToTokens::to_token_stream),
        output: output_type(function),
        input: or_unit(function.input.as_ref()),
    };
    let inside = &function.inside;
    // With errors about, what the user wrote is not all there: rustc's advice about it would be wrong.
    let quiet = (!report.is_empty()).then(|| quote_spanned!(hidden()=> #[allow(unused)]));
    let signature = body_signature(function, &parts, needs_state);
    let body = printer.fill(body.clone());
    let run = run(function, needs_state);
    let content = quote_spanned! {hidden()=>
        #(#inside)* #quiet
        #signature #body
        #run
    };
    items(function, args, &parts, &content)
}

/// The user's signature, with the hidden context in front, and the state when a `call!` passes it on: the user may
/// have taken it apart or shadowed it.
fn body_signature(function: &Function, parts: &Parts, needs_state: bool) -> Signature {
    let mut signature = function.signature.clone();
    let Parts {
        state, generics, ..
    } = parts;
    let context: FnArg = parse_quote_spanned!(hidden()=> __durable_cx: &__p::Context);
    let passed_on: Option<FnArg> =
        needs_state.then(|| parse_quote_spanned!(hidden()=> __durable_state: &#state));
    signature.inputs = [context]
        .into_iter()
        .chain(passed_on)
        .chain(signature.inputs)
        .collect();
    signature.ident = Ident::new("__body", hidden());
    signature.asyncness = Some(syn::Token![async](hidden()));
    signature.fn_token.span = hidden();
    if let Some(generics) = generics.as_ref().filter(|_| needs_state) {
        signature.generics = parse_quote_spanned!(hidden()=> #generics);
    }
    signature
}

fn run(function: &Function, needs_state: bool) -> TokenStream {
    let again = needs_state.then(|| quote_spanned!(hidden()=> __durable_state,));
    let passed = function.params().map(|param| match &*param.ty {
        Type::Reference(_) => quote_spanned!(hidden()=> __durable_state),
        _ => quote_spanned!(hidden()=> __durable_input),
    });
    let output = &function.output;
    let body = quote_spanned!(hidden()=> __body(__durable_cx, #again #(#passed),*).await);
    let boxed = quote_spanned!(located(output)=> <#output as __p::HandlerResult>::boxed(__result));
    quote_spanned! {located(&function.name)=>
        async move {
            let __result = #body;
            #boxed
        }
    }
}

/// Hidden, but errors point at the user's tokens.
fn located(tokens: impl ToTokens) -> Span {
    let first = tokens.into_token_stream().into_iter().next();
    first.map_or_else(hidden, |tree| hidden().located_at(tree.span()))
}

fn output_type(function: &Function) -> TokenStream {
    let output = &function.output;
    quote_spanned!(located(output)=> <#output as __p::HandlerResult>::Output)
}

fn or_unit(ty: Option<&Type>) -> TokenStream {
    ty.map_or_else(|| quote!(()), ToTokens::to_token_stream)
}

/// What is left of a function whose signature is refused: enough for whoever names the handler.
pub(crate) fn stub(function: &Function, args: &Args) -> TokenStream {
    if function.has_receiver() {
        let (vis, signature, attributes) =
            (&function.vis, &function.signature, &function.everywhere);
        return quote!(#(#attributes)* #[allow(unused)] #vis #signature { ::core::unreachable!() });
    }
    let generics = function.generics();
    let known = |ty: &Option<Type>| ty.clone().filter(|ty| is_self_contained(ty, &generics));
    let parts = Parts {
        statics: Printer {
            sites: &[],
            report: &Report::default(),
        }
        .statics(),
        generics: Some(quote_spanned!(hidden()=> <__S: ::core::marker::Sync>)),
        state: quote_spanned!(hidden()=> __S),
        output: if known(&function.output).is_some() {
            output_type(function)
        } else {
            quote!(())
        },
        input: or_unit(known(&function.input).as_ref()),
    };
    let content = quote_spanned!(hidden()=> ::core::future::pending());
    items(function, args, &parts, &content)
}

struct Parts {
    statics: TokenStream,
    state: TokenStream,
    generics: Option<TokenStream>,
    output: TokenStream,
    input: TokenStream,
}

fn items(function: &Function, args: &Args, parts: &Parts, content: &TokenStream) -> TokenStream {
    let (vis, name) = (&function.vis, &function.name);
    let (outside, everywhere) = (&function.outside, &function.everywhere);
    let span = hidden().located_at(name.span());
    let handler = format_ident!("__durable_{}", name, span = span);
    let private = private_path(args);
    let statics = &parts.statics;
    let name_and_types = durable_impl(function, args, parts, &handler);
    let behaviour = handler_impl(function, parts, &handler, content);
    quote_spanned! {hidden()=>
        #(#everywhere)* #(#outside)*
        #vis fn #name() -> #handler { #handler }
        #(#everywhere)*
        #[doc(hidden)]
        #[derive(Clone, Copy)]
        #[allow(non_camel_case_types)]
        #vis struct #handler;
        #(#everywhere)*
        const _: () = {
            use #private as __p;
            #statics
            #name_and_types
            #behaviour
        };
    }
}

fn durable_impl(function: &Function, args: &Args, parts: &Parts, handler: &Ident) -> TokenStream {
    let Parts { input, output, .. } = parts;
    let name = LitStr::new(&handler_name(function, args), hidden());
    let was = &args.was;
    let version = match &args.version {
        Some(version) => quote_spanned!(hidden()=> __p::Some(#version)),
        None => quote_spanned!(hidden()=> __p::None),
    };
    quote_spanned! {hidden()=>
        impl __p::Durable for #handler {
            const NAME: &'static str = #name;
            type Input = #input;
            type Output = #output;
            fn manifest() -> &'static __p::Manifest {
                const { &__p::Manifest::new(#name, #version, &[#(#was),*], &__SITES) }
            }
        }
    }
}

fn handler_impl(
    function: &Function,
    parts: &Parts,
    handler: &Ident,
    content: &TokenStream,
) -> TokenStream {
    let Parts {
        state,
        generics,
        input,
        ..
    } = parts;
    // Where the return type is wrong, all that depends on it says so with the same span, and is one error.
    let signature = quote_spanned! {located(&function.output)=>
        fn run<'a>(
            __durable_cx: &'a __p::Context,
            __durable_state: &'a #state,
            __durable_input: #input,
        ) -> impl __p::Future<Output = __p::Outcome<Self>> + ::core::marker::Send + 'a
    };
    quote_spanned! {hidden()=>
        impl #generics __p::Handler<#state> for #handler {
            #signature { #content }
        }
    }
}

struct Printer<'a> {
    sites: &'a [Site],
    report: &'a Report,
}

impl Printer<'_> {
    fn statics(&self) -> TokenStream {
        let entries = self.table();
        let count = Literal::usize_unsuffixed(entries.len());
        quote_spanned!(hidden()=> static __SITES: [__p::Site; #count] = [#(#entries),*];)
    }

    /// `tokens` with every placeholder replaced by its call site.
    fn fill(&self, tokens: TokenStream) -> TokenStream {
        let mut output = TokenStream::new();
        let mut rest = tokens.into_iter();
        while let Some(tree) = rest.next() {
            match tree {
                TokenTree::Ident(name) if name == PLACEHOLDER => {
                    let index = rest.nth(1).and_then(|group| match group {
                        TokenTree::Group(group) => group.stream().to_string().parse().ok(),
                        _ => None,
                    });
                    output.extend(index.and_then(|index| self.site(index)));
                }
                TokenTree::Group(group) => {
                    let mut filled = Group::new(group.delimiter(), self.fill(group.stream()));
                    filled.set_span(group.span());
                    output.extend([TokenTree::from(filled)]);
                }
                other => output.extend([other]),
            }
        }
        output
    }
}
