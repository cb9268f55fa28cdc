//! What is not the same on every replay: recognised by its path, since types are out of sight here.

use syn::{Expr, Path};

use crate::rules::Rule;

/// Something refused outside of steps, with what to write instead.
pub(crate) struct Hazard {
    pub(crate) rule: Rule,
    pub(crate) advice: &'static str,
}

/// Module or type, functions of it (empty: all), and the rule they fall under. The module is compared with the
/// segment before the function, so imported and full paths are both seen.
const PATHS: &[(&str, &[&str], Rule)] = &[
    ("SystemTime", &["now"], Rule::Clock),
    ("Instant", &["now"], Rule::Clock),
    ("Utc", &["now"], Rule::Clock),
    ("Local", &["now"], Rule::Clock),
    ("OffsetDateTime", &["now_utc", "now_local"], Rule::Clock),
    ("Zoned", &["now"], Rule::Clock),
    ("Timestamp", &["now"], Rule::Clock),
    ("rand", &[], Rule::Random),
    ("fastrand", &[], Rule::Random),
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
    ("thread", &["spawn", "scope", "sleep", "park"], Rule::Spawn),
    ("tokio", &["spawn"], Rule::Spawn),
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
        &["select", "select_all", "select_ok"],
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
    ("TcpStream", &["connect"], Rule::Outside),
    ("TcpListener", &["bind"], Rule::Outside),
    ("UdpSocket", &["bind"], Rule::Outside),
    ("UnixStream", &["connect"], Rule::Outside),
    ("reqwest", &["get"], Rule::Outside),
    ("blocking", &["get"], Rule::Outside),
];

/// Functions known well enough to be recognised when called by their bare name.
const CALLS: &[(&str, Rule)] = &[
    ("thread_rng", Rule::Random),
    ("spawn", Rule::Spawn),
    ("spawn_blocking", Rule::Spawn),
    ("spawn_local", Rule::Spawn),
    ("sleep", Rule::Timer),
    ("sleep_until", Rule::Timer),
    ("select_all", Rule::CompletionOrder),
    ("select_ok", Rule::CompletionOrder),
];

const METHODS: &[&str] = &[
    "buffer_unordered",
    "try_buffer_unordered",
    "for_each_concurrent",
    "try_for_each_concurrent",
];
const MACROS: &[&str] = &["select", "select_biased"];

impl Hazard {
    fn new(rule: Rule) -> Self {
        let advice = match rule {
            Rule::Clock => {
                "the clock differs on every replay: read it in `record!(…)`, or use `execution!()`"
            }
            Rule::Random => "a new value is drawn on every replay: draw it in `record!(…)`",
            Rule::Environment => {
                "the environment may differ on replay: read it in `record!(…)`, or pass it in the state"
            }
            Rule::Spawn => {
                "a spawned task outlives replay and is not recorded: do the work in `step!(…)`"
            }
            Rule::Timer => {
                "this timer starts anew on every replay: use `wait!(…)`, an arm of `race!`, or the option `timeout` of `step!`"
            }
            Rule::CompletionOrder => {
                "which one completes first is not replayed: `race!` records the winner, `map!` and `parallel!` run many at \
                 once, `join!` and `join_all` await them all"
            }
            _ => "the world outside may have changed on replay: do this in `step!(…)`",
        };
        Self { rule, advice }
    }
}

/// The hazard that `path` names, whether called or passed on.
pub(crate) fn of_path(path: &Path) -> Option<Hazard> {
    let names: Vec<String> = path
        .segments
        .iter()
        .map(|segment| segment.ident.to_string())
        .collect();
    let (last, modules) = names.split_last()?;
    let before = modules.last()?;
    let in_table = |module: &str, functions: &[&str]| {
        if functions.is_empty() {
            modules.iter().any(|name| name == module)
        } else {
            before == module && functions.contains(&last.as_str())
        }
    };
    PATHS
        .iter()
        .find(|(module, functions, _)| in_table(module, functions))
        .map(|(_, _, rule)| Hazard::new(*rule))
}

/// The hazard in calling `function` by its bare name.
pub(crate) fn of_call(function: &Expr) -> Option<(&Path, Hazard)> {
    let Expr::Path(function) = function else {
        return None;
    };
    let name = function.path.get_ident()?;
    let (_, rule) = CALLS.iter().find(|(known, _)| name == known)?;
    Some((&function.path, Hazard::new(*rule)))
}

pub(crate) fn of_method(name: &syn::Ident) -> Option<Hazard> {
    METHODS
        .iter()
        .any(|known| name == known)
        .then(|| Hazard::new(Rule::CompletionOrder))
}

pub(crate) fn of_macro(path: &Path) -> Option<Hazard> {
    let name = &path.segments.last()?.ident;
    MACROS
        .iter()
        .any(|known| name == known)
        .then(|| Hazard::new(Rule::CompletionOrder))
}

/// Whether a call to `function` hands its arguments to another task or thread.
pub(crate) fn spawns(function: &Expr) -> bool {
    let Expr::Path(function) = function else {
        return false;
    };
    function
        .path
        .segments
        .last()
        .is_some_and(|segment| spawns_by_name(&segment.ident))
}

pub(crate) fn spawns_by_name(name: &syn::Ident) -> bool {
    name.to_string().starts_with("spawn")
}
