//! Prints call sites: the claim is evaluated at once, everything else is inline and borrows.

use proc_macro2::{Delimiter, Group, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::{Expr, Stmt};

use super::{Printer, hidden, located};
use crate::scan;
use crate::sites::{Call, Kind, Site};

fn first_span(tokens: impl ToTokens) -> Span {
    tokens
        .into_token_stream()
        .into_iter()
        .next()
        .map_or_else(hidden, |tree| tree.span())
}

impl Printer<'_> {
    /// The table of call sites that have a place in the history: its entries.
    pub(super) fn table(&self) -> Vec<TokenStream> {
        self.sites
            .iter()
            .filter_map(|site| self.table_entry(site))
            .collect()
    }

    /// Index of a call site in that table.
    fn slot(&self, index: usize) -> usize {
        self.sites
            .iter()
            .take(index)
            .filter(|site| site.call.kind.is_recorded())
            .count()
    }

    /// One entry of the table of call sites.
    fn table_entry(&self, site: &Site) -> Option<TokenStream> {
        let Site { call, place } = site;
        let kind = match call.kind {
            Kind::Step => quote_spanned!(hidden()=> Step),
            Kind::Record => quote_spanned!(hidden()=> Record),
            Kind::Wait => quote_spanned!(hidden()=> Wait),
            Kind::Scope => quote_spanned!(hidden()=> Scope),
            Kind::Call => quote_spanned!(hidden()=> Call),
            Kind::Execution => return None,
        };
        let name = call.name.as_ref().map_or("", |name| name.text.as_str());
        // With the user's own span, `line!()` in there yields the user's line.
        let user = first_span(&call.path);
        let mut entry = quote_spanned!(user=> __p::site!(#kind, #name));
        let mut add = |flag: bool, method: TokenStream| {
            if flag {
                entry.extend(method);
            }
        };
        let keyed = call.options.flag("key");
        add(keyed, quote_spanned!(hidden()=> .keyed()));
        let ordered = call.options.flag("ordered") || place.repeat.is_some();
        add(ordered && !keyed, quote_spanned!(hidden()=> .ordered()));
        if let Some(scope) = place.scope {
            let scope = Literal::usize_unsuffixed(self.slot(scope));
            add(true, quote_spanned!(hidden()=> .within(#scope)));
        }
        add(place.concurrent, quote_spanned!(hidden()=> .concurrent()));
        add(
            call.options.flag("secret"),
            quote_spanned!(hidden()=> .secret()),
        );
        let was = call.options.texts("was");
        add(
            !was.is_empty(),
            quote_spanned!(hidden()=> .was(&[#(#was),*])),
        );
        Some(entry)
    }

    pub(super) fn site(&self, index: usize) -> Option<TokenStream> {
        if let Some(error) = self.report.in_place(index) {
            return Some(error.to_compile_error());
        }
        let Site { call, .. } = self.sites.get(index)?;
        Some(match call.kind {
            Kind::Step => self.step(index, call),
            Kind::Record => self.record(index, call),
            Kind::Wait => self.wait(index, call),
            Kind::Scope => self.scope(index, call),
            Kind::Call => self.call(index, call),
            Kind::Execution => self.execution(call),
        })
    }

    /// The place in the history. The user's macro is left in as the index, `step!(@ 2)`: editors show its
    /// documentation, and an import of it is used.
    fn claim(&self, index: usize, call: &Call) -> TokenStream {
        let path = &call.path;
        let number = Literal::usize_unsuffixed(self.slot(index));
        let bang = quote_spanned!(hidden()=> !(@ #number));
        let site = quote_spanned!(hidden()=> &__SITES[#path #bang]);
        let label = call.options.expr("label").map(|label| {
            let label = self.fill(label.to_token_stream());
            quote_spanned!(hidden()=> .label(#label))
        });
        match call.options.expr("key") {
            None => quote_spanned!(hidden()=> __durable_cx.claim(#site)#label),
            Some(key) => {
                let key = self.key(key);
                quote_spanned!(hidden()=> __durable_cx.claim_keyed(#site, #key)#label)
            }
        }
    }

    fn key(&self, key: &Expr) -> TokenStream {
        if let Expr::Tuple(parts) = key {
            let parts = parts.elems.iter().map(|part| {
                let tokens = self.fill(part.to_token_stream());
                quote_spanned!(located(part)=> &__p::key(&(#tokens)))
            });
            return quote_spanned!(hidden()=> __p::keys(&[#(#parts),*]));
        }
        let tokens = self.fill(key.to_token_stream());
        let borrowed = quote_spanned!(located(key)=> &(#tokens));
        quote_spanned!(hidden()=> __p::key(#borrowed))
    }

    /// The codec, which is where a value that cannot be encoded is reported: over the whole body.
    fn codec(&self, call: &Call) -> TokenStream {
        if let Some(codec) = call.options.expr("codec") {
            return self.fill(codec.to_token_stream());
        }
        let (first, last) = ends(call.body.as_ref());
        let module = quote_spanned!(first=> __p);
        let codec = quote_spanned!(last=> Json);
        quote_spanned!(hidden()=> #module::#codec)
    }

    /// The body as an async block that spans what the user wrote, so that type errors point there.
    fn body(&self, call: &Call) -> TokenStream {
        let Some(body) = &call.body else {
            return TokenStream::new();
        };
        let fallible = call.kind != Kind::Record && is_block(body) && scan::uses_try(body);
        // A block's braces become those of the async block: twice would be a lint.
        let tokens = match body {
            Expr::Block(one) if one.attrs.is_empty() && one.label.is_none() => {
                statements(&one.block.stmts, fallible)
            }
            _ => body.to_token_stream(),
        };
        let tokens = self.fill(tokens);
        let bind = call
            .binder
            .as_ref()
            .map(|binder| quote_spanned!(hidden()=> let #binder = &__step;));
        // The error type of a body with `?` is pinned by a return that is never taken: a wrong end of the body is then
        // a plain type mismatch there, and no bound that fails on the whole of it.
        let pin = fallible.then(|| {
            quote_spanned!(hidden()=> if let __p::Some(__never) = __p::never() { return __never; })
        });
        async_block(body, quote_spanned!(hidden()=> #bind #pin #tokens))
    }

    fn options(&self, call: &Call) -> TokenStream {
        let mut options = quote_spanned!(hidden()=> __p::options());
        for (name, method) in [
            ("retry", quote_spanned!(hidden()=> .retry)),
            ("timeout", quote_spanned!(hidden()=> .timeout)),
        ] {
            if let Some(value) = call.options.expr(name) {
                let value = self.fill(value.to_token_stream());
                options.extend(quote_spanned!(hidden()=> #method(#value)));
            }
        }
        if call.options.flag("at_most_once") {
            options.extend(quote_spanned!(hidden()=> .at_most_once()));
        }
        options
    }

    fn step(&self, index: usize, call: &Call) -> TokenStream {
        let (claim, codec, body, options) = (
            self.claim(index, call),
            self.codec(call),
            self.body(call),
            self.options(call),
        );
        let moves = call.options.get("move").map(|given| &given.name);
        let span = call.body.as_ref().map_or_else(hidden, located);
        let run = quote_spanned!(span=> __op.run(#options, #body));
        let outcome = quote_spanned!(span=> __p::attempted(__out));
        let content = quote_spanned! {hidden()=>
                let __claim = #claim;
                async #moves {
                    let mut __op = __p::step(__claim, #codec);
                    loop {
                        match __op.next().await {
                            __p::Next::Done(__result) => break __result,
                            __p::Next::Run(__step) => {
                                let __out = #run.await;
                                __op.record(#outcome).await;
                            }
                        }
                    }
                }
        };
        site_block(call, content)
    }

    fn record(&self, index: usize, call: &Call) -> TokenStream {
        let (claim, codec, body) = (self.claim(index, call), self.codec(call), self.body(call));
        let span = call.body.as_ref().map_or_else(hidden, located);
        let run = quote_spanned!(span=> __op.run(#body));
        let content = quote_spanned! {hidden()=>
                let __claim = #claim;
                async {
                    let mut __op = __p::record(__claim, #codec);
                    match __op.next().await {
                        __p::Next::Done(__value) => __value,
                        __p::Next::Run(_) => {
                            let __value = #run.await;
                            __op.record(__value).await
                        }
                    }
                }
        };
        site_block(call, content)
    }

    fn wait(&self, index: usize, call: &Call) -> TokenStream {
        let claim = self.claim(index, call);
        if let Some(time) = call.options.expr("until") {
            let time = self.fill(time.to_token_stream());
            let time = quote_spanned!(hidden()=> __p::time(#time));
            return quote_spanned!(located(&call.path)=> __p::wait_until(#claim, #time));
        }
        let duration = self.fill(call.body.to_token_stream());
        quote_spanned!(located(&call.path)=> __p::wait(#claim, #duration))
    }

    fn scope(&self, index: usize, call: &Call) -> TokenStream {
        let (claim, codec, body) = (self.claim(index, call), self.codec(call), self.body(call));
        let span = call.body.as_ref().map_or_else(hidden, located);
        let outcome = quote_spanned!(span=> __p::returned(__out));
        let content = quote_spanned! {hidden()=>
                let __claim = #claim;
                async {
                    let mut __op = __p::scope(__claim, #codec);
                    match __op.enter().await {
                        __p::Enter::Done(__result) => __result,
                        __p::Enter::Run(__child) => {
                            let __durable_cx = &__child;
                            let __out = #body.await;
                            __op.finish(#outcome).await
                        }
                    }
                }
        };
        site_block(call, content)
    }

    fn call(&self, index: usize, call: &Call) -> TokenStream {
        let claim = self.claim(index, call);
        let Some(Expr::Call(callee)) = &call.body else {
            return TokenStream::new();
        };
        let function = &callee.func;
        let input = match callee.args.first() {
            Some(input) => self.fill(input.to_token_stream()),
            None => quote_spanned!(located(function)=> ()),
        };
        quote_spanned!(located(function)=> __p::call(#claim, __durable_state, #function, #input))
    }

    fn execution(&self, call: &Call) -> TokenStream {
        let path = &call.path;
        let bang = quote_spanned!(hidden()=> !(@ __durable_cx.execution()));
        quote_spanned!(hidden()=> #path #bang)
    }
}

/// Statements of a body. A call at the end of one with `?` has an error type of its own, which is converted as `?`
/// converts those before: `{ a()?; b().await }` reads as if it ended in `Ok(b().await?)`.
fn statements(statements: &[Stmt], fallible: bool) -> TokenStream {
    let Some((Stmt::Expr(last, None), before)) = statements.split_last() else {
        return quote_spanned!(hidden()=> #(#statements)*);
    };
    let converts = match last {
        Expr::Await(_) => true,
        Expr::Call(call) => scan::called_function(call).is_some(),
        _ => false,
    };
    if !(fallible && converts) {
        return quote_spanned!(hidden()=> #(#statements)*);
    }
    let tail = quote_spanned!(located(last)=> #last?);
    quote_spanned!(hidden()=> #(#before)* ::core::result::Result::Ok(#tail))
}

/// `{ content }` where the user wrote the call, so that what is done with its value is reported there.
fn site_block(call: &Call, content: TokenStream) -> TokenStream {
    let mut block = Group::new(Delimiter::Brace, content);
    block.set_span(located(&call.path));
    TokenTree::from(block).into()
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

/// `async { content }`, from the first to the last token of `of`.
fn async_block(of: &Expr, content: TokenStream) -> TokenStream {
    let (first, last) = ends(Some(of));
    let mut block = Group::new(Delimiter::Brace, content);
    block.set_span(last);
    let block = TokenTree::from(block);
    quote_spanned!(first=> async #block)
}

/// Where what the user wrote begins and ends.
fn ends(of: Option<&Expr>) -> (Span, Span) {
    let spans: Vec<Span> = of
        .to_token_stream()
        .into_iter()
        .map(|tree| tree.span())
        .collect();
    let locate = |span: Option<&Span>| span.map_or_else(hidden, |span| hidden().located_at(*span));
    (locate(spans.first()), locate(spans.last()))
}
