//! Awaits of what is not durable: judged by what the awaited expression holds and by the locals that it comes from.

use quote::ToTokens;
use syn::{Expr, ExprAwait};

use super::Lifter;
use super::changes::Use;
use super::flow::Sources;
use crate::name;
use crate::rules::Rule;
use crate::sites::Refused;

/// The longest text of an awaited expression that a message repeats.
const LONGEST: usize = 50;

impl Lifter<'_> {
    pub(super) fn visit_await(&mut self, one: &mut ExprAwait) {
        let written = one.base.clone();
        let sources = self.gather(|this| this.visit_used(&mut one.base, Use::Awaited));
        self.judge_await(sources, &written, ".await");
    }

    /// Notes that `awaited` is awaited, by `.await` or by the macro around it. What this yields is a value, which
    /// holds no durable call.
    pub(super) fn judge_await(&mut self, sources: Sources, awaited: &Expr, by: &str) {
        let is_replayed = !matches!(
            self.here.refused,
            Some(Refused::Item | Refused::Body(_) | Refused::Spawned)
        );
        if !is_replayed {
            return;
        }
        let is_allowed = self.here.allowed.contains(&Rule::Foreign);
        let error = (!is_allowed).then(|| Rule::Foreign.error(awaited, self.in_step(awaited, by)));
        let inner = self.flow.judge_await(sources, error);
        self.gathered.merge(inner);
    }

    /// Advice to await `awaited` in a step.
    fn in_step(&self, awaited: &Expr, by: &str) -> String {
        let text = written(awaited);
        let name = match name::callee(awaited) {
            Some(_) => "",
            None => "\"name\", ",
        };
        let key = match self.here.repeat {
            Some(_) => "key = …, ",
            None => "",
        };
        let durable = match awaited {
            Expr::Call(_) => format!("; if it is a durable function, write `call!({text}){by}`"),
            Expr::Macro(_) => {
                "; a durable call keeps the name of its macro, such as `step!`".to_owned()
            }
            _ => String::new(),
        };
        format!(
            "`{text}` is not a durable call, so every replay awaits it again and may get another result: await it in a \
             step, `step!({name}{key}{text}.await){by}`, or in `record!` if it cannot fail{durable}"
        )
    }
}

/// `expr` as the user wrote it; the call that it ends with where that is long, or holds macros such as another step.
fn written(expr: &Expr) -> String {
    let tokens = expr.to_token_stream().to_string();
    let text = tokens.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.replace("(& ", "(&").replace(", & ", ", &");
    match name::callee(expr) {
        Some(callee) if text.chars().count() > LONGEST || text.contains('!') => {
            format!("{callee}(…)")
        }
        _ => text,
    }
}
