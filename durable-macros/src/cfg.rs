//! Decides whether two `cfg` conditions can hold in the same build. Call sites may share a name if theirs cannot.

use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// Keys that have exactly one value in a build.
const SINGLE_VALUED: [&str; 6] = [
    "target_os",
    "target_arch",
    "target_env",
    "target_endian",
    "target_pointer_width",
    "target_vendor",
];

/// Limit of distinct conditions. With more of them, two sites are assumed to be in the same build.
const MAX_ATOMS: usize = 12;

#[derive(Clone, Debug)]
pub(crate) enum Condition {
    Atom(String),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
}

/// The conditions among `attributes`.
pub(crate) fn conditions(attributes: &[Attribute]) -> Vec<Condition> {
    let of_cfg = |attribute: &Attribute| {
        let list = attribute
            .path()
            .is_ident("cfg")
            .then(|| attribute.meta.require_list().ok())??;
        list.parse_args::<Meta>()
            .ok()
            .map(|meta| Condition::of(&meta))
    };
    attributes.iter().filter_map(of_cfg).collect()
}

/// Whether no build satisfies all of `left` and all of `right`.
pub(crate) fn exclusive(left: &[Condition], right: &[Condition]) -> bool {
    let both = Condition::All(left.iter().chain(right).cloned().collect());
    let mut atoms = Vec::new();
    both.atoms(&mut atoms);
    if atoms.len() > MAX_ATOMS {
        return false;
    }
    !(0..1_u32 << atoms.len()).any(|build| {
        let chosen: Vec<&str> = atoms
            .iter()
            .enumerate()
            .filter(|(bit, _)| build >> bit & 1 == 1)
            .map(|(_, atom)| atom.as_str())
            .collect();
        is_possible(&chosen) && both.is_satisfied(&chosen)
    })
}

fn is_possible(chosen: &[&str]) -> bool {
    let values_of = |key: &str| {
        chosen
            .iter()
            .filter(|atom| atom.split(' ').next() == Some(key))
            .count()
    };
    SINGLE_VALUED.iter().all(|key| values_of(key) <= 1)
        && !(chosen.contains(&"unix") && chosen.contains(&"windows"))
}

impl Condition {
    fn of(meta: &Meta) -> Self {
        let Meta::List(list) = meta else {
            return Self::Atom(meta.to_token_stream().to_string());
        };
        let inner = list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .unwrap_or_default();
        let mut inner: Vec<Self> = inner.iter().map(Self::of).collect();
        if list.path.is_ident("all") {
            Self::All(inner)
        } else if list.path.is_ident("any") {
            Self::Any(inner)
        } else if list.path.is_ident("not") && inner.len() == 1 {
            Self::Not(Box::new(inner.remove(0)))
        } else {
            Self::Atom(meta.to_token_stream().to_string())
        }
    }

    fn atoms(&self, into: &mut Vec<String>) {
        match self {
            Self::Atom(atom) if !into.contains(atom) => into.push(atom.clone()),
            Self::Atom(_) => {}
            Self::All(inner) | Self::Any(inner) => inner.iter().for_each(|one| one.atoms(into)),
            Self::Not(inner) => inner.atoms(into),
        }
    }

    fn is_satisfied(&self, chosen: &[&str]) -> bool {
        match self {
            Self::Atom(atom) => chosen.contains(&atom.as_str()),
            Self::All(inner) => inner.iter().all(|one| one.is_satisfied(chosen)),
            Self::Any(inner) => inner.iter().any(|one| one.is_satisfied(chosen)),
            Self::Not(inner) => !inner.is_satisfied(chosen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(text: &str) -> Vec<Condition> {
        let attributes = vec![
            syn::parse_str::<Meta>(text)
                .map(|meta| syn::parse_quote!(#[cfg(#meta)]))
                .unwrap(),
        ];
        conditions(&attributes)
    }

    #[test]
    fn opposite_conditions_are_exclusive() {
        assert!(exclusive(&condition("test"), &condition("not(test)")));
        assert!(exclusive(
            &condition("unix"),
            &condition("all(feature = \"x\", not(unix))")
        ));
        assert!(exclusive(
            &condition("target_os = \"linux\""),
            &condition("target_os = \"macos\"")
        ));
        assert!(exclusive(
            &condition("any(unix, windows)"),
            &condition("not(any(windows, unix))")
        ));
    }

    #[test]
    fn other_conditions_are_not_exclusive() {
        assert!(!exclusive(&condition("unix"), &condition("test")));
        assert!(!exclusive(
            &condition("feature = \"a\""),
            &condition("feature = \"b\"")
        ));
        assert!(!exclusive(&[], &condition("test")));
    }
}
