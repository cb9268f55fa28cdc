//! Prints the call sites with several bodies: `map!`, `parallel!`, `race!`.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, format_ident, quote_spanned};

use super::forms::site_block;
use super::{Printer, hidden, located};
use crate::sites::{Arm, Call};

const BATCH_OPTIONS: &[&str] = &["concurrency", "complete"];

impl Printer<'_> {
    fn start_branches(&self, index: usize, call: &Call) -> TokenStream {
        let options = self.forwarded(call, BATCH_OPTIONS);
        let undoes = self
            .undoes(index)
            .map(|undoes| quote_spanned!(hidden()=> .undoes(#undoes)));
        let flat = call
            .options
            .flag("flat")
            .then(|| quote_spanned!(hidden()=> .flat()));
        quote_spanned!(hidden()=> __p::start_branches(__operation, __p::batch_options()#options #flat #undoes).await)
    }

    /// Runs the branches and records their result, with the option `result_codec` if it was given.
    fn run_branches(&self, call: &Call) -> TokenStream {
        match call.options.expr("result_codec") {
            None => quote_spanned!(hidden()=> run(__branches)),
            Some(codec) => {
                let filled = self.filled(codec);
                let codec = quote_spanned!(located(codec)=> __p::result_codec(#filled));
                quote_spanned!(hidden()=> run_encoded(__branches, #codec))
            }
        }
    }

    /// Statements that run the branch `part` of `parent`.
    fn branch(&self, part: usize, parent: &Call) -> TokenStream {
        let branch = &self.sites[part].call;
        let codec = self.codec_over(parent, branch.body.to_token_stream());
        self.scope_body(part, branch, &codec)
    }

    pub(super) fn map(&self, index: usize, call: &Call) -> TokenStream {
        let Some(part) = call.parts.first().copied() else {
            return TokenStream::new();
        };
        let (operation, started) = (self.register(index, call), self.start_branches(index, call));
        let (items, entered) = (self.filled(&call.items), self.branch(part, call));
        let items = quote_spanned!(located(&call.items)=> __p::items(#items));
        let branch = &self.sites[part].call;
        let (site, binder) = (self.site_reference(part, branch), &branch.binder);
        let (key, place) = self.item_key(call, &site);
        let (label, with) = (self.item_label(call), self.item_input(call));
        let run = self.run_branches(call);
        let content = quote_spanned! {hidden()=>
                let __operation = #operation;
                let __items = #items;
                async {
                    let __started = #started;
                    let mut __branches = __p::Vec::new();
                    for __item in __items {
                        let __key = #key;
                        let __slot = (__started.#place #label #with, __item);
                        let __branch = async {
                            let (__operation, #binder) = __p::moved(__slot);
                            #entered
                        };
                        __branches.push((__key, __branch));
                    }
                    __started.#run.await
                }
        };
        site_block(call, content)
    }

    /// The key of `__item`, and the method call that registers its branch.
    fn item_key(&self, call: &Call, site: &TokenStream) -> (TokenStream, TokenStream) {
        match call.item_key() {
            Some((pat, key)) => {
                let key = self.key(key);
                (
                    quote_spanned!(hidden()=> { let #pat = &__item; #key }),
                    quote_spanned!(hidden()=> keyed(#site, &__key)),
                )
            }
            None => (
                quote_spanned!(hidden()=> __branches.len().to_string()),
                quote_spanned!(hidden()=> ordered(#site)),
            ),
        }
    }

    /// The method call that sets the label of `__item`.
    fn item_label(&self, call: &Call) -> Option<TokenStream> {
        let (pat, label) = call.item_label()?;
        let label = self.filled(label);
        Some(quote_spanned!(hidden()=> .label({ let #pat = &__item; #label })))
    }

    /// The method call that declares the input of the body for `__item`.
    fn item_input(&self, call: &Call) -> Option<TokenStream> {
        let (pat, with) = call.item_with()?;
        let with = self.filled(with);
        Some(quote_spanned!(located(&with)=> .with({ let #pat = &__item; __p::input(&(#with)) })))
    }

    pub(super) fn parallel(&self, index: usize, call: &Call) -> TokenStream {
        let (operation, started) = (self.register(index, call), self.start_branches(index, call));
        let run = self.run_branches(call);
        let branches = call.parts.iter().zip(&call.arms).map(|(part, arm)| {
            let site = self.site_reference(*part, &self.sites[*part].call);
            let (name, entered) = (&arm.name, self.branch(*part, call));
            quote_spanned! {hidden()=>
                {
                    let __operation = __started.keyed(#site, #name);
                    __p::branch(#name, async { #entered })
                }
            }
        });
        let content = quote_spanned! {hidden()=>
                let __operation = #operation;
                async {
                    let __started = #started;
                    let __branches = __p::Vec::from([#(#branches),*]);
                    __started.#run.await
                }
        };
        site_block(call, content)
    }

    pub(super) fn race(&self, index: usize, call: &Call) -> TokenStream {
        let operation = self.register(index, call);
        let names = call.arms.iter().map(|arm| &arm.name);
        let arms: Vec<Ident> = (0..call.arms.len())
            .map(|at| format_ident!("__arm{at}", span = hidden()))
            .collect();
        let futures = call.arms.iter().map(|arm| {
            let future = self.filled(&arm.body);
            quote_spanned!(located(&arm.body)=> __p::arm(#future))
        });
        let last = arms.len().saturating_sub(1);
        let thens = call
            .arms
            .iter()
            .zip(&arms)
            .enumerate()
            .map(|(at, (arm, slot))| {
                let Arm { pat, then, .. } = arm;
                let number = Literal::usize_unsuffixed(at);
                let case = if at == last {
                    quote_spanned!(hidden()=> _)
                } else {
                    number.to_token_stream()
                };
                let then = self.filled(then);
                let bind = pat
                    .as_ref()
                    .map(|pat| quote_spanned!(hidden()=> let #pat = #slot.output().await;));
                quote_spanned!(hidden()=> #case => { #bind #then })
            });
        let content = quote_spanned! {hidden()=>
                let __operation = #operation;
                async {
                    let __race = __p::race(__operation, &[#(#names),*]).await;
                    let (#(mut #arms),*) = {
                        let __cx = __race.inside();
                        (#(#futures),*)
                    };
                    match __race.first(&mut [#(&mut #arms),*]).await {
                        #(#thens)*
                    }
                }
        };
        site_block(call, content)
    }
}
