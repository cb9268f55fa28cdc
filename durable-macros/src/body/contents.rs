//! Contents of a local as far as its declaration shows them: a macro does not know types.

use syn::{Expr, ExprCall, ExprMethodCall, GenericArgument, Ident, Path, PathArguments, Type};

const HASHES: &[&str] = &["HashMap", "HashSet"];
const CONTAINERS: &[&str] = &[
    "Vec",
    "VecDeque",
    "LinkedList",
    "HashMap",
    "HashSet",
    "BTreeMap",
    "BTreeSet",
    "BinaryHeap",
    "IndexMap",
    "IndexSet",
    "SmallVec",
    "ArrayVec",
    "BytesMut",
    "String",
    "Option",
];
/// Types that can change behind a shared reference.
const CELLS: &[&str] = &["Cell", "RefCell", "Mutex", "RwLock", "OnceCell", "OnceLock"];
const POINTERS: &[&str] = &["Arc", "Rc", "Box"];
/// Methods that create a container.
const BUILD: &[&str] = &["collect", "to_vec", "to_string", "to_owned", "into_bytes"];
/// Methods that return an iterator.
const ITERATE: &[&str] = &[
    "iter",
    "iter_mut",
    "into_iter",
    "chars",
    "bytes",
    "chunks",
    "windows",
    "enumerate",
    "peekable",
    "drain",
    "map",
    "filter",
    "filter_map",
    "zip",
    "rev",
    "skip",
    "take",
    "step_by",
    "keys",
    "values",
    "split_whitespace",
];
/// Methods of a hash table and its iterators that keep the table's order.
const KEEP_ORDER: &[&str] = &[
    "iter",
    "iter_mut",
    "into_iter",
    "keys",
    "values",
    "values_mut",
    "into_keys",
    "into_values",
    "drain",
    "clone",
    "map",
    "filter",
    "filter_map",
    "enumerate",
    "take",
    "skip",
    "zip",
    "cloned",
    "copied",
];

/// Known contents of a value. By default nothing is known.
#[derive(Clone, Copy, Default)]
pub(super) struct Contents {
    /// A collection, a `String` or an `Option`, behind a lock if `cell` is set too.
    pub(super) container: bool,
    pub(super) cell: bool,
    pub(super) iterator: bool,
    pub(super) hashed: bool,
}

/// Looks up the contents of a local.
type OfLocal<'a> = &'a dyn Fn(&Ident) -> Option<Contents>;

impl Contents {
    const CONTAINER: Self = Self {
        container: true,
        cell: false,
        iterator: false,
        hashed: false,
    };
    const ITERATOR: Self = Self {
        container: false,
        iterator: true,
        ..Self::CONTAINER
    };

    pub(super) fn or(self, other: Self) -> Self {
        Self {
            container: self.container || other.container,
            cell: self.cell || other.cell,
            iterator: self.iterator || other.iterator,
            hashed: self.hashed || other.hashed,
        }
    }

    pub(super) fn of_type(ty: &Type) -> Self {
        match ty {
            Type::Reference(one) => Self::of_type(&one.elem),
            Type::Array(_) | Type::Slice(_) => Self::CONTAINER,
            Type::Path(one) => {
                let Some(last) = one.path.segments.last() else {
                    return Self::default();
                };
                let argument = match &last.arguments {
                    PathArguments::AngleBracketed(list) => list.args.first(),
                    _ => None,
                };
                let inner = || match argument {
                    Some(GenericArgument::Type(inner)) => Self::of_type(inner),
                    _ => Self::default(),
                };
                Self::of_name(&last.ident, inner)
            }
            _ => Self::default(),
        }
    }

    /// Contents of a value of the type `name`, which may wrap `inner`.
    fn of_name(name: &Ident, inner: impl FnOnce() -> Self) -> Self {
        let name = name.to_string();
        let one_of = |list: &[&str]| list.contains(&name.as_str());
        if one_of(POINTERS) {
            inner()
        } else if one_of(CELLS) {
            Self {
                cell: true,
                hashed: false,
                ..inner()
            }
        } else {
            Self {
                container: one_of(CONTAINERS),
                cell: name.starts_with("Atomic"),
                iterator: false,
                hashed: one_of(HASHES),
            }
        }
    }

    pub(super) fn of_value(expr: &Expr, of_local: OfLocal<'_>) -> Self {
        match expr {
            Expr::Reference(one) => Self::of_value(&one.expr, of_local),
            Expr::Paren(one) => Self::of_value(&one.expr, of_local),
            Expr::Group(one) => Self::of_value(&one.expr, of_local),
            Expr::Path(one) if one.path.is_ident("None") => Self::CONTAINER,
            Expr::Path(one) => one.path.get_ident().and_then(of_local).unwrap_or_default(),
            Expr::Array(_) | Expr::Repeat(_) => Self::CONTAINER,
            Expr::Range(_) => Self::ITERATOR,
            Expr::Macro(one) if one.mac.path.is_ident("vec") || one.mac.path.is_ident("format") => {
                Self::CONTAINER
            }
            Expr::Call(one) => Self::of_call(one, of_local),
            Expr::MethodCall(one) => Self::of_method(one, of_local),
            _ => Self::default(),
        }
    }

    /// `Vec::new()`, `Arc::new(Mutex::new(…))`, `Arc::clone(&other)`, `Some(…)`.
    fn of_call(call: &ExprCall, of_local: OfLocal<'_>) -> Self {
        let Expr::Path(function) = &*call.func else {
            return Self::default();
        };
        let path = &function.path;
        if path.is_ident("Some") {
            return Self::CONTAINER;
        }
        let Some(ty) = path.segments.iter().rev().nth(1) else {
            return Self::default();
        };
        let inner = || {
            call.args
                .first()
                .map(|value| Self::of_value(value, of_local))
                .unwrap_or_default()
        };
        Self::of_name(&ty.ident, inner)
    }

    fn of_method(call: &ExprMethodCall, of_local: OfLocal<'_>) -> Self {
        let method = call.method.to_string();
        let one_of = |list: &[&str]| list.contains(&method.as_str());
        let named = call.turbofish.iter().flat_map(|types| &types.args);
        let hashed = named
            .filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(Self::of_type(ty).hashed),
                _ => None,
            })
            .any(|hashed| hashed);
        if one_of(BUILD) {
            Self {
                hashed,
                ..Self::CONTAINER
            }
        } else if one_of(ITERATE) {
            Self::ITERATOR
        } else if call.method == "clone" {
            Self::of_value(&call.receiver, of_local)
        } else {
            Self::default()
        }
    }

    /// Whether `expr` yields the items of a hash table in the table's order.
    pub(super) fn in_hash_order(expr: &Expr, of_local: OfLocal<'_>) -> bool {
        match expr {
            Expr::Reference(one) => Self::in_hash_order(&one.expr, of_local),
            Expr::Paren(one) => Self::in_hash_order(&one.expr, of_local),
            Expr::Group(one) => Self::in_hash_order(&one.expr, of_local),
            Expr::MethodCall(one) => {
                KEEP_ORDER.iter().any(|name| one.method == name)
                    && Self::in_hash_order(&one.receiver, of_local)
            }
            Expr::Path(one) => one
                .path
                .get_ident()
                .and_then(of_local)
                .is_some_and(|contents| contents.hashed),
            Expr::Call(one) => {
                matches!(&*one.func, Expr::Path(function) if names_hash(&function.path))
            }
            _ => false,
        }
    }
}

fn names_hash(path: &Path) -> bool {
    path.segments
        .iter()
        .any(|segment| HASHES.iter().any(|name| segment.ident == name))
}
