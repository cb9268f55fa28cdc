//! Checks options that make sense only with others, or with a body of a certain form.

use syn::Expr;

use crate::rules::Rule;
use crate::sites::{Call, Kind};

impl Call {
    /// Checks that `item_label` is a closure over the item and that `label`, which is for the whole `map!`, is not.
    pub(super) fn check_labels(&self) -> syn::Result<()> {
        if self.kind != Kind::Map {
            return Ok(());
        }
        if let Some(Expr::Closure(label)) = self.options.expr("label") {
            let message = "`label` is the label of the whole `map!`: write `item_label = |item| …` to label its items";
            return Err(syn::Error::new_spanned(label, message));
        }
        match self.options.expr("item_label") {
            Some(label) if self.item_label().is_none() => {
                let message =
                    "`item_label` takes a closure with one parameter: `item_label = |item| …`";
                Err(syn::Error::new_spanned(label, message))
            }
            _ => Ok(()),
        }
    }

    /// Checks that a callback with `retry` has a `submit`, which is what is retried.
    pub(super) fn check_retry(&mut self) {
        let is_callback = self.kind == Kind::Callback;
        if let Some(retry) = self.options.get("retry")
            && is_callback
            && !self.options.flag("submit")
        {
            let message = "`retry` applies to `submit`, which is missing: add `submit = |id| …`, or remove `retry`";
            let error = Rule::Option.error(&retry.name, message);
            self.errors.push(error);
        }
    }

    /// Checks that a step with `tx` gives the transaction to its body, and is not `at_most_once`.
    pub(super) fn check_tx(&self) -> syn::Result<()> {
        let Some(tx) = self.options.get("tx") else {
            return Ok(());
        };
        if self.binder.is_none() {
            let message = "`tx` gives the body a transaction, so the body needs a parameter for it: write \
                           `tx = &pool, |tx| …`";
            return Err(syn::Error::new_spanned(&tx.name, message));
        }
        match self.options.get("at_most_once") {
            None => Ok(()),
            Some(flag) => {
                let message = "a step with `tx` takes effect exactly once, even if an attempt was interrupted: remove \
                               `at_most_once`";
                Err(syn::Error::new_spanned(&flag.name, message))
            }
        }
    }
}
