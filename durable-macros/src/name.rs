//! Names of call sites: derives them from bodies and checks them.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Expr, Ident};

use crate::rules::{Report, Rule};
use crate::scan::called_function;
use crate::sites::{Call, Kind};

const MAX_LENGTH: usize = 100;

/// Name of a call site, and the tokens it comes from.
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) tokens: TokenStream,
}

impl Name {
    /// Derives the name of a call site without one: the function or method that its body awaits, or else calls last.
    pub(crate) fn derived(call: &Call) -> Option<Self> {
        match call.kind {
            Kind::Wait => Some(Self {
                text: "wait".to_owned(),
                tokens: call.path.to_token_stream(),
            }),
            Kind::Step | Kind::Record | Kind::Call | Kind::Invoke if !call.is_named_function() => {
                let body = call.body.as_ref()?;
                let ident = callee(awaited(body).unwrap_or(body))?;
                Some(Self {
                    text: ident.unraw().to_string(),
                    tokens: ident.to_token_stream(),
                })
            }
            _ => None,
        }
    }
}

/// Reports an invalid name at `tokens`.
pub(crate) fn check(text: &str, tokens: impl ToTokens, report: &mut Report) {
    let wrong = if text.is_empty() || text.len() > MAX_LENGTH {
        format!(
            "has {} characters: use 1 to {MAX_LENGTH}",
            text.chars().count()
        )
    } else if let Some(other) = text.chars().find(|one| !(' '..='~').contains(one)) {
        format!("contains {other:?}: use printable ASCII characters")
    } else if let Some(reserved) = text.chars().find(|one| "/[]#".contains(*one)) {
        format!("contains `{reserved}`, which histories use as a separator: use another character")
    } else {
        return;
    };
    report.add(Rule::Name.error(tokens, format!("this name {wrong}")));
}

/// The operand of the outermost `.await` in a chain of calls.
fn awaited(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Await(one) => Some(&one.base),
        Expr::Try(one) => awaited(&one.expr),
        Expr::MethodCall(one) => awaited(&one.receiver),
        Expr::Paren(one) => awaited(&one.expr),
        Expr::Group(one) => awaited(&one.expr),
        _ => None,
    }
}

/// The function or method that `expr` calls last.
pub(crate) fn callee(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Call(one) => called_function(one),
        Expr::MethodCall(one) => Some(&one.method),
        Expr::Await(one) => callee(&one.base),
        Expr::Try(one) => callee(&one.expr),
        Expr::Paren(one) => callee(&one.expr),
        Expr::Group(one) => callee(&one.expr),
        _ => None,
    }
}
