//! Prints the call sites that run other handlers: `call!`, `invoke!`, `continue_as!`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote_spanned};
use syn::Expr;

use super::{Printer, hidden, located};
use crate::sites::Call;

/// Options of an `invoke!` that are forwarded to methods of the same name.
const INVOKE_OPTIONS: &[&str] = &["codec", "input_codec", "tenant"];

impl Printer<'_> {
    pub(super) fn call(&self, index: usize, call: &Call) -> TokenStream {
        let operation = self.register(index, call);
        let Some((function, input)) = self.callee(call) else {
            return TokenStream::new();
        };
        let mut codec = self.codec_over(call, function.clone());
        if let Some(given) = call.options.expr("codec") {
            codec = quote_spanned!(located(given)=> __p::custom_codec(#codec));
        }
        quote_spanned! {located(&function)=>
            __p::call(#operation, __state, __undo, #function, #input, #codec)
        }
    }

    pub(super) fn invoke(&self, index: usize, call: &Call) -> TokenStream {
        let (operation, how) = (
            self.register(index, call),
            self.forwarded(call, INVOKE_OPTIONS),
        );
        let how = quote_spanned!(located(&call.path)=> __p::invoking()#how);
        let known = call.function.as_ref().map(ToTokens::to_token_stream);
        let given = || {
            let function = call.options.expr("function")?;
            Some(self.filled(function))
        };
        if let Some(function) = known.or_else(given) {
            let function = quote_spanned!(located(&function)=> __p::text(#function));
            let input = match &call.body {
                Some(input) => self.filled(input),
                None => quote_spanned!(hidden()=> ()),
            };
            return quote_spanned! {located(&call.path)=>
                __p::invoke_named(#operation, #function, #input, #how)
            };
        }
        let Some((function, input)) = self.callee(call) else {
            return TokenStream::new();
        };
        quote_spanned!(located(&function)=> __p::invoke(#operation, __state, #function, #input, #how))
    }

    pub(super) fn continue_as(&self, call: &Call) -> TokenStream {
        let input = self.filled(&call.body);
        let (path, handler) = (&call.path, &self.handler);
        let marked = quote_spanned!(hidden()=> #path!(@ __cx));
        quote_spanned!(located(&call.body)=> __p::continue_as::<#handler, _>(#marked, #input))
    }

    /// The function that a `call!` or `invoke!` runs, and its input.
    fn callee(&self, call: &Call) -> Option<(TokenStream, TokenStream)> {
        let Some(Expr::Call(callee)) = &call.body else {
            return None;
        };
        let function = callee.func.to_token_stream();
        let input = match callee.args.first() {
            Some(input) => self.filled(input),
            None => quote_spanned!(located(&function)=> ()),
        };
        Some((function, input))
    }
}
