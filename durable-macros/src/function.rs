//! The model of a durable function: its parts, with the user's tokens kept.

use syn::{
    Attribute, Block, FnArg, GenericParam, Ident, ItemFn, PatType, ReturnType, Signature, Type,
    Visibility,
};

/// Lints that concern the item as seen from outside as well as the body.
const LINT_LEVELS: [&str; 4] = ["allow", "warn", "deny", "forbid"];
/// Attributes that concern only what others see of the function.
const OUTSIDE: [&str; 3] = ["doc", "deprecated", "must_use"];

pub(crate) struct Function {
    pub(crate) vis: Visibility,
    pub(crate) name: Ident,
    pub(crate) signature: Signature,
    pub(crate) block: Block,
    /// On the item that callers name.
    pub(crate) outside: Vec<Attribute>,
    /// On the function that holds the body.
    pub(crate) inside: Vec<Attribute>,
    /// On every item printed.
    pub(crate) everywhere: Vec<Attribute>,
    /// Type behind the reference.
    pub(crate) state: Option<Type>,
    pub(crate) input: Option<Type>,
    pub(crate) output: Option<Type>,
}

impl Function {
    pub(crate) fn new(item: ItemFn) -> Self {
        let ItemFn {
            attrs,
            vis,
            sig,
            block,
        } = item;
        let is = |attribute: &Attribute, names: &[&str]| {
            names.iter().any(|name| attribute.path().is_ident(name))
        };
        let (everywhere, attrs): (Vec<_>, Vec<_>) =
            attrs.into_iter().partition(|one| is(one, &["cfg"]));
        let outside = attrs
            .iter()
            .filter(|one| is(one, &OUTSIDE) || is(one, &LINT_LEVELS))
            .cloned()
            .collect();
        let inside = attrs.into_iter().filter(|one| !is(one, &OUTSIDE)).collect();
        let by_reference = typed(&sig).find_map(|param| match &*param.ty {
            Type::Reference(reference) => Some((*reference.elem).clone()),
            _ => None,
        });
        let by_value = typed(&sig)
            .find(|param| !is_reference(param))
            .map(|param| (*param.ty).clone());
        let output = match &sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some((**ty).clone()),
        };
        Self {
            vis,
            name: sig.ident.clone(),
            signature: sig,
            block: *block,
            outside,
            inside,
            everywhere,
            state: by_reference,
            input: by_value,
            output,
        }
    }

    pub(crate) fn params(&self) -> impl Iterator<Item = &PatType> {
        typed(&self.signature)
    }

    pub(crate) fn has_receiver(&self) -> bool {
        self.signature.receiver().is_some()
    }

    /// Type and const parameters, and named lifetimes.
    pub(crate) fn generics(&self) -> Vec<&Ident> {
        fn name(param: &GenericParam) -> &Ident {
            match param {
                GenericParam::Type(one) => &one.ident,
                GenericParam::Const(one) => &one.ident,
                GenericParam::Lifetime(one) => &one.lifetime.ident,
            }
        }
        self.signature.generics.params.iter().map(name).collect()
    }
}

fn typed(signature: &Signature) -> impl Iterator<Item = &PatType> {
    signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(param) => Some(param),
        FnArg::Receiver(_) => None,
    })
}

pub(crate) fn is_reference(param: &PatType) -> bool {
    matches!(&*param.ty, Type::Reference(_))
}
