//! Tables of the methods that change their receiver, or give access to a part of it.

/// Methods that change a container.
pub(super) const CHANGE: &[&str] = &[
    "push",
    "pop",
    "insert",
    "remove",
    "clear",
    "append",
    "extend",
    "resize",
    "swap",
    "set",
    "fill",
    "reverse",
    "split_off",
    "entry",
    "get_mut",
    "get_or_insert",
    "get_or_insert_with",
    "as_mut",
    "as_deref_mut",
    "put_slice",
    "write_fmt",
    "write_str",
];
/// Methods that change a container and rarely exist on other types.
pub(super) const CHANGE_ONLY: &[&str] = &[
    "push_str",
    "push_back",
    "push_front",
    "pop_back",
    "pop_front",
    "pop_first",
    "pop_last",
    "insert_str",
    "extend_from_slice",
    "resize_with",
    "retain",
    "retain_mut",
    "truncate",
    "dedup",
    "dedup_by",
    "dedup_by_key",
    "drain",
    "swap_remove",
    "sort",
    "sort_by",
    "sort_by_key",
    "sort_by_cached_key",
    "sort_unstable",
    "sort_unstable_by",
    "sort_unstable_by_key",
    "rotate_left",
    "rotate_right",
    "make_ascii_lowercase",
    "make_ascii_uppercase",
    "or_insert",
    "or_insert_with",
    "or_default",
    "and_modify",
    "iter_mut",
    "values_mut",
    "chunks_mut",
    "first_mut",
    "last_mut",
    "split_at_mut",
    "as_mut_slice",
];
/// Methods of `CHANGE` that belong to a container if their result is unused.
pub(super) const CHANGE_AS_STATEMENT: &[&str] = &[
    "push", "pop", "insert", "remove", "clear", "append", "extend", "resize", "reverse",
];
/// Methods that change a cell or an atomic.
pub(super) const CHANGE_CELL: &[&str] = &[
    "set",
    "swap",
    "update",
    "store",
    "compare_exchange",
    "compare_exchange_weak",
    "fetch_add",
    "fetch_sub",
    "fetch_and",
    "fetch_or",
    "fetch_xor",
    "fetch_nand",
    "fetch_max",
    "fetch_min",
    "fetch_update",
    "get_mut",
];
/// Methods that advance an iterator.
pub(super) const ADVANCE: &[&str] = &["next", "next_back", "nth", "by_ref", "next_if"];
/// Methods that give access to the content of a cell or lock.
pub(super) const OPEN_CELL: &[&str] = &[
    "lock",
    "try_lock",
    "blocking_lock",
    "write",
    "try_write",
    "borrow_mut",
    "try_borrow_mut",
];
/// Methods that unwrap a guard or a `Result`.
pub(super) const UNWRAP: &[&str] = &["unwrap", "expect", "deref_mut"];
/// Methods that give access to a part of a container.
pub(super) const SELECT_PART: &[&str] = &["as_mut", "get_mut"];
