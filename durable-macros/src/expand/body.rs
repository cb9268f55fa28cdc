//! Prints bodies as async blocks, and their codecs and options.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::Expr;

use super::{Printer, exits, hidden, located};
use crate::scan;
use crate::sites::{Call, Kind};

impl Printer<'_> {
    /// The codec of the value. Its span is the whole body, where rustc reports that a value cannot be encoded.
    pub(super) fn codec(&self, call: &Call) -> TokenStream {
        self.codec_over(call, call.body.to_token_stream())
    }

    /// The option `codec` of `call`, or the default codec at the span of `body`.
    pub(super) fn codec_over(&self, call: &Call, body: TokenStream) -> TokenStream {
        if let Some(codec) = call.options.expr("codec") {
            return self.filled(codec);
        }
        json_over(body)
    }

    /// The codec of the state that a check of a `poll!` passes to the next.
    pub(super) fn state_codec(&self, call: &Call) -> TokenStream {
        if let Some(codec) = call.options.expr("state_codec") {
            return self.filled(codec);
        }
        json_over(match call.options.expr("state") {
            Some(state) => state.to_token_stream(),
            None => call.body.to_token_stream(),
        })
    }

    /// The body as an async block. Its span is that of the user's body, so that type errors point there.
    pub(super) fn body(&self, call: &Call) -> TokenStream {
        let Some(body) = &call.body else {
            return TokenStream::new();
        };
        let is_result = call.kind != Kind::Record;
        let converts =
            is_result && is_block(body) && scan::uses_try(body) && !scan::names_error(body);
        let fallible = converts || is_result && scan::always_ends_with_ok(body);
        let converted = converts.then(|| exits::converted(body));
        // The braces of a block become those of the async block. Both would trigger a lint.
        let tokens = match converted.as_ref().unwrap_or(body) {
            Expr::Block(one) if one.attrs.is_empty() && one.label.is_none() => {
                let statements = &one.block.stmts;
                quote_spanned!(hidden()=> #(#statements)*)
            }
            other => other.to_token_stream(),
        };
        let tokens = self.fill(tokens);
        let bind = match (call.kind, &call.binder) {
            (Kind::Step, Some(binder)) if call.options.flag("tx") => {
                Some(quote_spanned!(hidden()=> let #binder = __p::handle(&mut __open);))
            }
            (Kind::Step, Some(binder)) => Some(quote_spanned!(hidden()=> let #binder = &__step;)),
            (Kind::Submit, Some(binder)) => {
                Some(quote_spanned!(hidden()=> let #binder = __id.as_str();))
            }
            _ => None,
        };
        // A return that never runs fixes the error type of a body with `?`. A wrong exit is then a type mismatch at that
        // exit, not an unsatisfied bound on the whole body.
        let pin = fallible.then(|| {
            quote_spanned!(hidden()=> if let __p::Some(__never) = __p::never() { return __never; })
        });
        let block = async_block(body, quote_spanned!(hidden()=> #bind #pin #tokens));
        let moves = (call.kind == Kind::Undo).then(|| syn::Token![move](hidden()));
        quote_spanned!(located(body)=> async #moves #block)
    }

    /// The options of a body, or `None` if none were given.
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
    /// An option of a body. The options of `submit` are those of its `callback!`.
    fn option(&self, call: &'a Call, name: &str) -> Option<&'a Expr> {
        match (call.kind, call.parent) {
            (Kind::Submit, Some(whole)) if name == "retry" => {
                self.sites[whole].call.options.expr(name)
            }
            _ => call.options.expr(name),
        }
    }
}

/// The default codec at the span of `body`.
fn json_over(body: TokenStream) -> TokenStream {
    let (first, last) = ends(body);
    let module = quote_spanned!(first=> __p);
    let codec = quote_spanned!(last=> Json);
    quote_spanned!(hidden()=> #module::#codec)
}

/// Whether `body` is a block-like expression, in which a `?` is one of several exits.
fn is_block(body: &Expr) -> bool {
    match body {
        Expr::Paren(one) => is_block(&one.expr),
        Expr::Group(one) => is_block(&one.expr),
        Expr::Block(_) | Expr::If(_) | Expr::Match(_) | Expr::Unsafe(_) => true,
        Expr::Loop(_) | Expr::While(_) | Expr::ForLoop(_) => true,
        _ => false,
    }
}

/// `{ content }` at the span of the last token of `of`.
fn async_block(of: &Expr, content: TokenStream) -> TokenTree {
    let mut block = Group::new(Delimiter::Brace, content);
    block.set_span(ends(of).1);
    block.into()
}

/// Spans of the first and last token of `of`.
fn ends(of: impl ToTokens) -> (Span, Span) {
    let spans: Vec<Span> = of
        .to_token_stream()
        .into_iter()
        .map(|tree| tree.span())
        .collect();
    let locate = |span: Option<&Span>| span.map_or_else(hidden, |span| hidden().located_at(*span));
    (locate(spans.first()), locate(spans.last()))
}
