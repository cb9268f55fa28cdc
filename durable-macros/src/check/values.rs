//! Checks values whose spelling shows a wrong type: literals, ranges and references. rustc checks the types of all other
//! values.

use syn::{Expr, Lit, UnOp};

use crate::rules::Rule;
use crate::scan;
use crate::sites::{Call, Kind, Site};

const DURATIONS: [&str; 4] = ["timeout", "heartbeat", "target", "every"];
const COUNTS: [&str; 3] = ["attempts", "concurrency", "max"];
const CODECS: [&str; 4] = ["codec", "state_codec", "input_codec", "result_codec"];
/// Methods that borrow from the receiver.
const BORROW: [&str; 4] = ["as_str", "as_slice", "as_bytes", "as_path"];

/// The first argument of `call` whose spelling shows a wrong type.
pub(super) fn wrong_value(call: &Call) -> Option<syn::Error> {
    let option = |name: &&'static str| Some((*name, call.options.expr(name)?));
    let durations = DURATIONS
        .iter()
        .filter_map(option)
        .find_map(|(name, given)| {
            let suggest = duration(given, |value| format!("`{name} = {value}`"))?;
            let message = format!("`{name}` takes a duration: write {suggest}");
            Some(Rule::Option.error(given, message))
        });
    let counts = COUNTS.iter().filter_map(option).find_map(|(name, given)| {
        let number = given_literal(given)
            .filter(|one| one.integer().is_none())?
            .suggested_number("3");
        let message = format!("`{name}` takes a whole number: write `{name} = {number}`");
        Some(Rule::Option.error(given, message))
    });
    let codecs = CODECS.iter().filter_map(option).find_map(|(name, given)| {
        given_literal(given)?;
        let message = format!("`{name}` takes a codec value, such as `{name} = Text`");
        Some(Rule::Option.error(given, message))
    });
    durations
        .or(counts)
        .or(codecs)
        .or_else(|| wait(call))
        .or_else(|| policy(call))
        .or_else(|| key(call))
        .or_else(|| items(call))
        .or_else(|| async_block(call))
}

fn wait(call: &Call) -> Option<syn::Error> {
    let given = call.body.as_ref().filter(|_| call.kind == Kind::Wait)?;
    let suggest = duration(given, |value| format!("`wait!({value})`"))?;
    let message = format!("`wait!` takes a duration: write {suggest}");
    Some(Rule::Option.error(given, message))
}

fn policy(call: &Call) -> Option<syn::Error> {
    let literal = |name: &str| {
        let given = call.options.expr(name)?;
        Some((given, given_literal(given)?.suggested_number("3")))
    };
    let retry = literal("retry").map(|(given, number)| {
        let message = format!(
            "`retry` takes a retry policy: write `retry = Retry::exponential().attempts({number})`, or `Retry::none()`"
        );
        Rule::Option.error(given, message)
    });
    retry.or_else(|| {
        let (given, number) = literal("complete")?;
        let message = format!(
            "`complete` takes a completion rule: write `complete = Complete::all().min_successful({number})`, or \
             `Complete::first_success()`"
        );
        Some(Rule::Option.error(given, message))
    })
}

fn key(call: &Call) -> Option<syn::Error> {
    let given = call.key()?;
    let nothing = matches!(given, Expr::Tuple(parts) if parts.elems.is_empty());
    let message =
        "`()` is the same key for every run: use a value that differs, such as `key = order.id`";
    nothing.then(|| Rule::Option.error(given, message))
}

fn items(call: &Call) -> Option<syn::Error> {
    let items = call.items.as_ref().filter(|_| call.kind == Kind::Batches)?;
    let message = "`batches!` takes a slice, not a range: collect it first, with `let items: Vec<_> = (from..to).collect();`";
    matches!(without_parens(items), Expr::Range(_)).then(|| Rule::Option.error(items, message))
}

/// The body, if it is an async block. Bodies are async already, so the block itself would be the value.
fn async_block(call: &Call) -> Option<syn::Error> {
    let body = call.body.as_ref().filter(|_| call.kind.is_leaf())?;
    let message = format!(
        "the body of `{}!` is async already: remove `async`",
        call.kind.name()
    );
    matches!(body, Expr::Async(_)).then(|| Rule::Option.error(body, message))
}

/// The first reference among the values that the body of `site` returns. Only a custom codec could decode it.
pub(super) fn borrowed(site: &Site, sites: &[Site]) -> Option<syn::Error> {
    let call = &site.call;
    let parent = call.parent.and_then(|index| sites.get(index));
    let has_codec = |call: &Call| call.options.flag("codec");
    if has_codec(call) || parent.is_some_and(|parent| has_codec(&parent.call)) {
        return None;
    }
    let value = |end| match call.kind {
        Kind::Record => Some(end),
        Kind::Step | Kind::Scope | Kind::Batches | Kind::Branch => ok_value(end),
        _ => None,
    };
    let ends = scan::exit_expressions(call.body.as_ref()?).into_iter();
    let reference = ends.filter_map(value).find(|value| borrows(value))?;
    let message = "this value is borrowed, but a replay decodes it from the record, so it must be owned: add `.to_owned()` or \
                   `.clone()`";
    Some(Rule::Option.error(reference, message))
}

/// The `value` of `Ok(value)`.
fn ok_value(end: &Expr) -> Option<&Expr> {
    match end {
        Expr::Call(call) => match &*call.func {
            Expr::Path(function) if function.path.segments.last()?.ident == "Ok" => {
                call.args.first()
            }
            _ => None,
        },
        _ => None,
    }
}

fn borrows(value: &Expr) -> bool {
    match without_parens(value) {
        Expr::Reference(_) => true,
        Expr::Lit(one) => matches!(one.lit, Lit::Str(_) | Lit::ByteStr(_)),
        Expr::MethodCall(one) => BORROW.iter().any(|name| one.method == name),
        _ => false,
    }
}

fn without_parens(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(one) => without_parens(&one.expr),
        Expr::Group(one) => without_parens(&one.expr),
        _ => expr,
    }
}

/// Literal, possibly negative.
struct Literal<'a> {
    lit: &'a Lit,
    negative: bool,
}

impl Literal<'_> {
    /// The digits, if it is a non-negative integer.
    fn integer(&self) -> Option<String> {
        match self.lit {
            Lit::Int(number) if !self.negative => Some(number.base10_digits().to_owned()),
            _ => None,
        }
    }

    /// The number for the advice: the given one, if it is an integer, also in quotes.
    fn suggested_number(&self, otherwise: &str) -> String {
        let quoted = match self.lit {
            Lit::Str(text) => text
                .value()
                .parse()
                .ok()
                .map(|number: u32| number.to_string()),
            _ => None,
        };
        self.integer()
            .or(quoted)
            .unwrap_or_else(|| otherwise.to_owned())
    }
}

fn given_literal(given: &Expr) -> Option<Literal<'_>> {
    match without_parens(given) {
        Expr::Lit(one) => Some(Literal {
            lit: &one.lit,
            negative: false,
        }),
        Expr::Unary(one) if matches!(one.op, UnOp::Neg(_)) => {
            let Literal { lit, negative } = given_literal(&one.expr)?;
            Some(Literal {
                lit,
                negative: !negative,
            })
        }
        _ => None,
    }
}

/// The expressions to write instead of a literal that should be a duration.
fn duration(given: &Expr, suggest: impl Fn(String) -> String) -> Option<String> {
    let literal = given_literal(given)?;
    if let (Lit::Float(seconds), false) = (literal.lit, literal.negative) {
        let digits = seconds.base10_digits();
        return Some(suggest(format!("Duration::from_secs_f64({digits})")));
    }
    let number = literal.suggested_number("30");
    let units = suggest(format!("{number}.seconds()"));
    let plain = suggest(format!("Duration::from_secs({number})"));
    Some(format!("{units} or {plain}"))
}
