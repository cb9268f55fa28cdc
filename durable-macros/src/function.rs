//! The model of a durable function. Its parts keep the user's tokens.

use syn::{
    Attribute, Block, FnArg, GenericParam, Ident, ItemFn, PatType, ReturnType, Signature, Type,
    Visibility,
};

/// Lint levels, which apply to both the item and the body.
const LINT_LEVELS: [&str; 4] = ["allow", "warn", "deny", "forbid"];
/// Attributes that apply only to the item that callers name.
const ITEM_ONLY: [&str; 3] = ["doc", "deprecated", "must_use"];

pub(crate) struct Function {
    pub(crate) vis: Visibility,
    pub(crate) name: Ident,
    pub(crate) signature: Signature,
    pub(crate) block: Block,
    /// Attributes of the item that callers name.
    pub(crate) item_attributes: Vec<Attribute>,
    /// Attributes of the function that holds the body.
    pub(crate) body_attributes: Vec<Attribute>,
    /// `cfg` attributes, for every printed item.
    pub(crate) cfg_attributes: Vec<Attribute>,
    /// Type of the state, without the reference.
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
        let (cfg_attributes, attrs): (Vec<_>, Vec<_>) =
            attrs.into_iter().partition(|one| is(one, &["cfg"]));
        let item_attributes = attrs
            .iter()
            .filter(|one| is(one, &ITEM_ONLY) || is(one, &LINT_LEVELS))
            .cloned()
            .collect();
        let body_attributes = attrs
            .into_iter()
            .filter(|one| !is(one, &ITEM_ONLY))
            .collect();
        let by_reference = typed_params(&sig).find_map(|param| match &*param.ty {
            Type::Reference(reference) => Some((*reference.elem).clone()),
            _ => None,
        });
        let by_value = typed_params(&sig)
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
            item_attributes,
            body_attributes,
            cfg_attributes,
            state: by_reference,
            input: by_value,
            output,
        }
    }

    pub(crate) fn params(&self) -> impl Iterator<Item = &PatType> {
        typed_params(&self.signature)
    }

    pub(crate) fn has_receiver(&self) -> bool {
        self.signature.receiver().is_some()
    }

    /// Names of the generic parameters, lifetimes included.
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

fn typed_params(signature: &Signature) -> impl Iterator<Item = &PatType> {
    signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(param) => Some(param),
        FnArg::Receiver(_) => None,
    })
}

pub(crate) fn is_reference(param: &PatType) -> bool {
    matches!(&*param.ty, Type::Reference(_))
}
