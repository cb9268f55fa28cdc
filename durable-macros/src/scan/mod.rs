//! Read-only queries about a piece of a body: the function it calls, its exits, jumps and error type.

mod exits;

use syn::visit::Visit;
use syn::{Expr, Macro};

use crate::expressions::Expressions;

pub(crate) use exits::{
    always_ends_with_ok, exit_expressions, names_error, outward_jumps, uses_try,
};

/// Visits the arguments of a macro if they are expressions. The expansion of the macro is unknown here.
fn visit_arguments<'ast>(visitor: &mut impl for<'a> Visit<'a>, mac: &'ast Macro) {
    if let Ok(arguments) = mac.parse_body::<Expressions>() {
        arguments.items.iter().for_each(|expr| match expr {
            // In a macro, `name = value` is a named argument, not an assignment.
            Expr::Assign(named) => visitor.visit_expr(&named.right),
            other => visitor.visit_expr(other),
        });
    }
}

/// The name of the called function, or `None` if the call constructs a variant such as `Ok(…)`.
pub(crate) fn called_function(call: &syn::ExprCall) -> Option<&syn::Ident> {
    let Expr::Path(function) = &*call.func else {
        return None;
    };
    let name = &function.path.segments.last()?.ident;
    (!name.to_string().starts_with(char::is_uppercase)).then_some(name)
}

/// Whether `path` is `From::from` or `Into::into`, whose result type depends on the context.
pub(crate) fn is_conversion(path: &syn::Path) -> bool {
    let mut words = path.segments.iter().rev().map(|one| &one.ident);
    matches!((words.next(), words.next()), (Some(last), Some(before))
        if (last == "from" && before == "From") || (last == "into" && before == "Into"))
}
