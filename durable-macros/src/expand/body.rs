//! Prints bodies as async blocks, and what goes with them: codec and options.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::Expr;

use super::{Printer, exits, hidden, located};
use crate::scan;
use crate::sites::{Call, Kind};

impl Printer<'_> {
    /// The codec, which is where a value that cannot be encoded is reported: over the whole body.
    pub(super) fn codec(&self, call: &Call) -> TokenStream {
        self.codec_over(call, call.body.to_token_stream())
    }

    /// The codec given to `call`, reported over `body`.
    pub(super) fn codec_over(&self, call: &Call, body: TokenStream) -> TokenStream {
        if let Some(codec) = call.options.expr("codec") {
            return self.filled(codec);
        }
        json_over(body)
    }

    /// The codec of what a check leaves for the next.
    pub(super) fn state_codec(&self, call: &Call) -> TokenStream {
        if let Some(codec) = call.options.expr("state_codec") {
            return self.filled(codec);
        }
        json_over(match call.options.expr("state") {
            Some(state) => state.to_token_stream(),
            None => call.body.to_token_stream(),
        })
    }

    /// The body as an async block that spans what the user wrote, so that type errors point there.
    pub(super) fn body(&self, call: &Call) -> TokenStream {
        let Some(body) = &call.body else {
            return TokenStream::new();
        };
        let is_result = call.kind != Kind::Record;
        let converts =
            is_result && is_block(body) && scan::uses_try(body) && !scan::names_error(body);
        let fallible = converts || is_result && scan::only_ends_well(body);
        let converted = converts.then(|| exits::converted(body));
        // A block's braces become those of the async block: twice would be a lint.
        let tokens = match converted.as_ref().unwrap_or(body) {
            Expr::Block(one) if one.attrs.is_empty() && one.label.is_none() => {
                let statements = &one.block.stmts;
                quote_spanned!(hidden()=> #(#statements)*)
            }
            other => other.to_token_stream(),
        };
        let tokens = self.fill(tokens);
        let bind = match (call.kind, &call.binder) {
            (Kind::Step, Some(binder)) => Some(quote_spanned!(hidden()=> let #binder = &__step;)),
            (Kind::Submit, Some(binder)) => {
                Some(quote_spanned!(hidden()=> let #binder = __id.as_str();))
            }
            _ => None,
        };
        // The error type of a body with `?` is pinned by a return that is never taken: a wrong end of the body is then
        // a plain type mismatch there, and no bound that fails on the whole of it.
        let pin = fallible.then(|| {
            quote_spanned!(hidden()=> if let __p::Some(__never) = __p::never() { return __never; })
        });
        let block = async_block(body, quote_spanned!(hidden()=> #bind #pin #tokens));
        let moves = (call.kind == Kind::Undo).then(|| syn::Token![move](hidden()));
        quote_spanned!(located(body)=> async #moves #block)
    }

    /// The options of a body, if any were given.
    pub(super) fn options(&self, call: &Call) -> Option<TokenStream> {
        let mut options = TokenStream::new();
        for (name, method) in [
            ("retry", quote_spanned!(hidden()=> .retry)),
            ("timeout", quote_spanned!(hidden()=> .timeout)),
        ] {
            if let Some(given) = self.option(call, name) {
                let value = self.value(name, given);
                options.extend(quote_spanned!(hidden()=> #method(#value)));
            }
        }
        if call.options.flag("at_most_once") {
            options.extend(quote_spanned!(hidden()=> .at_most_once()));
        }
        (!options.is_empty()).then(|| quote_spanned!(hidden()=> __p::options() #options))
    }
}

impl<'a> Printer<'a> {
    /// An option of a body; `submit` has its own on the `callback!` around it.
    fn option(&self, call: &'a Call, name: &str) -> Option<&'a Expr> {
        match (call.kind, call.part_of) {
            (Kind::Submit, Some(whole)) if name == "retry" => {
                self.sites[whole].call.options.expr(name)
            }
            _ => call.options.expr(name),
        }
    }
}

/// The default codec, reported over `body`.
fn json_over(body: TokenStream) -> TokenStream {
    let (first, last) = ends(body);
    let module = quote_spanned!(first=> __p);
    let codec = quote_spanned!(last=> Json);
    quote_spanned!(hidden()=> #module::#codec)
}

/// A body whose `?` leave it with more than one way out.
fn is_block(body: &Expr) -> bool {
    match body {
        Expr::Paren(one) => is_block(&one.expr),
        Expr::Group(one) => is_block(&one.expr),
        Expr::Block(_) | Expr::If(_) | Expr::Match(_) | Expr::Unsafe(_) => true,
        Expr::Loop(_) | Expr::While(_) | Expr::ForLoop(_) => true,
        _ => false,
    }
}

/// `{ content }` that ends with the last token of `of`.
fn async_block(of: &Expr, content: TokenStream) -> TokenTree {
    let mut block = Group::new(Delimiter::Brace, content);
    block.set_span(ends(of).1);
    block.into()
}

/// Where what the user wrote begins and ends.
fn ends(of: impl ToTokens) -> (Span, Span) {
    let spans: Vec<Span> = of
        .to_token_stream()
        .into_iter()
        .map(|tree| tree.span())
        .collect();
    let locate = |span: Option<&Span>| span.map_or_else(hidden, |span| hidden().located_at(*span));
    (locate(spans.first()), locate(spans.last()))
}
