//! The functions, methods and macros that are recognised.

use crate::rules::Rule;

/// Module or type, functions of it (empty: all), and the rule they fall under. The module is compared with the
/// segment before the function, so imported and full paths are both seen.
pub(super) const PATHS: &[(&str, &[&str], Rule)] = &[
    ("SystemTime", &["now"], Rule::Clock),
    ("Instant", &["now"], Rule::Clock),
    ("Utc", &["now", "today"], Rule::Clock),
    ("Local", &["now", "today"], Rule::Clock),
    ("OffsetDateTime", &["now_utc", "now_local"], Rule::Clock),
    ("UtcDateTime", &["now"], Rule::Clock),
    ("Zoned", &["now"], Rule::Clock),
    ("Timestamp", &["now"], Rule::Clock),
    ("rand", &[], Rule::Random),
    ("fastrand", &[], Rule::Random),
    ("getrandom", &[], Rule::Random),
    ("StdRng", &["from_entropy", "from_os_rng"], Rule::Random),
    ("SmallRng", &["from_entropy", "from_os_rng"], Rule::Random),
    (
        "Uuid",
        &[
            "new_v1", "new_v4", "new_v6", "new_v7", "now_v1", "now_v6", "now_v7",
        ],
        Rule::Random,
    ),
    ("Ulid", &["new"], Rule::Random),
    (
        "env",
        &[
            "var",
            "var_os",
            "vars",
            "vars_os",
            "args",
            "args_os",
            "current_dir",
            "current_exe",
            "temp_dir",
            "home_dir",
        ],
        Rule::Environment,
    ),
    ("process", &["id"], Rule::Environment),
    ("thread", &["available_parallelism"], Rule::Environment),
    ("thread", &["spawn", "scope", "sleep", "park"], Rule::Spawn),
    ("tokio", &["spawn"], Rule::Spawn),
    ("rayon", &["spawn"], Rule::Spawn),
    (
        "task",
        &["spawn", "spawn_blocking", "spawn_local", "block_in_place"],
        Rule::Spawn,
    ),
    ("JoinSet", &["new"], Rule::Spawn),
    (
        "time",
        &[
            "sleep",
            "sleep_until",
            "timeout",
            "timeout_at",
            "interval",
            "interval_at",
        ],
        Rule::Timer,
    ),
    (
        "future",
        &["select", "select_all", "select_ok", "try_select", "race"],
        Rule::CompletionOrder,
    ),
    (
        "FuturesUnordered",
        &["new", "from_iter"],
        Rule::CompletionOrder,
    ),
    ("fs", &[], Rule::Outside),
    (
        "File",
        &["open", "create", "create_new", "options"],
        Rule::Outside,
    ),
    ("OpenOptions", &["new"], Rule::Outside),
    ("io", &["stdin"], Rule::Outside),
    ("TcpStream", &["connect"], Rule::Outside),
    ("TcpListener", &["bind"], Rule::Outside),
    ("UdpSocket", &["bind"], Rule::Outside),
    ("UnixStream", &["connect"], Rule::Outside),
    ("UnixListener", &["bind"], Rule::Outside),
    ("reqwest", &["get"], Rule::Outside),
    ("blocking", &["get"], Rule::Outside),
    ("ureq", &[], Rule::Outside),
];

/// Functions known well enough to be recognised when called by their bare name.
pub(super) const CALLS: &[(&str, Rule)] = &[
    ("thread_rng", Rule::Random),
    ("random_range", Rule::Random),
    ("random_bool", Rule::Random),
    ("var_os", Rule::Environment),
    ("temp_dir", Rule::Environment),
    ("current_dir", Rule::Environment),
    ("current_exe", Rule::Environment),
    ("spawn", Rule::Spawn),
    ("spawn_blocking", Rule::Spawn),
    ("spawn_local", Rule::Spawn),
    ("sleep", Rule::Timer),
    ("sleep_until", Rule::Timer),
    ("select_all", Rule::CompletionOrder),
    ("select_ok", Rule::CompletionOrder),
    ("read_to_string", Rule::Outside),
    ("read_dir", Rule::Outside),
    ("create_dir", Rule::Outside),
    ("create_dir_all", Rule::Outside),
    ("remove_file", Rule::Outside),
    ("remove_dir_all", Rule::Outside),
];

/// The same for calls without arguments.
pub(super) const BARE_CALLS: &[(&str, Rule)] = &[
    ("random", Rule::Random),
    ("rng", Rule::Random),
    ("stdin", Rule::Outside),
];

/// Functions with names that others have as well, recognised when they are given a durable call.
pub(super) const COMBINATORS: &[(&str, Rule)] = &[
    ("timeout", Rule::Timer),
    ("timeout_at", Rule::Timer),
    ("select", Rule::CompletionOrder),
    ("try_select", Rule::CompletionOrder),
    ("race", Rule::CompletionOrder),
];

/// Methods that complete a stream's futures in no order of their own.
pub(super) const METHODS: &[&str] = &[
    "buffer_unordered",
    "try_buffer_unordered",
    "for_each_concurrent",
    "try_for_each_concurrent",
];

/// Methods refused on a durable call: the number of arguments, and the rule.
pub(super) const ON_DURABLE: &[(&str, usize, Rule)] = &[
    ("timeout", 1, Rule::Timer),
    ("timeout_at", 1, Rule::Timer),
    ("race", 1, Rule::CompletionOrder),
    ("now_or_never", 0, Rule::CompletionOrder),
];

/// Types whose values give results in the order of completion.
pub(super) const TYPES: &[&str] = &["FuturesUnordered", "SelectAll"];

pub(super) const MACROS: &[&str] = &["select", "select_biased"];

/// Operations of atomics, which also take an `Ordering`.
pub(super) const ATOMIC: &[&str] = &[
    "load",
    "store",
    "swap",
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
];
pub(super) const ORDERINGS: &[&str] = &["Relaxed", "Release", "Acquire", "AcqRel", "SeqCst"];

/// Methods that give access to what is in a `static`: the number of arguments.
pub(super) const OF_STATIC: &[(&str, usize)] = &[
    ("lock", 0),
    ("try_lock", 0),
    ("read", 0),
    ("write", 0),
    ("borrow", 0),
    ("borrow_mut", 0),
    ("with_borrow", 1),
    ("with_borrow_mut", 1),
];

/// Methods by which a `Command` is recognised whose path does not say that it is one of a process.
pub(super) const COMMAND: &[&str] = &[
    "arg",
    "args",
    "env",
    "current_dir",
    "stdin",
    "stdout",
    "stderr",
    "spawn",
    "output",
    "status",
];

/// Futures that are the same on every run: module if any is named, function, number of arguments.
pub(super) const HARMLESS: &[(&str, &str, usize)] = &[
    ("future", "ready", 1),
    ("future", "pending", 0),
    ("task", "yield_now", 0),
    ("task", "consume_budget", 0),
    ("coop", "consume_budget", 0),
];
