//! Recognizes code that may differ on replay, by its path: a macro does not know types.

mod known;

use syn::{Expr, ExprCall, ExprMethodCall, Ident, Path};

use self::known::{
    ATOMIC, BARE_CALLS, CALLS, COMBINATORS, COMMAND, HARMLESS, MACROS, METHODS, ON_DURABLE,
    ORDERINGS, PATHS, STATIC_ACCESS, TYPES,
};
use crate::rules::Rule;

/// Code that is refused outside of steps, with advice on what to write instead.
pub(crate) struct Hazard {
    pub(crate) rule: Rule,
    pub(crate) advice: &'static str,
}

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
                "a spawned task is not recorded, and keeps running when the function suspends: do the work in `step!(…)`"
            }
            Rule::Timer => {
                "this timer starts again on every replay: use `wait!(…)`, an arm of `race!`, or the option `timeout` of `step!`"
            }
            Rule::CompletionOrder => {
                "the order of completion may differ on replay: use `race!`, which records the winner, `map!` or `parallel!`, \
                 or await all of them with `join!` or `join_all`"
            }
            Rule::SharedMemory => {
                "this memory is shared with other executions, and every replay reads or changes it again: use a local \
                 variable, or do this in `step!(…)` or `record!(…)`"
            }
            _ => {
                "files, network and other processes may have changed by the time of a replay: do this in `step!(…)`"
            }
        };
        Self { rule, advice }
    }

    /// Whether an await of the refused expression belongs to the same mistake.
    pub(crate) fn covers_await(&self) -> bool {
        !matches!(
            self.rule,
            Rule::Clock | Rule::Random | Rule::Environment | Rule::HashOrder
        )
    }
}

fn is_in(name: &Ident, list: &[&str]) -> bool {
    list.contains(&name.to_string().as_str())
}

/// The hazard that `path` names, whether it is called or passed as a value.
pub(crate) fn of_path(path: &Path) -> Option<Hazard> {
    let names: Vec<String> = path
        .segments
        .iter()
        .map(|segment| segment.ident.to_string())
        .collect();
    let (last, modules) = names.split_last()?;
    if last == "OsRng" {
        return Some(Hazard::new(Rule::Random));
    }
    let before = modules.last()?;
    if names.ends_with(&["process", "Command", "new"].map(str::to_owned)) {
        return Some(Hazard::new(Rule::Io));
    }
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

/// The hazard in a call of a function without a path.
pub(crate) fn of_call(call: &ExprCall) -> Option<Hazard> {
    let name = bare_name(call)?.to_string();
    let known = CALLS.iter().find(|(known, _)| name == *known);
    let without = || {
        let known = BARE_CALLS.iter().find(|(known, _)| name == *known);
        known.filter(|_| call.args.is_empty())
    };
    if let Some((_, rule)) = known.or_else(without) {
        return Some(Hazard::new(*rule));
    }
    let text =
        matches!(call.args.first(), Some(Expr::Lit(one)) if matches!(one.lit, syn::Lit::Str(_)));
    (name == "var" && text && call.args.len() == 1).then(|| Hazard::new(Rule::Environment))
}

/// The hazard in a call of a function without a path, if an argument is a durable call.
pub(crate) fn of_combinator(call: &ExprCall) -> Option<Hazard> {
    let name = bare_name(call)?.to_string();
    let (_, rule) = COMBINATORS.iter().find(|(known, _)| name == *known)?;
    (call.args.len() == 2).then(|| Hazard::new(*rule))
}

/// The name of the called function, if it has no path.
pub(crate) fn bare_name(call: &ExprCall) -> Option<&Ident> {
    match &*call.func {
        Expr::Path(function) if function.path.segments.len() == 1 => {
            Some(&function.path.segments[0].ident)
        }
        _ => None,
    }
}

pub(crate) fn of_method(call: &ExprMethodCall) -> Option<Hazard> {
    let name = call.method.to_string();
    let on_static = || {
        is_static(&call.receiver)
            && STATIC_ACCESS
                .iter()
                .any(|(known, count)| name == *known && call.args.len() == *count)
    };
    if METHODS.contains(&name.as_str()) {
        Some(Hazard::new(Rule::CompletionOrder))
    } else {
        on_static().then(|| Hazard::new(Rule::SharedMemory))
    }
}

/// The hazard in an operation of an atomic: a method with an `Ordering` argument.
pub(crate) fn of_atomic(call: &ExprMethodCall) -> Option<Hazard> {
    let is_ordering = |expr: &Expr| match expr {
        Expr::Path(one) => one
            .path
            .segments
            .last()
            .is_some_and(|last| is_in(&last.ident, ORDERINGS)),
        _ => false,
    };
    (is_in(&call.method, ATOMIC) && call.args.iter().any(is_ordering))
        .then(|| Hazard::new(Rule::SharedMemory))
}

/// The hazard in a method, if its receiver is a durable call.
pub(crate) fn of_method_on_durable(call: &ExprMethodCall) -> Option<Hazard> {
    let name = call.method.to_string();
    ON_DURABLE
        .iter()
        .find(|(known, count, _)| name == *known && call.args.len() == *count)
        .map(|(_, _, rule)| Hazard::new(*rule))
}

/// The hazard in a method of `std::process::Command` in a chain that begins with `Command::new(…)`.
pub(crate) fn of_command_chain(call: &ExprMethodCall) -> Option<Hazard> {
    fn starts_with_command(expr: &Expr) -> bool {
        match expr {
            Expr::MethodCall(one) => starts_with_command(&one.receiver),
            Expr::Call(one) => makes_command(one),
            _ => false,
        }
    }
    (is_in(&call.method, COMMAND) && starts_with_command(&call.receiver))
        .then(|| Hazard::new(Rule::Io))
}

/// The hazard in `Command::new(program)`.
pub(crate) fn of_command(call: &ExprCall) -> Option<Hazard> {
    makes_command(call).then(|| Hazard::new(Rule::Io))
}

fn makes_command(call: &ExprCall) -> bool {
    let Expr::Path(function) = &*call.func else {
        return false;
    };
    let segments = &function.path.segments;
    segments.len() == 2
        && segments[0].ident == "Command"
        && segments[1].ident == "new"
        && call.args.len() == 1
}

pub(crate) fn of_type(path: &Path) -> Option<Hazard> {
    let name = &path.segments.last()?.ident;
    is_in(name, TYPES).then(|| Hazard::new(Rule::CompletionOrder))
}

pub(crate) fn of_macro(path: &Path) -> Option<Hazard> {
    let name = &path.segments.last()?.ident;
    is_in(name, MACROS).then(|| Hazard::new(Rule::CompletionOrder))
}

/// Whether the future that `call` returns behaves the same on every replay.
pub(crate) fn is_harmless(call: &ExprCall) -> bool {
    let Expr::Path(function) = &*call.func else {
        return false;
    };
    let mut segments = function.path.segments.iter().rev();
    let (last, before) = (segments.next(), segments.next());
    HARMLESS.iter().any(|(module, name, count)| {
        last.is_some_and(|last| last.ident == name)
            && call.args.len() == *count
            && before.is_none_or(|before| before.ident == module)
    })
}

/// Whether `function` is `block_on`, which awaits its argument without `.await`.
pub(crate) fn blocks_on(function: &Expr) -> bool {
    matches!(function, Expr::Path(one) if one.path.segments.last().is_some_and(|last| last.ident == "block_on"))
}

/// Whether `expr` is a path to a `static` or constant, judged by its spelling in upper case.
fn is_static(expr: &Expr) -> bool {
    let Expr::Path(one) = expr else {
        return false;
    };
    one.path.segments.last().is_some_and(|last| {
        let name = last.ident.to_string();
        name.len() > 1 && !name.contains(char::is_lowercase)
    })
}

/// Whether `function` runs its arguments in another task or thread.
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

pub(crate) fn spawns_by_name(name: &Ident) -> bool {
    name.to_string().starts_with("spawn")
}
