//! Parses the arguments of other macros.

use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, Token};

/// Arguments of a macro that takes expressions: `a, b = c, d` or `a; n`.
pub(crate) struct Expressions {
    pub(crate) items: Punctuated<Expr, Token![,]>,
    pub(crate) count: Option<(Token![;], Expr)>,
}

impl Parse for Expressions {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut items = Punctuated::new();
        while !input.is_empty() {
            items.push_value(input.parse()?);
            if input.peek(Token![;]) && items.len() == 1 {
                let count = (input.parse()?, input.parse()?);
                return Ok(Self {
                    items,
                    count: Some(count),
                });
            }
            if !input.is_empty() {
                items.push_punct(input.parse()?);
            }
        }
        Ok(Self { items, count: None })
    }
}

impl ToTokens for Expressions {
    fn to_tokens(&self, tokens: &mut proc_macro2::TokenStream) {
        self.items.to_tokens(tokens);
        if let Some((semi, count)) = &self.count {
            semi.to_tokens(tokens);
            count.to_tokens(tokens);
        }
    }
}
