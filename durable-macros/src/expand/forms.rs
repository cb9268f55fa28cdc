//! Prints call sites. The operation is registered when the expression is evaluated; the rest is inline and borrows.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::Expr;

use super::{Printer, hidden, located};
use crate::sites::{Call, Forbidden};

/// Options that are forwarded to methods of the same name.
const PACE_OPTIONS: &[&str] = &["attempts", "timeout"];
const LIMIT_OPTIONS: &[&str] = &["timeout", "heartbeat"];
const SIZE_OPTIONS: &[&str] = &["target", "max"];

impl Printer<'_> {
    pub(super) fn poll(&self, index: usize, call: &Call) -> TokenStream {
        let (operation, codec, body) = (
            self.register(index, call),
            self.codec(call),
            self.body(call),
        );
        let span = call.body.as_ref().map_or_else(hidden, located);
        let unit = || quote_spanned!(hidden()=> ());
        let first = call
            .options
            .expr("state")
            .map_or_else(unit, |state| self.filled(state));
        let state = call
            .binder
            .as_ref()
            .map_or_else(unit, ToTokens::to_token_stream);
        let retry = call.options.expr("retry").map(|given| {
            let retry = self.value("retry", given);
            quote_spanned!(located(given)=> .retry(#retry))
        });
        let every = call.options.expr("every").map(|given| {
            let every = self.filled(given);
            quote_spanned!(located(given)=> __p::pace(#every))
        });
        let pace = self.forwarded(call, PACE_OPTIONS);
        let states = self.state_codec(call);
        let options = quote_spanned!(span=> __p::options()#retry);
        let attempt = attempt(
            &quote_spanned!(span=> __op.run),
            Some(&options),
            &body,
            span,
        );
        let outcome = quote_spanned!(span=> __p::checked(__out));
        let content = quote_spanned! {hidden()=>
                let __operation = #operation;
                let mut __op = __p::poll(__operation, #codec, #states);
                async {
                    while let __p::Some(__step) = __op.next().await {
                        let __p::Some(#state) = __op.state(|| #first) else {
                            continue;
                        };
                        #attempt
                        __op.record(#outcome, #every #pace).await;
                    }
                    __op.done()
                }
        };
        site_block(call, content)
    }

    pub(super) fn batches(&self, index: usize, call: &Call) -> TokenStream {
        let (site, codec, body) = (
            self.site_reference(index, call),
            self.codec(call),
            self.body(call),
        );
        let items = self.filled(&call.items);
        let items = quote_spanned!(located(&call.items)=> &#items);
        let size = self.forwarded(call, SIZE_OPTIONS);
        let span = call.body.as_ref().map_or_else(hidden, located);
        let options = self.options(call);
        let options = options.unwrap_or_else(|| quote_spanned!(hidden()=> __p::options()));
        let attempt = attempt(
            &quote_spanned!(span=> __op.run),
            Some(&options),
            &body,
            span,
        );
        let outcome = quote_spanned!(span=> __p::attempted(__out));
        let binder = &call.binder;
        let with = match call.item_with() {
            Some((pat, with)) => {
                let filled = self.filled(with);
                Some(quote_spanned!(located(with)=> .with(|#pat| __p::input(&(#filled)))))
            }
            None => call.options.expr("with").map(|with| {
                let filled = self.filled(with);
                let input = quote_spanned!(located(with)=> __p::input(&(#filled)));
                quote_spanned!(hidden()=> .with({ let __with = #input; move |_| __with.clone() }))
            }),
        };
        let content = quote_spanned! {hidden()=>
                let __size = __p::batch_size()#size;
                let mut __op = __p::batches(__cx, #site, #items, __size, #codec)#with;
                async {
                    while let __p::Some(__step) = __op.next().await {
                        let #binder = __op.batch();
                        #attempt
                        __op.record(#outcome).await;
                    }
                    __op.done()
                }
        };
        site_block(call, content)
    }

    pub(super) fn callback(&self, index: usize, call: &Call) -> TokenStream {
        let operation = self.register(index, call);
        let codec = self.codec_over(call, call.path.to_token_stream());
        let limits = self.forwarded(call, LIMIT_OPTIONS);
        let [answer, submit] = call.parts[..] else {
            return quote_spanned! {located(&call.path)=>
                __p::callback(#operation, __p::limits()#limits, #codec)
            };
        };
        let site = self.site_reference(answer, &self.sites[answer].call);
        let step = &self.sites[submit].call;
        let submitting = quote_spanned! {located(&call.path)=>
            __p::submitting(#operation, #site, __p::limits()#limits, #codec)
        };
        let submit = self.step(submit, step);
        let finish = quote_spanned!(located(&step.body)=> __op.finish(__submitted).await);
        let content = quote_spanned! {hidden()=>
                let mut __op = #submitting;
                async {
                    match __op.enter().await {
                        __p::Enter::Done(__result) => __result,
                        __p::Enter::Run((__cx, __id)) => {
                            let __submitted = #submit.await;
                            #finish
                        }
                    }
                }
        };
        site_block(call, content)
    }

    pub(super) fn receive(&self, index: usize, call: &Call) -> TokenStream {
        let operation = self.register(index, call);
        let codec = self.codec_over(call, call.path.to_token_stream());
        let options = self.forwarded(call, &["message", "timeout"]);
        quote_spanned! {located(&call.path)=>
            __p::receive(#operation, __p::receiving()#options, #codec)
        }
    }

    pub(super) fn send(&self, index: usize, call: &Call) -> TokenStream {
        let operation = self.register(index, call);
        let (to, value) = (self.filled(&call.items), self.filled(&call.body));
        let options = self.forwarded(call, &["message"]);
        let to = quote_spanned!(located(&call.items)=> __p::text(#to));
        let value = quote_spanned!(located(&call.body)=> &(#value));
        quote_spanned!(located(&call.path)=> __p::send(#operation, #to, #value, __p::sending()#options))
    }

    /// The value of an option, in the form that its method takes.
    pub(super) fn value(&self, name: &str, given: &Expr) -> TokenStream {
        let value = self.filled(given);
        let span = located(given);
        match name {
            "tenant" | "message" => quote_spanned!(span=> __p::text(#value)),
            // By reference, so that the user can use a policy again.
            "retry" => quote_spanned!(span=> &(#value)),
            _ => value,
        }
    }

    /// Method calls for those of the options `names` that were given.
    pub(super) fn forwarded(&self, call: &Call, names: &[&str]) -> TokenStream {
        let mut methods = TokenStream::new();
        for name in names {
            if let Some(given) = call.options.expr(name) {
                let value = self.value(name, given);
                let method = syn::Ident::new(name, hidden());
                methods.extend(quote_spanned!(located(given)=> .#method(#value)));
            }
        }
        methods
    }

    pub(super) fn record(&self, index: usize, call: &Call) -> TokenStream {
        let (operation, codec, body) = (
            self.register(index, call),
            self.codec(call),
            self.body(call),
        );
        let span = call.body.as_ref().map_or_else(hidden, located);
        let op = quote_spanned!(span=> __p::record(__operation, #codec));
        let attempt = attempt(&quote_spanned!(span=> __op.run), None, &body, span);
        let content = quote_spanned! {hidden()=>
                let __operation = #operation;
                async {
                    let mut __op = #op;
                    match __op.next().await {
                        __p::Next::Done(__value) => __value,
                        __p::Next::Run(_) => {
                            #attempt
                            __op.record(__out).await
                        }
                    }
                }
        };
        site_block(call, content)
    }

    pub(super) fn wait(&self, index: usize, call: &Call) -> TokenStream {
        let operation = self.register(index, call);
        if let Some(time) = call.options.expr("until") {
            let time = self.filled(time);
            let time = quote_spanned!(hidden()=> __p::time(#time));
            return quote_spanned!(located(&call.path)=> __p::wait_until(#operation, #time));
        }
        let duration = self.filled(&call.body);
        quote_spanned!(located(&call.path)=> __p::wait(#operation, #duration))
    }

    pub(super) fn scope(&self, index: usize, call: &Call) -> TokenStream {
        let operation = self.register(index, call);
        let entered = self.scope_body(index, call, &self.codec(call));
        let content = quote_spanned! {hidden()=>
                let __operation = #operation;
                async { #entered }
        };
        site_block(call, content)
    }

    /// Statements that run the body of a scope registered as `__operation`, and its result.
    pub(super) fn scope_body(&self, index: usize, call: &Call, codec: &TokenStream) -> TokenStream {
        let body = self.body(call);
        let span = call.body.as_ref().map_or_else(hidden, located);
        let op = quote_spanned!(span=> __p::scope(__operation, #codec));
        let outcome = quote_spanned!(span=> __p::finished(__out));
        let always = self
            .undoes(index)
            .map(|always| quote_spanned!(hidden()=> .entered_always(#always)));
        quote_spanned! {hidden()=>
            let mut __op = #op #always;
            match __op.enter().await {
                __p::Enter::Done(__result) => __result,
                __p::Enter::Run(__child) => {
                    let __cx = &__child;
                    let __out = __child.body(#body).await;
                    __op.finish(#outcome).await
                }
            }
        }
    }

    pub(super) fn publish(&self, index: usize, call: &Call) -> TokenStream {
        let name = call.name.as_ref().map(|name| &name.tokens);
        let (path, value) = (&call.path, self.filled(&call.body));
        let method = match self.sites[index].place.forbidden {
            Some(Forbidden::Body(_)) => quote_spanned!(hidden()=> publish_in_body),
            _ => quote_spanned!(hidden()=> publish),
        };
        let value = quote_spanned!(located(&call.body)=> &(#value));
        let bang = quote_spanned!(hidden()=> !(@ __cx.#method(#name, #value)));
        quote_spanned!(hidden()=> #path #bang)
    }

    pub(super) fn execution(&self, call: &Call) -> TokenStream {
        let path = &call.path;
        let bang = quote_spanned!(hidden()=> !(@ __cx.execution()));
        quote_spanned!(hidden()=> #path #bang)
    }
}

/// Statements that run one attempt of a body with the method `run`, and name its result `__out`.
///
/// The body is pinned by its name, so that it is not in the argument of a macro, where tools cannot read it.
pub(super) fn attempt(
    run: &TokenStream,
    options: Option<&TokenStream>,
    body: &TokenStream,
    span: Span,
) -> TokenStream {
    let given = options.map(|options| quote_spanned!(hidden()=> let __options = #options;));
    let argument = options.map(|_| quote_spanned!(hidden()=> __options,));
    let run = quote_spanned!(span=> #run(#argument __p::pin!(__attempt)));
    quote_spanned! {hidden()=>
        #given
        let __attempt = #body;
        let __out = #run.await;
    }
}

/// `{ content }` at the span of the user's macro, so that type errors about its value are reported there.
pub(super) fn site_block(call: &Call, content: TokenStream) -> TokenStream {
    let mut block = Group::new(Delimiter::Brace, content);
    block.set_span(located(&call.path));
    TokenTree::from(block).into()
}
