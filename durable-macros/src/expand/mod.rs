//! Prints the handler. The only place that knows what expansions call.

mod body;
mod branches;
mod exits;
mod forms;
mod sites;

use proc_macro2::{Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse_quote_spanned;
use syn::{FnArg, LitStr, Signature, Type};

use crate::args::Args;
use crate::body::PLACEHOLDER;
use crate::check::{handler_name, is_result, is_self_contained, is_stored};
use crate::function::Function;
use crate::rules::Report;
use crate::sites::Site;

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
/// Output: `fn etl() -> impl Handler<App, Input = Job, Output = Summary>`, with everything else nested inside. An
/// `impl` block can hold a function, but no other items.
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
    };
    let needs_state = sites.iter().any(|site| site.call.kind.passes_state());
    let parts = Parts::new(function, printer.statics());
    let inside = &function.inside;
    // With errors about, what the user wrote is not all there: rustc's advice about it would be wrong.
    let quiet = (!report.is_empty()).then(|| quote_spanned!(hidden()=> #[allow(unused)]));
    // The lint's advice would show a hidden lifetime, and the type of the state has to be the registered one.
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
        #(#inside)* #quiet #borrowed
        #signature #body
    };
    items(function, args, &parts, &passed, &content)
}

/// Whether clippy advises to take a slice instead of a reference to this type. The state of a handler is a type of
/// its own, which it cannot be, and the advice would show the lifetime that is hidden.
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

/// The user's signature, with what is hidden in front; the state when a call site passes it on: the user may have
/// taken it apart or shadowed it. Only the lifetime of the state is written out, so that undo bodies may borrow it.
fn body_signature(function: &Function, parts: &Parts, needs_state: bool) -> Signature {
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

/// Hidden, but errors point at the user's tokens.
fn located(tokens: impl ToTokens) -> Span {
    let first = tokens.into_token_stream().into_iter().next();
    first.map_or_else(hidden, |tree| hidden().located_at(tree.span()))
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
    let output = known(&function.output).filter(is_result);
    let input = known(&function.input).filter(is_stored);
    let unit_result = || quote_spanned!(hidden()=> ::core::result::Result<(), __p::BoxError>);
    let statics = Printer {
        handler: handler_type(function),
        sites: &[],
        report: &Report::default(),
    }
    .statics();
    let parts = Parts {
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

struct Parts {
    statics: TokenStream,
    state: TokenStream,
    /// Whether the function takes no state, so that it runs with any.
    any_state: bool,
    input: TokenStream,
    result: TokenStream,
}

impl Parts {
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
    parts: &Parts,
    passed: &TokenStream,
    content: &TokenStream,
) -> TokenStream {
    let (vis, name) = (&function.vis, &function.name);
    let (outside, everywhere) = (&function.outside, &function.everywhere);
    let handler = handler_type(function);
    let private = private_path(args);
    let Parts {
        statics,
        state,
        input,
        result,
        any_state,
    } = parts;
    let traits = traits(function, args, parts, &handler, passed);
    let around = Ident::new(if *any_state { "AnyState" } else { "WithState" }, hidden());
    let kind = quote_spanned! {located(&function.output)=>
        #private::#around<impl #private::Handler<
            #state,
            Input = #input,
            Output = <#result as #private::HandlerResult>::Output,
        >>
    };
    quote_spanned! {hidden()=>
        #(#everywhere)* #(#outside)*
        #vis fn #name() -> #kind {
            use #private as __p;
            #[derive(Clone, Copy)]
            struct #handler;
            #statics
            #traits
            #content
            __p::#around(#handler)
        }
    }
}

/// The implementations of `Durable` and `Handler`, which are the same for every handler.
///
/// Where the return type is wrong, all that depends on it says so with the same span, and is one error.
fn traits(
    function: &Function,
    args: &Args,
    parts: &Parts,
    handler: &Ident,
    passed: &TokenStream,
) -> TokenStream {
    let Parts {
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
    /// The type that stands for the handler.
    handler: Ident,
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
