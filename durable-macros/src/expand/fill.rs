//! Replaces placeholders by their call sites, and the operands of refused awaits by errors.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree, token_stream};

use super::Printer;
use crate::body::{AWAITED, PLACEHOLDER};

impl Printer<'_> {
    /// Errors of refused awaits that are not printed in place of an operand.
    pub(super) fn unprinted_errors(&self) -> TokenStream {
        let printed = self.printed.borrow();
        let awaits = self.report.awaits().iter();
        let left = awaits.filter(|(number, _)| !printed.contains(number));
        left.map(|(_, error)| error.to_compile_error()).collect()
    }

    /// The operand of an await, if `group` is one that `body` has marked.
    fn awaited(&self, group: &Group) -> Option<Awaited> {
        let mut content = group.stream().into_iter();
        let (_, Some(TokenTree::Group(mark))) = (content.next()?, content.next()) else {
            return None;
        };
        let mut mark = mark.stream().into_iter();
        if !matches!(mark.next()?, TokenTree::Ident(name) if name == AWAITED) {
            return None;
        }
        let (TokenTree::Group(number), TokenTree::Group(operand)) = (mark.next()?, content.next()?)
        else {
            return None;
        };
        let number = number.stream().to_string().parse().ok()?;
        match self.report.awaits().get(&number) {
            Some(error) => {
                self.printed.borrow_mut().insert(number);
                Some(Awaited::Refused(in_parens(error)))
            }
            None => Some(Awaited::Accepted(self.fill(operand.stream()))),
        }
    }

    /// Replaces every placeholder in `tokens` by its call site, and every refused await by its error.
    pub(super) fn fill(&self, tokens: TokenStream) -> TokenStream {
        let mut output = TokenStream::new();
        let mut rest = tokens.into_iter();
        while let Some(tree) = rest.next() {
            match tree {
                TokenTree::Ident(name) if name == PLACEHOLDER => {
                    let index = rest.nth(1).and_then(|group| match group {
                        TokenTree::Group(group) => group.stream().to_string().parse().ok(),
                        _ => None,
                    });
                    output.extend(index.and_then(|index| self.site(index)));
                }
                TokenTree::Group(group) => match self.awaited(&group) {
                    Some(Awaited::Accepted(operand)) => output.extend(operand),
                    Some(Awaited::Refused(error)) => {
                        output.extend(error);
                        skip_postfix(&mut rest);
                    }
                    None => {
                        let content = self.fill(group.stream());
                        let mut filled = Group::new(group.delimiter(), content);
                        filled.set_span(group.span());
                        output.extend([TokenTree::from(filled)]);
                    }
                },
                other => output.extend([other]),
            }
        }
        output
    }
}

/// Printed operand of an await.
enum Awaited {
    Accepted(TokenStream),
    /// The error in place of the operand.
    Refused(TokenStream),
}

/// `error` as a macro call in parentheses, which is an expression also at the start of a statement.
fn in_parens(error: &syn::Error) -> TokenStream {
    let with_parens = |tree| match tree {
        TokenTree::Group(group) => {
            let mut parens = Group::new(Delimiter::Parenthesis, group.stream());
            parens.set_span(group.span());
            parens.into()
        }
        other => other,
    };
    let tokens = error.to_compile_error().into_iter();
    tokens.map(with_parens).collect()
}

/// Skips the postfix operators of an expression: `.await`, `?`, fields, methods, indexes, calls. rustc infers the type of
/// `error.await?`, and a failure would be another error. It does not infer the type of the error itself.
fn skip_postfix(rest: &mut token_stream::IntoIter) {
    loop {
        let mut ahead = rest.clone();
        match (ahead.next(), ahead.next()) {
            (Some(TokenTree::Punct(one)), _) if one.as_char() == '?' => {
                rest.next();
            }
            (Some(TokenTree::Punct(one)), Some(TokenTree::Ident(_) | TokenTree::Literal(_)))
                if one.as_char() == '.' =>
            {
                rest.nth(1);
                skip_turbofish(rest);
            }
            (Some(TokenTree::Group(group)), _)
                if matches!(
                    group.delimiter(),
                    Delimiter::Parenthesis | Delimiter::Bracket
                ) =>
            {
                rest.next();
            }
            _ => return,
        }
    }
}

/// Skips `::<types>`.
fn skip_turbofish(rest: &mut token_stream::IntoIter) {
    let mut ahead = rest.clone();
    let mut is_next =
        |wanted| matches!(ahead.next(), Some(TokenTree::Punct(one)) if one.as_char() == wanted);
    if !(is_next(':') && is_next(':') && is_next('<')) {
        return;
    }
    let (mut depth, mut after_dash) = (1_usize, false);
    while depth > 0 {
        let Some(tree) = ahead.next() else {
            return;
        };
        let TokenTree::Punct(one) = tree else {
            after_dash = false;
            continue;
        };
        match one.as_char() {
            '<' => depth += 1,
            // Not the end of `->`.
            '>' if !after_dash => depth -= 1,
            _ => {}
        }
        after_dash = one.as_char() == '-';
    }
    *rest = ahead;
}
