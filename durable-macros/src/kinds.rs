//! The forms: what each is called and takes.

use syn::Path;

use crate::args::{Legal, Shape};

/// What a call site does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Step,
    Record,
    Wait,
    Poll,
    Callback,
    Invoke,
    Scope,
    Call,
    Map,
    Parallel,
    Race,
    Batches,
    ContinueAs,
    Execution,
    /// The body of a `map!`, or one of a `parallel!`.
    Branch,
    /// The callback of a `callback!` that has a `submit`.
    Answer,
    /// What `submit` of a `callback!` does.
    Submit,
    /// What `undo` of a `step!` does.
    Undo,
}

const KEY: Legal = Legal::new("key", Shape::Expr);
const ORDERED: Legal = Legal::new("ordered", Shape::Flag);
const WAS: Legal = Legal::new("was", Shape::Texts);
const LABEL: Legal = Legal::new("label", Shape::Expr);
const CODEC: Legal = Legal::new("codec", Shape::Expr);
const SECRET: Legal = Legal::new("secret", Shape::Flag);
const RETRY: Legal = Legal::new("retry", Shape::Expr);
const TIMEOUT: Legal = Legal::new("timeout", Shape::Expr);
const AT_MOST_ONCE: Legal = Legal::new("at_most_once", Shape::Flag);
const MOVE: Legal = Legal::new("move", Shape::Flag);
const UNTIL: Legal = Legal::new("until", Shape::Expr);
const UNDO: Legal = Legal::new("undo", Shape::Expr);
const EVERY: Legal = Legal::new("every", Shape::Expr);
const STATE: Legal = Legal::new("state", Shape::Expr);
const ATTEMPTS: Legal = Legal::new("attempts", Shape::Expr);
const HEARTBEAT: Legal = Legal::new("heartbeat", Shape::Expr);
const SUBMIT: Legal = Legal::new("submit", Shape::Expr);
const CONCURRENCY: Legal = Legal::new("concurrency", Shape::Expr);
const COMPLETE: Legal = Legal::new("complete", Shape::Expr);
const FLAT: Legal = Legal::new("flat", Shape::Flag);
const TARGET: Legal = Legal::new("target", Shape::Expr);
const MAX: Legal = Legal::new("max", Shape::Expr);
const STATE_CODEC: Legal = Legal::new("state_codec", Shape::Expr);
const INPUT_CODEC: Legal = Legal::new("input_codec", Shape::Expr);
const RESULT_CODEC: Legal = Legal::new("result_codec", Shape::Expr);
const ITEM_LABEL: Legal = Legal::new("item_label", Shape::Expr);
const FUNCTION: Legal = Legal::new("function", Shape::Expr);
const TENANT: Legal = Legal::new("tenant", Shape::Expr);
const WITH: Legal = Legal::new("with", Shape::Expr);

/// Crates with macros of the same names, such as `futures::poll!`.
const OTHERS: [&str; 2] = ["futures", "futures_util"];

impl Kind {
    /// Those that have a macro.
    const ALL: [Self; 14] = [
        Self::Step,
        Self::Record,
        Self::Wait,
        Self::Poll,
        Self::Callback,
        Self::Invoke,
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
            Self::Callback | Self::Answer | Self::Submit => "callback",
            Self::Invoke => "invoke",
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

    /// The same, as messages write it.
    pub(crate) fn display_name(self) -> String {
        match self {
            Self::Submit => "`submit`".to_owned(),
            Self::Undo => "`undo`".to_owned(),
            _ => format!("a `{}!`", self.name()),
        }
    }

    pub(crate) fn options(self) -> &'static [Legal] {
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
            | Self::Branch
            | Self::Answer
            | Self::Submit
            | Self::Undo => &[],
        }
    }

    /// What stands after name and options.
    pub(crate) fn body(self) -> &'static str {
        match self {
            Self::Step => "the body, such as `read(&path).await`",
            Self::Record => "the expression to record, such as `Uuid::new_v4()`",
            Self::Wait => "a duration, or `until = time`",
            Self::Poll => "the body, such as `|state| check(state).await`",
            Self::Invoke => {
                "a call of a durable function, such as `charge(order)`, or its name and its input"
            }
            Self::Scope => "a block, such as `{ step!(…).await }`",
            Self::Call => "a call of a durable function, such as `charge(order)`",
            Self::Map => "items and a body, such as `&files, |file| { step!(…).await }`",
            Self::Parallel => "branches, such as `{ \"mail\" => { step!(…).await }, … }`",
            Self::Race => "arms, such as `{ \"late\" => wait!(limit) => None, … }`",
            Self::Batches => "items and a body, such as `rows, |batch| insert(batch).await`",
            Self::ContinueAs => "the next input",
            Self::Callback | Self::Answer | Self::Execution => "nothing",
            Self::Branch | Self::Submit | Self::Undo => "a body",
        }
    }

    /// Whether a recorded outcome stands for running the body.
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

    /// Whether durable calls may not stand in its body, which runs as one piece.
    pub(crate) fn is_leaf(self) -> bool {
        matches!(
            self,
            Self::Step | Self::Record | Self::Poll | Self::Batches | Self::Submit | Self::Undo
        )
    }

    /// Whether it has a place in the history.
    pub(crate) fn is_recorded(self) -> bool {
        !matches!(self, Self::Execution | Self::ContinueAs)
    }

    /// Whether it is a future.
    pub(crate) fn is_awaited(self) -> bool {
        self != Self::Execution
    }

    /// Whether its call sites stand in a scope of their own.
    pub(crate) fn is_scope(self) -> bool {
        matches!(self, Self::Scope | Self::Branch | Self::Race)
    }

    /// Whether items come between name and options.
    pub(crate) fn has_items(self) -> bool {
        matches!(self, Self::Map | Self::Batches)
    }

    /// Whether it runs another handler with this one's state.
    pub(crate) fn passes_state(self) -> bool {
        matches!(self, Self::Call | Self::Invoke)
    }

    /// The kind of the macro at this path, if it is one of ours. Only the last segment counts, because the crate may be
    /// renamed and the macro re-exported.
    pub(crate) fn of_path(path: &Path, krate: Option<&Path>) -> Option<Self> {
        let words = |path: &Path| {
            path.segments
                .iter()
                .map(|segment| segment.ident.to_string())
                .collect::<Vec<_>>()
        };
        let mut segments = words(path);
        let last = segments.pop()?;
        let others = segments
            .first()
            .is_some_and(|first| OTHERS.contains(&first.as_str()));
        let ours = !others || krate.is_some_and(|krate| words(krate) == segments);
        Self::ALL
            .into_iter()
            .find(|kind| ours && kind.name() == last)
    }
}
