//! Prints `step!`.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::Expr;

use super::forms::{attempt, site_block};
use super::{Printer, hidden, located};
use crate::sites::Call;

impl Printer<'_> {
    pub(super) fn step(&self, index: usize, call: &Call) -> TokenStream {
        let (operation, codec, body) = (
            self.register(index, call),
            self.codec(call),
            self.body(call),
        );
        let moves = call.options.get("move").map(|given| &given.name);
        let span = call.body.as_ref().map_or_else(hidden, located);
        let undo = call.parts.first().map(|part| self.undo(*part));
        let undoable = undo
            .is_some()
            .then(|| quote_spanned!(hidden()=> .undoable()));
        let op = quote_spanned!(span=> __p::step(#operation, #codec));
        if let Some(tx) = call.options.expr("tx") {
            let attempts = self.in_transaction(call, tx, &body);
            let content = quote_spanned! {hidden()=>
                    let mut __op = #op #undoable;
                    async #moves {
                        #attempts
                        #undo
                        __op.done()
                    }
            };
            return site_block(call, content);
        }
        let attempt = self.attempt(call, &quote_spanned!(span=> __op), &body);
        let outcome = quote_spanned!(span=> __p::attempted(__out));
        let content = quote_spanned! {hidden()=>
                let mut __op = #op #undoable;
                async #moves {
                    while let __p::Some(__step) = __op.next().await {
                        #attempt
                        __op.record(#outcome);
                    }
                    #undo
                    __op.done()
                }
        };
        site_block(call, content)
    }

    /// The attempts of a step whose body runs in a transaction of the database `tx`.
    fn in_transaction(&self, call: &Call, tx: &Expr, body: &TokenStream) -> TokenStream {
        let span = call.body.as_ref().map_or_else(hidden, located);
        let database = self.filled(tx);
        let op = quote_spanned!(located(tx)=> __p::transaction(__op, #database));
        let value = quote_spanned!(span=> __p::returned(__out));
        let work = quote_spanned! {hidden()=>
            async {
                match __work.begin().await {
                    __p::Begun::Open(mut __open) => {
                        let __out = #body.await;
                        __work.end(__open, #value).await
                    }
                    __p::Begun::Ended(__ended) => __ended,
                }
            }
        };
        let attempt = self.attempt(call, &quote_spanned!(span=> __runner), &work);
        quote_spanned! {hidden()=>
            let mut __tx = #op;
            while let __p::Some(__step) = __tx.next().await {
                let (__runner, mut __work) = __tx.split();
                #attempt
                __tx.record(__out).await;
            }
            let mut __op = __tx.into_step();
        }
    }

    /// Statements that run one attempt of a body on `runner`, with the options of the call.
    fn attempt(&self, call: &Call, runner: &TokenStream, body: &TokenStream) -> TokenStream {
        let span = call.body.as_ref().map_or_else(hidden, located);
        match self.options(call) {
            Some(options) => attempt(
                &quote_spanned!(span=> #runner.run_with),
                Some(&options),
                body,
                span,
            ),
            None => attempt(&quote_spanned!(span=> #runner.run), None, body, span),
        }
    }

    /// Registers the undo body of a finished step.
    fn undo(&self, part: usize) -> TokenStream {
        let call = &self.sites[part].call;
        let (site, body) = (self.site_reference(part, call), self.body(call));
        let (binder, span) = (&call.binder, located(&call.body));
        let undo = quote_spanned!(span=> move |#binder| #body);
        quote_spanned!(span=> __op.taken_back_by(__undo, #site, #undo);)
    }
}
