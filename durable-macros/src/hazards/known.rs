//! Tables of the functions, methods and macros that are recognized as hazards.

use crate::rules::Rule;

/// Module or type, its functions (empty: all), and the rule they break. The module is compared with the path segment
/// before the function, so both imported and full paths match.
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
    ("fs", &[], Rule::Io),
    (
        "File",
        &["open", "create", "create_new", "options"],
        Rule::Io,
    ),
    ("OpenOptions", &["new"], Rule::Io),
    ("io", &["stdin"], Rule::Io),
    ("TcpStream", &["connect"], Rule::Io),
    ("TcpListener", &["bind"], Rule::Io),
    ("UdpSocket", &["bind"], Rule::Io),
    ("UnixStream", &["connect"], Rule::Io),
    ("UnixListener", &["bind"], Rule::Io),
    ("reqwest", &["get"], Rule::Io),
    ("blocking", &["get"], Rule::Io),
    ("ureq", &[], Rule::Io),
];

/// Functions with names distinctive enough to be recognized without a path.
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
    ("read_to_string", Rule::Io),
    ("read_dir", Rule::Io),
    ("create_dir", Rule::Io),
    ("create_dir_all", Rule::Io),
    ("remove_file", Rule::Io),
    ("remove_dir_all", Rule::Io),
];

/// Functions that are recognized without a path if they are called without arguments.
pub(super) const BARE_CALLS: &[(&str, Rule)] = &[
    ("random", Rule::Random),
    ("rng", Rule::Random),
    ("stdin", Rule::Io),
];

/// Functions with common names, recognized only if an argument is a durable call.
pub(super) const COMBINATORS: &[(&str, Rule)] = &[
    ("timeout", Rule::Timer),
    ("timeout_at", Rule::Timer),
    ("select", Rule::CompletionOrder),
    ("try_select", Rule::CompletionOrder),
    ("race", Rule::CompletionOrder),
];

/// Methods that complete a stream's futures in no fixed order.
pub(super) const METHODS: &[&str] = &[
    "buffer_unordered",
    "try_buffer_unordered",
    "for_each_concurrent",
    "try_for_each_concurrent",
];

/// Methods refused on a durable call: name, number of arguments, rule.
pub(super) const ON_DURABLE: &[(&str, usize, Rule)] = &[
    ("timeout", 1, Rule::Timer),
    ("timeout_at", 1, Rule::Timer),
    ("race", 1, Rule::CompletionOrder),
    ("now_or_never", 0, Rule::CompletionOrder),
];

/// Types that yield results in the order of completion.
pub(super) const TYPES: &[&str] = &["FuturesUnordered", "SelectAll"];

pub(super) const MACROS: &[&str] = &["select", "select_biased"];

/// Operations of atomics, recognized together with an `Ordering` argument.
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

/// Methods that give access to the content of a `static`: name, number of arguments.
pub(super) const STATIC_ACCESS: &[(&str, usize)] = &[
    ("lock", 0),
    ("try_lock", 0),
    ("read", 0),
    ("write", 0),
    ("borrow", 0),
    ("borrow_mut", 0),
    ("with_borrow", 1),
    ("with_borrow_mut", 1),
];

/// Methods by which `Command::new(…)` is recognized as `std::process::Command`.
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

/// Functions whose futures behave the same on every replay: module (if the path has one), function, number of
/// arguments.
pub(super) const HARMLESS: &[(&str, &str, usize)] = &[
    ("future", "ready", 1),
    ("future", "pending", 0),
    ("task", "yield_now", 0),
    ("task", "consume_budget", 0),
    ("coop", "consume_budget", 0),
];
