//! The kinds of call sites: the names of their macros, their options and properties.

use syn::Path;

use crate::options::{OptionSpec, Shape};

/// Kind of a call site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Step,
    Record,
    Wait,
    Poll,
    Callback,
    Invoke,
    Receive,
    Send,
    Publish,
    Scope,
    Call,
    Map,
    Parallel,
    Race,
    Batches,
    ContinueAs,
    Execution,
    /// A branch of a `map!` or `parallel!`.
    Branch,
    /// The callback inside a `callback!` with the option `submit`.
    InnerCallback,
    /// The step inside a `callback!` that runs its option `submit`.
    Submit,
    /// The option `undo` of a `step!`.
    Undo,
}

const KEY: OptionSpec = OptionSpec::new("key", Shape::Expr);
const ORDERED: OptionSpec = OptionSpec::new("ordered", Shape::Flag);
const WAS: OptionSpec = OptionSpec::new("was", Shape::Texts);
const LABEL: OptionSpec = OptionSpec::new("label", Shape::Expr);
const CODEC: OptionSpec = OptionSpec::new("codec", Shape::Expr);
const SECRET: OptionSpec = OptionSpec::new("secret", Shape::Flag);
const RETRY: OptionSpec = OptionSpec::new("retry", Shape::Expr);
const TIMEOUT: OptionSpec = OptionSpec::new("timeout", Shape::Expr);
const AT_MOST_ONCE: OptionSpec = OptionSpec::new("at_most_once", Shape::Flag);
const MOVE: OptionSpec = OptionSpec::new("move", Shape::Flag);
const UNTIL: OptionSpec = OptionSpec::new("until", Shape::Expr);
const TX: OptionSpec = OptionSpec::new("tx", Shape::Expr);
const UNDO: OptionSpec = OptionSpec::new("undo", Shape::Expr);
const EVERY: OptionSpec = OptionSpec::new("every", Shape::Expr);
const STATE: OptionSpec = OptionSpec::new("state", Shape::Expr);
const ATTEMPTS: OptionSpec = OptionSpec::new("attempts", Shape::Expr);
const HEARTBEAT: OptionSpec = OptionSpec::new("heartbeat", Shape::Expr);
const SUBMIT: OptionSpec = OptionSpec::new("submit", Shape::Expr);
const CONCURRENCY: OptionSpec = OptionSpec::new("concurrency", Shape::Expr);
const COMPLETE: OptionSpec = OptionSpec::new("complete", Shape::Expr);
const FLAT: OptionSpec = OptionSpec::new("flat", Shape::Flag);
const TARGET: OptionSpec = OptionSpec::new("target", Shape::Expr);
const MAX: OptionSpec = OptionSpec::new("max", Shape::Expr);
const STATE_CODEC: OptionSpec = OptionSpec::new("state_codec", Shape::Expr);
const INPUT_CODEC: OptionSpec = OptionSpec::new("input_codec", Shape::Expr);
const RESULT_CODEC: OptionSpec = OptionSpec::new("result_codec", Shape::Expr);
const ITEM_LABEL: OptionSpec = OptionSpec::new("item_label", Shape::Expr);
const FUNCTION: OptionSpec = OptionSpec::new("function", Shape::Expr);
const TENANT: OptionSpec = OptionSpec::new("tenant", Shape::Expr);
const MESSAGE: OptionSpec = OptionSpec::new("message", Shape::Expr);
const WITH: OptionSpec = OptionSpec::new("with", Shape::Expr);

/// Crates that have macros with the names of ours, such as `futures::poll!`.
const FOREIGN_CRATES: [&str; 2] = ["futures", "futures_util"];

impl Kind {
    /// The kinds that have a macro.
    const ALL: [Self; 17] = [
        Self::Step,
        Self::Record,
        Self::Wait,
        Self::Poll,
        Self::Callback,
        Self::Invoke,
        Self::Receive,
        Self::Send,
        Self::Publish,
        Self::Scope,
        Self::Call,
        Self::Map,
        Self::Parallel,
        Self::Race,
        Self::Batches,
        Self::ContinueAs,
        Self::Execution,
    ];

    /// Name of the macro.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Record => "record",
            Self::Wait => "wait",
            Self::Poll => "poll",
            Self::Callback | Self::InnerCallback | Self::Submit => "callback",
            Self::Invoke => "invoke",
            Self::Receive => "receive",
            Self::Send => "send",
            Self::Publish => "publish",
            Self::Scope => "scope",
            Self::Call => "call",
            Self::Map | Self::Branch => "map",
            Self::Parallel => "parallel",
            Self::Race => "race",
            Self::Batches => "batches",
            Self::ContinueAs => "continue_as",
            Self::Execution => "execution",
            Self::Undo => "undo",
        }
    }

    /// The construct as messages refer to it: `` a `step!` ``.
    pub(crate) fn display_name(self) -> String {
        match self {
            Self::Submit => "`submit`".to_owned(),
            Self::Undo => "`undo`".to_owned(),
            _ => format!("a `{}!`", self.name()),
        }
    }

    pub(crate) fn options(self) -> &'static [OptionSpec] {
        match self {
            Self::Step => &[
                KEY,
                ORDERED,
                WAS,
                LABEL,
                WITH,
                CODEC,
                SECRET,
                RETRY,
                TIMEOUT,
                AT_MOST_ONCE,
                TX,
                UNDO,
                MOVE,
            ],
            Self::Record => &[KEY, ORDERED, WAS, LABEL, WITH, CODEC, SECRET],
            Self::Wait => &[UNTIL, KEY, ORDERED, WAS, LABEL, WITH],
            Self::Poll => &[
                EVERY,
                STATE,
                ATTEMPTS,
                TIMEOUT,
                RETRY,
                KEY,
                ORDERED,
                WAS,
                LABEL,
                WITH,
                CODEC,
                STATE_CODEC,
                SECRET,
            ],
            Self::Callback => &[
                TIMEOUT, HEARTBEAT, SUBMIT, RETRY, KEY, ORDERED, WAS, LABEL, WITH, CODEC, SECRET,
            ],
            Self::Invoke => &[
                FUNCTION,
                TENANT,
                KEY,
                ORDERED,
                WAS,
                LABEL,
                WITH,
                CODEC,
                INPUT_CODEC,
                SECRET,
            ],
            Self::Receive => &[
                MESSAGE, TIMEOUT, KEY, ORDERED, WAS, LABEL, WITH, CODEC, SECRET,
            ],
            Self::Send => &[MESSAGE, KEY, ORDERED, WAS, LABEL, WITH],
            Self::Scope | Self::Call => &[KEY, ORDERED, WAS, LABEL, WITH, CODEC, SECRET],
            Self::Map => &[
                KEY,
                ORDERED,
                CONCURRENCY,
                COMPLETE,
                FLAT,
                WAS,
                LABEL,
                WITH,
                ITEM_LABEL,
                CODEC,
                RESULT_CODEC,
                SECRET,
            ],
            Self::Parallel => &[
                KEY,
                ORDERED,
                CONCURRENCY,
                COMPLETE,
                FLAT,
                WAS,
                LABEL,
                WITH,
                CODEC,
                RESULT_CODEC,
                SECRET,
            ],
            Self::Race => &[KEY, ORDERED, WAS, LABEL, WITH],
            Self::Batches => &[TARGET, MAX, RETRY, TIMEOUT, WAS, WITH, CODEC, SECRET],
            Self::ContinueAs
            | Self::Execution
            | Self::Publish
            | Self::Branch
            | Self::InnerCallback
            | Self::Submit
            | Self::Undo => &[],
        }
    }

    /// What the macro takes after its name and options, as messages describe it.
    pub(crate) fn body(self) -> &'static str {
        match self {
            Self::Step => "the body, such as `read(&path).await`",
            Self::Record => "the expression to record, such as `Uuid::new_v4()`",
            Self::Wait => "a duration, or `until = time`",
            Self::Poll => "the body, such as `|state| check(state).await`",
            Self::Invoke => {
                "a call of a durable function, such as `charge(order)`, or its name and input"
            }
            Self::Scope => "a block, such as `{ step!(…).await }`",
            Self::Call => "a call of a durable function, such as `charge(order)`",
            Self::Map => "items and a body, such as `&files, |file| { step!(…).await }`",
            Self::Parallel => "branches, such as `{ \"mail\" => { step!(…).await }, … }`",
            Self::Race => "arms, such as `{ \"late\" => wait!(limit) => None, … }`",
            Self::Batches => "items and a body, such as `rows, |batch| insert(batch).await`",
            Self::ContinueAs => "the next input",
            Self::Publish => "a name and a value, such as `\"progress\", done`",
            Self::Send => "an execution id, a name and a value, such as `&id, \"approved\", true`",
            Self::Callback | Self::InnerCallback | Self::Receive | Self::Execution => "nothing",
            Self::Branch | Self::Submit | Self::Undo => "a body",
        }
    }

    /// Whether a replay returns the recorded outcome without running the body.
    pub(crate) fn skips_body(self) -> bool {
        matches!(
            self,
            Self::Step
                | Self::Record
                | Self::Poll
                | Self::Scope
                | Self::Batches
                | Self::Branch
                | Self::Submit
                | Self::Undo
        )
    }

    /// Whether its body runs as one unit, which cannot contain durable calls.
    pub(crate) fn is_leaf(self) -> bool {
        matches!(
            self,
            Self::Step | Self::Record | Self::Poll | Self::Batches | Self::Submit | Self::Undo
        )
    }

    /// Whether it has a record in the history.
    pub(crate) fn is_recorded(self) -> bool {
        !matches!(self, Self::Execution | Self::ContinueAs | Self::Publish)
    }

    /// Whether it evaluates to a future.
    pub(crate) fn is_awaited(self) -> bool {
        !matches!(self, Self::Execution | Self::Publish)
    }

    /// Whether it is a scope for the call sites in it.
    pub(crate) fn is_scope(self) -> bool {
        matches!(self, Self::Scope | Self::Branch | Self::Race)
    }

    /// Whether it takes items between name and options.
    pub(crate) fn has_items(self) -> bool {
        matches!(self, Self::Map | Self::Batches)
    }

    /// Whether it passes the state on to another handler.
    pub(crate) fn passes_state(self) -> bool {
        matches!(self, Self::Call | Self::Invoke)
    }

    /// The kind of the macro at this path, if it is one of ours. Only the last segment counts, because the crate may be
    /// renamed and macros re-exported.
    pub(crate) fn of_path(path: &Path, krate: Option<&Path>) -> Option<Self> {
        let words = |path: &Path| {
            path.segments
                .iter()
                .map(|segment| segment.ident.to_string())
                .collect::<Vec<_>>()
        };
        let mut segments = words(path);
        let last = segments.pop()?;
        let is_foreign = segments
            .first()
            .is_some_and(|first| FOREIGN_CRATES.contains(&first.as_str()));
        let ours = !is_foreign || krate.is_some_and(|krate| words(krate) == segments);
        Self::ALL
            .into_iter()
            .find(|kind| ours && kind.name() == last)
    }
}
