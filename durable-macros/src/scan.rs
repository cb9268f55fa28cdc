//! Read-only looks at a piece of the body: what it calls, jumps out of and propagates.

mod exits;

use syn::visit::Visit;
use syn::{Expr, Macro};

use crate::args::Expressions;

pub(crate) use exits::{jumps_out, names_error, only_ends_well, uses_try, ways_out};

/// Visits the arguments of a macro where they are expressions. What it expands to is out of sight.
fn visit_arguments<'ast>(visitor: &mut impl for<'a> Visit<'a>, mac: &'ast Macro) {
    if let Ok(arguments) = mac.parse_body::<Expressions>() {
        arguments.items.iter().for_each(|expr| match expr {
            // `name = value` is an argument's name here, not an assignment.
            Expr::Assign(named) => visitor.visit_expr(&named.right),
            other => visitor.visit_expr(other),
        });
    }
}

/// The function that `call` calls; none when it builds a variant such as `Ok(…)`.
pub(crate) fn called_function(call: &syn::ExprCall) -> Option<&syn::Ident> {
    let Expr::Path(function) = &*call.func else {
        return None;
    };
    let name = &function.path.segments.last()?.ident;
    (!name.to_string().starts_with(char::is_uppercase)).then_some(name)
}

/// Whether `path` is `From::from` or `Into::into`, whose result is of whatever type is asked for.
pub(crate) fn converts(path: &syn::Path) -> bool {
    let mut words = path.segments.iter().rev().map(|one| &one.ident);
    matches!((words.next(), words.next()), (Some(last), Some(before))
        if (last == "from" && before == "From") || (last == "into" && before == "Into"))
}
