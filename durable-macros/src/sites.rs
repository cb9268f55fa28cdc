//! The model of a call site: what its macro was given and where it stands.

use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, LitStr, Macro, Pat, Path, Token, token};

use crate::args::{Legal, Options, Shape};
use crate::cfg::Condition;
use crate::name::Name;
use crate::rules::Rule;

/// What a call site does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Step,
    Record,
    Wait,
    Scope,
    Call,
    Execution,
}

const KEY: Legal = Legal {
    name: "key",
    shape: Shape::Expr,
};
const ORDERED: Legal = Legal {
    name: "ordered",
    shape: Shape::Flag,
};
const WAS: Legal = Legal {
    name: "was",
    shape: Shape::Texts,
};
const LABEL: Legal = Legal {
    name: "label",
    shape: Shape::Expr,
};
const CODEC: Legal = Legal {
    name: "codec",
    shape: Shape::Expr,
};
const SECRET: Legal = Legal {
    name: "secret",
    shape: Shape::Flag,
};
const RETRY: Legal = Legal {
    name: "retry",
    shape: Shape::Expr,
};
const TIMEOUT: Legal = Legal {
    name: "timeout",
    shape: Shape::Expr,
};
const AT_MOST_ONCE: Legal = Legal {
    name: "at_most_once",
    shape: Shape::Flag,
};
const MOVE: Legal = Legal {
    name: "move",
    shape: Shape::Flag,
};
const UNTIL: Legal = Legal {
    name: "until",
    shape: Shape::Expr,
};

impl Kind {
    const ALL: [Self; 6] = [
        Self::Step,
        Self::Record,
        Self::Wait,
        Self::Scope,
        Self::Call,
        Self::Execution,
    ];

    /// Name of the macro.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Record => "record",
            Self::Wait => "wait",
            Self::Scope => "scope",
            Self::Call => "call",
            Self::Execution => "execution",
        }
    }

    fn options(self) -> &'static [Legal] {
        match self {
            Self::Step => &[
                KEY,
                ORDERED,
                WAS,
                LABEL,
                CODEC,
                SECRET,
                RETRY,
                TIMEOUT,
                AT_MOST_ONCE,
                MOVE,
            ],
            Self::Record => &[KEY, ORDERED, WAS, LABEL, CODEC, SECRET],
            Self::Wait => &[UNTIL, KEY, ORDERED, WAS, LABEL],
            Self::Scope | Self::Call => &[KEY, ORDERED, WAS, LABEL, CODEC, SECRET],
            Self::Execution => &[],
        }
    }

    /// What stands after name and options.
    fn body(self) -> &'static str {
        match self {
            Self::Step => "the body, such as `read(&path).await`",
            Self::Record => "the expression to record, such as `Uuid::new_v4()`",
            Self::Wait => "a duration, or `until = time`",
            Self::Scope => "a block, such as `{ step!(…).await }`",
            Self::Call => "a call of a durable function, such as `charge(order)`",
            Self::Execution => "nothing",
        }
    }

    /// Whether a recorded outcome stands for running the body.
    pub(crate) fn skips_body(self) -> bool {
        matches!(self, Self::Step | Self::Record | Self::Scope)
    }

    /// Whether it has a place in the history.
    pub(crate) fn is_recorded(self) -> bool {
        self != Self::Execution
    }

    /// The kind that a macro of this path is, if it is one of ours.
    pub(crate) fn of_path(path: &Path, krate: Option<&Path>) -> Option<Self> {
        let words = |path: &Path| {
            path.segments
                .iter()
                .map(|segment| segment.ident.to_string())
                .collect::<Vec<_>>()
        };
        let mut segments = words(path);
        let last = segments.pop()?;
        let ours = segments.is_empty()
            || segments == ["durable"]
            || krate.is_some_and(|krate| words(krate) == segments);
        Self::ALL
            .into_iter()
            .find(|kind| ours && kind.name() == last)
    }
}

/// What a call site's macro was given.
pub(crate) struct Call {
    pub(crate) kind: Kind,
    /// The macro as the user wrote it.
    pub(crate) path: Path,
    pub(crate) name: Option<Name>,
    pub(crate) options: Options,
    /// The `step` of `|step| body`.
    pub(crate) binder: Option<Pat>,
    pub(crate) body: Option<Expr>,
    /// Why it cannot be printed as it is.
    pub(crate) broken: Option<syn::Error>,
    /// What is wrong with it apart from that.
    pub(crate) wrong: Vec<syn::Error>,
}

/// Where a call site stands.
#[derive(Clone, Default)]
pub(crate) struct Place {
    /// Index of the scope around it.
    pub(crate) scope: Option<usize>,
    pub(crate) repeat: Option<Repeat>,
    /// In a closure or an async block, since the function or scope began.
    pub(crate) concurrent: bool,
    pub(crate) refused: Option<Refused>,
    pub(crate) cfgs: Vec<Condition>,
    pub(crate) unawaited: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    Loop,
    Closure,
}

/// A place where no durable call can be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Body(Kind),
    Item,
    Spawned,
}

pub(crate) struct Site {
    pub(crate) call: Call,
    pub(crate) place: Place,
}

impl Call {
    pub(crate) fn parse(kind: Kind, mac: &Macro) -> Self {
        let mut call = Self {
            kind,
            path: mac.path.clone(),
            name: None,
            options: Options::default(),
            binder: None,
            body: None,
            broken: None,
            wrong: Vec::new(),
        };
        let read = |input: ParseStream<'_>| call.read(input);
        if let Err(error) = read.parse2(mac.tokens.clone()) {
            // At the end of the input `syn` has no token to point at but the whole attribute.
            let at_end =
                mac.tokens.is_empty() || error.to_string().starts_with("unexpected end of input");
            call.broken = Some(if at_end {
                Rule::Option.error(
                    &call.path,
                    format!("`{}!` needs {}", kind.name(), kind.body()),
                )
            } else {
                Rule::Option.syntax(&error)
            });
        }
        if call.name.is_none() {
            call.name = Name::derived(kind, call.body.as_ref(), &call.path);
        }
        call
    }

    fn read(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        self.read_name(input)?;
        let owner = format!("`{}!`", self.kind.name());
        self.options = Options::parse(input, self.kind.options(), &owner, &mut self.wrong)?;
        if self.kind == Kind::Step && input.peek(Token![|]) {
            input.parse::<Token![|]>()?;
            self.binder = Some(Pat::parse_single(input)?);
            input.parse::<Token![|]>()?;
        }
        if self.kind == Kind::Execution || self.options.flag("until") {
            return if input.is_empty() {
                Ok(())
            } else {
                Err(self.left_over(input, "nothing else"))
            };
        }
        let fork = input.fork();
        let body: Expr = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        if !input.is_empty() {
            return Err(self.left_over(input, &format!("only {}", self.kind.body())));
        }
        self.body = Some(body);
        self.check_body(&fork)
    }

    /// A text in front is the name: of a body that is nothing but a text there could be no use.
    fn read_name(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let last = || {
            input
                .cursor()
                .token_tree()
                .is_some_and(|(_, rest)| rest.eof())
        };
        if input.peek(LitStr) && (input.peek2(Token![,]) || last()) {
            let name: LitStr = input.parse()?;
            self.name = Some(Name {
                text: name.value(),
                tokens: name.to_token_stream(),
            });
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(())
    }

    fn left_over(&self, input: ParseStream<'_>, takes: &str) -> syn::Error {
        let message = format!(
            "after name and options, `{}!` takes {takes}",
            self.kind.name()
        );
        syn::Error::new(input.span(), message)
    }

    fn check_body(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let fits = match (self.kind, &self.body) {
            (Kind::Scope, Some(body)) => matches!(body, Expr::Block(_)) && input.peek(token::Brace),
            (Kind::Call, Some(Expr::Call(call))) => matches!(&*call.func, Expr::Path(_)),
            (Kind::Call, _) => false,
            _ => true,
        };
        if !fits {
            let message = format!("`{}!` needs {}", self.kind.name(), self.kind.body());
            return Err(syn::Error::new_spanned(&self.body, message));
        }
        match &self.body {
            Some(Expr::Call(call)) if self.kind == Kind::Call && call.args.len() > 1 => {
                let message =
                    "`call!` passes the input only: the callee gets this handler's state by itself";
                Err(syn::Error::new_spanned(&call.args, message))
            }
            _ => Ok(()),
        }
    }
}
