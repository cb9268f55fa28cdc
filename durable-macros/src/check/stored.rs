//! Checks the types of input and output, which are stored and decoded again.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Type;
use syn::visit::{self, Visit};

use crate::function::Function;

/// Refuses input and output types whose spelling shows that they cannot be stored.
pub(super) fn types(function: &Function, fatal: &mut impl FnMut(TokenStream, &str)) {
    let Some(output) = &function.output else {
        let message =
            "a durable function can fail: give it a return type, such as `-> Result<(), BoxError>`";
        return fatal(function.name.to_token_stream(), message);
    };
    if is_not_result(output) {
        let message = format!(
            "a durable function must return a `Result`: write `-> Result<{}, BoxError>`",
            type_text(output)
        );
        return fatal(output.to_token_stream(), &message);
    }
    for ty in function.input.iter().chain(ok_type(output)) {
        if let Some((tokens, message)) = unstorable(ty) {
            fatal(tokens, message);
        }
    }
}

/// `ty` as one writes it. Tokens print with spaces between them.
fn type_text(ty: &Type) -> String {
    let tokens = ty.to_token_stream().to_string();
    [
        (" < ", "<"),
        (" >", ">"),
        (" ,", ","),
        (" :: ", "::"),
        ("& ", "&"),
    ]
    .into_iter()
    .fold(tokens, |text, (spaced, tight)| text.replace(spaced, tight))
}

/// Whether `ty` is a well-known type other than `Result`. Any unknown type may be an alias of `Result`.
fn is_not_result(ty: &Type) -> bool {
    const NAMES: [&str; 20] = [
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16",
        "u32", "u64", "u128", "usize", "String", "Vec", "Option", "Box",
    ];
    match ty {
        Type::Path(one) => one
            .path
            .segments
            .last()
            .is_some_and(|last| NAMES.iter().any(|name| last.ident == name)),
        Type::Paren(one) => is_not_result(&one.elem),
        Type::Tuple(_) | Type::Array(_) | Type::Reference(_) => true,
        _ => false,
    }
}

/// The `T` of `Result<T, E>`.
fn ok_type(output: &Type) -> Option<&Type> {
    let Type::Path(one) = output else {
        return None;
    };
    let last = one
        .path
        .segments
        .last()
        .filter(|last| last.ident == "Result")?;
    match &last.arguments {
        syn::PathArguments::AngleBracketed(types) => match types.args.first()? {
            syn::GenericArgument::Type(ty) => Some(ty),
            _ => None,
        },
        _ => None,
    }
}

/// The first reference or `Rc` in `ty`, and the message why it cannot be stored.
fn unstorable(ty: &Type) -> Option<(TokenStream, &'static str)> {
    #[derive(Default)]
    struct Finder(Option<(TokenStream, &'static str)>);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_type_reference(&mut self, one: &'ast syn::TypeReference) {
            let message = "inputs and outputs are stored and decoded again, so they must be owned: use `String` instead of \
                           `&str`, and `Vec` instead of a slice";
            self.0.get_or_insert((one.to_token_stream(), message));
        }
        fn visit_path_segment(&mut self, one: &'ast syn::PathSegment) {
            if one.ident == "Rc" {
                let message = "inputs and outputs move between threads, and an `Rc` cannot: use the value inside it";
                self.0.get_or_insert((one.to_token_stream(), message));
            }
            visit::visit_path_segment(self, one);
        }
    }
    let mut finder = Finder::default();
    finder.visit_type(ty);
    finder.0
}

pub(crate) fn is_storable(ty: &Type) -> bool {
    unstorable(ty).is_none()
}

/// Whether `output` may be a `Result` of a value that can be stored.
pub(crate) fn is_result(output: &Type) -> bool {
    !is_not_result(output) && ok_type(output).is_none_or(is_storable)
}
