//! Checks the signature.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{Ident, LitStr, Type};

use super::stored;
use crate::args::Args;
use crate::function::{Function, is_reference};
use crate::name;
use crate::rules::{Report, Rule};

/// Checks the attribute's arguments and the signature. Returns whether a body can be printed.
pub(crate) fn signature(function: &Function, args: &Args, report: &mut Report) -> bool {
    for text in args.name.iter().chain(&args.version).chain(&args.was) {
        name::check(&text.value(), text, report);
    }
    if args.name.is_none() {
        name::check(&handler_name(function, args), &function.name, report);
    }
    let signature = &function.signature;
    let mut refuse =
        |tokens: TokenStream, message: &str| report.add(Rule::Signature.error(tokens, message));
    let mut valid = true;
    if signature.asyncness.is_none() {
        refuse(
            signature.fn_token.to_token_stream(),
            "a durable function must be async: write `async fn`",
        );
    }
    let mut fatal = |tokens: TokenStream, message: &str| {
        valid = false;
        refuse(tokens, message);
    };
    modifiers(function, &mut fatal);
    for tokens in impl_traits(function) {
        fatal(
            tokens,
            "this value is stored and decoded again, so it needs a concrete type instead of `impl Trait`",
        );
    }
    parameters(function, &mut fatal);
    stored::types(function, &mut fatal);
    if !function.has_receiver()
        && let Some(name) = own_type(function)
    {
        let message = "`Self` cannot be used in a durable function, whose body becomes a nested item: write the type's name, \
                       as in `Jobs::helper`";
        fatal(name.to_token_stream(), message);
    }
    valid
}

/// The first `Self` in a function without a receiver. Nested items are skipped, since they have their own `Self`.
fn own_type(function: &Function) -> Option<Ident> {
    #[derive(Default)]
    struct Finder(Option<Ident>);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_ident(&mut self, ident: &'ast Ident) {
            if ident == "Self" {
                self.0.get_or_insert_with(|| ident.clone());
            }
        }
        fn visit_macro(&mut self, mac: &'ast syn::Macro) {
            self.visit_path(&mac.path);
            let found = find(mac.tokens.clone());
            self.0 = self.0.take().or(found);
        }
        fn visit_item(&mut self, _: &'ast syn::Item) {}
    }
    fn find(tokens: TokenStream) -> Option<Ident> {
        tokens.into_iter().find_map(|tree| match tree {
            TokenTree::Ident(ident) => (ident == "Self").then_some(ident),
            TokenTree::Group(group) => find(group.stream()),
            _ => None,
        })
    }
    let mut finder = Finder::default();
    finder.visit_signature(&function.signature);
    finder.visit_block(&function.block);
    finder.0
}

/// Refuses a receiver, generics and modifiers.
fn modifiers(function: &Function, fatal: &mut impl FnMut(TokenStream, &str)) {
    let signature = &function.signature;
    if let Some(receiver) = signature.receiver() {
        let message = "a durable function cannot take `self`: take its content as the state, with `app: &App`";
        fatal(receiver.to_token_stream(), message);
    }
    if let Some(conditions) = signature.generics.where_clause.as_ref()
        && signature.generics.params.is_empty()
    {
        let message = "a durable function cannot have a `where` clause: it has no type parameters to constrain";
        fatal(conditions.to_token_stream(), message);
    }
    if !signature.generics.params.is_empty() {
        let message = "a durable function is found by name when it resumes, so it cannot be generic: write one function \
                       per concrete type, or take an enum (and remove lifetimes)";
        fatal(signature.generics.params.to_token_stream(), message);
    }
    for (tokens, what) in [
        (signature.unsafety.to_token_stream(), "unsafe"),
        (signature.constness.to_token_stream(), "const"),
        (signature.abi.to_token_stream(), "extern"),
        (signature.variadic.to_token_stream(), "variadic"),
    ] {
        if !tokens.is_empty() {
            fatal(
                tokens,
                &format!("a durable function cannot be {what}: remove this"),
            );
        }
    }
}

fn parameters(function: &Function, fatal: &mut impl FnMut(TokenStream, &str)) {
    for param in function.params() {
        match &*param.ty {
            Type::Reference(one) if one.mutability.is_some() => {
                fatal(
                    param.ty.to_token_stream(),
                    "the state is shared by every execution: take it as `&State`",
                );
            }
            Type::Reference(one) if one.lifetime.is_some() && function.generics().is_empty() => {
                fatal(
                    one.lifetime.to_token_stream(),
                    "remove the lifetime: the state is borrowed for one run",
                );
            }
            Type::Reference(one) if is_unsized(&one.elem) => {
                let message =
                    "the state must be a sized type: put it into a struct and take `&State`";
                fatal(param.ty.to_token_stream(), message);
            }
            _ => {}
        }
    }
    if let Some(second) = function.params().filter(|param| is_reference(param)).nth(1) {
        let message =
            "a durable function takes one reference, its shared state: put both into one struct";
        fatal(second.to_token_stream(), message);
    }
    if let Some(second) = function
        .params()
        .filter(|param| !is_reference(param))
        .nth(1)
    {
        let message = "a durable function takes one value, its stored input: put both into one struct or tuple";
        fatal(second.to_token_stream(), message);
    }
}

fn is_unsized(ty: &Type) -> bool {
    match ty {
        Type::Slice(_) | Type::TraitObject(_) => true,
        Type::Path(one) => one.path.is_ident("str"),
        _ => false,
    }
}

fn impl_traits(function: &Function) -> Vec<TokenStream> {
    #[derive(Default)]
    struct Finder(Vec<TokenStream>);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_type_impl_trait(&mut self, one: &'ast syn::TypeImplTrait) {
            self.0.push(one.to_token_stream());
        }
    }
    let mut finder = Finder::default();
    visit::visit_signature(&mut finder, &function.signature);
    finder.0
}

/// The name under which executions store the handler.
pub(crate) fn handler_name(function: &Function, args: &Args) -> String {
    let own = || syn::ext::IdentExt::unraw(&function.name).to_string();
    args.name.as_ref().map_or_else(own, LitStr::value)
}

/// Whether `ty` has a meaning outside of the function: it uses none of these generic parameters, `Self` or `impl Trait`.
pub(crate) fn is_self_contained(ty: &Type, generics: &[&Ident]) -> bool {
    struct Finder<'a>(&'a [&'a Ident], bool);
    impl<'ast> Visit<'ast> for Finder<'_> {
        fn visit_ident(&mut self, ident: &'ast Ident) {
            self.1 |= self.0.contains(&ident) || ident == "Self";
        }
        fn visit_type_impl_trait(&mut self, _: &'ast syn::TypeImplTrait) {
            self.1 = true;
        }
        fn visit_type_reference(&mut self, one: &'ast syn::TypeReference) {
            self.1 |= one.lifetime.is_none();
            visit::visit_type_reference(self, one);
        }
    }
    let mut finder = Finder(generics, false);
    finder.visit_type(ty);
    !finder.1
}
