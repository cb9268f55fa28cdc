//! Values whose spelling shows that they have the wrong type: literals, ranges and references. The functions that take
//! the values check the types of all others.

use syn::{Expr, Lit, UnOp};

use crate::rules::Rule;
use crate::scan;
use crate::sites::{Call, Kind, Site};

const DURATIONS: [&str; 4] = ["timeout", "heartbeat", "target", "every"];
const COUNTS: [&str; 3] = ["attempts", "concurrency", "max"];
const CODECS: [&str; 4] = ["codec", "state_codec", "input_codec", "result_codec"];
/// Methods that borrow from what they are called on.
const BORROW: [&str; 4] = ["as_str", "as_slice", "as_bytes", "as_path"];

/// The first value given to `call` whose spelling shows a wrong type.
pub(super) fn misfit(call: &Call) -> Option<syn::Error> {
    let option = |name: &&'static str| Some((*name, call.options.expr(name)?));
    let durations = DURATIONS
        .iter()
        .filter_map(option)
        .find_map(|(name, given)| {
            let written = duration(given, |value| format!("`{name} = {value}`"))?;
            let message = format!("`{name}` takes a duration: write {written}");
            Some(Rule::Option.error(given, message))
        });
    let counts = COUNTS.iter().filter_map(option).find_map(|(name, given)| {
        let number = given_literal(given)
            .filter(|one| one.whole().is_none())?
            .digits("3");
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
        .or_else(|| unawaited(call))
}

fn wait(call: &Call) -> Option<syn::Error> {
    let given = call.body.as_ref().filter(|_| call.kind == Kind::Wait)?;
    let written = duration(given, |value| format!("`wait!({value})`"))?;
    let message = format!("`wait!` takes a duration: write {written}");
    Some(Rule::Option.error(given, message))
}

fn policy(call: &Call) -> Option<syn::Error> {
    let literal = |name: &str| {
        let given = call.options.expr(name)?;
        Some((given, given_literal(given)?.digits("3")))
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
    let message = "`()` does not tell runs apart: use a value that does, such as `key = order.id`";
    nothing.then(|| Rule::Option.error(given, message))
}

fn items(call: &Call) -> Option<syn::Error> {
    let items = call.items.as_ref().filter(|_| call.kind == Kind::Batches)?;
    let message = "`batches!` takes a slice, not a range: collect it first, with `let items: Vec<_> = (from..to).collect();`";
    matches!(without_parens(items), Expr::Range(_)).then(|| Rule::Option.error(items, message))
}

/// A body that is an async block. Bodies are async already, so the block itself would be the value.
fn unawaited(call: &Call) -> Option<syn::Error> {
    let body = call.body.as_ref().filter(|_| call.kind.is_leaf())?;
    let message = format!(
        "the body of `{}!` is async already: leave `async` out",
        call.kind.name()
    );
    matches!(body, Expr::Async(_)).then(|| Rule::Option.error(body, message))
}

/// The first reference that the body of `site` ends with. Only a codec of the user's might be able to read it back.
pub(super) fn borrowed(site: &Site, sites: &[Site]) -> Option<syn::Error> {
    let call = &site.call;
    let whole = call.part_of.and_then(|index| sites.get(index));
    let has_codec = |call: &Call| call.options.flag("codec");
    if has_codec(call) || whole.is_some_and(|whole| has_codec(&whole.call)) {
        return None;
    }
    let value = |end| match call.kind {
        Kind::Record => Some(end),
        Kind::Step | Kind::Scope | Kind::Batches | Kind::Branch => value_of(end),
        _ => None,
    };
    let ends = scan::ways_out(call.body.as_ref()?).into_iter();
    let reference = ends.filter_map(value).find(|value| borrows(value))?;
    let message = "a recorded value is read back on replay, so it must be owned, and this is borrowed: add `.to_owned()` \
                   or `.clone()`";
    Some(Rule::Option.error(reference, message))
}

/// The `value` of `Ok(value)`.
fn value_of(end: &Expr) -> Option<&Expr> {
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

/// A literal, perhaps with a minus in front.
struct Literal<'a> {
    lit: &'a Lit,
    negative: bool,
}

impl Literal<'_> {
    /// Digits of a non-negative integer.
    fn whole(&self) -> Option<String> {
        match self.lit {
            Lit::Int(number) if !self.negative => Some(number.base10_digits().to_owned()),
            _ => None,
        }
    }

    /// The number to show in the advice: the one given, if it can be read as an integer.
    fn digits(&self, otherwise: &str) -> String {
        let quoted = match self.lit {
            Lit::Str(text) => text
                .value()
                .parse()
                .ok()
                .map(|number: u32| number.to_string()),
            _ => None,
        };
        self.whole()
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

/// Advice for a literal in the place of a duration.
fn duration(given: &Expr, written: impl Fn(String) -> String) -> Option<String> {
    let literal = given_literal(given)?;
    if let (Lit::Float(seconds), false) = (literal.lit, literal.negative) {
        let digits = seconds.base10_digits();
        return Some(written(format!("Duration::from_secs_f64({digits})")));
    }
    let number = literal.digits("30");
    let units = written(format!("{number}.seconds()"));
    let plain = written(format!("Duration::from_secs({number})"));
    Some(format!("{units} or {plain}"))
}
