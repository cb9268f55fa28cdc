//! Finds call sites token by token, in macro arguments that are not expressions.

use proc_macro2::{Group, Punct, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::Macro;

use super::Lifter;
use crate::sites::Kind;

impl Lifter<'_> {
    /// Lifts every `step ! ( … )` out of `tokens`.
    pub(super) fn lift_tokens(&mut self, tokens: TokenStream) -> TokenStream {
        let mut output: Vec<TokenTree> = Vec::new();
        let mut rest = tokens.into_iter().peekable();
        while let Some(tree) = rest.next() {
            let is_bang = |next: &TokenTree| matches!(next, TokenTree::Punct(punct) if punct.as_char() == '!');
            match tree {
                TokenTree::Group(group) => {
                    let content = self.lift_tokens(group.stream());
                    let mut lifted = Group::new(group.delimiter(), content);
                    lifted.set_span(group.span());
                    output.push(lifted.into());
                }
                TokenTree::Ident(name) if rest.peek().is_some_and(is_bang) => {
                    let start = path_start(&output);
                    let path: TokenStream = output[start..]
                        .iter()
                        .cloned()
                        .chain([TokenTree::Ident(name.clone())])
                        .collect();
                    let bang = rest.next();
                    match (self.kind_of(path.clone()), rest.next()) {
                        (Some(kind), Some(TokenTree::Group(group))) => {
                            output.truncate(start);
                            output.extend(self.lift_group(kind, path, group));
                        }
                        (_, next) => {
                            output.push(name.into());
                            output.extend(bang);
                            let next = next.map(TokenStream::from).unwrap_or_default();
                            output.extend(self.lift_tokens(next));
                        }
                    }
                }
                other => {
                    if let TokenTree::Ident(name) = &other {
                        self.note_use(name);
                    }
                    output.push(other);
                }
            }
        }
        output.into_iter().collect()
    }

    fn kind_of(&self, path: TokenStream) -> Option<Kind> {
        Kind::of_path(&syn::parse2(path).ok()?, self.krate)
    }

    fn lift_group(&mut self, kind: Kind, path: TokenStream, group: Group) -> TokenStream {
        let bang = Punct::new('!', Spacing::Alone);
        let tokens = path
            .into_iter()
            .chain([bang.into(), TokenTree::Group(group)])
            .collect();
        let Ok(mut mac) = syn::parse2::<Macro>(tokens) else {
            return TokenStream::new();
        };
        self.lift(kind, &mut mac, false);
        mac.into_token_stream()
    }
}

/// Index at which the path begins that `tokens` end with, such as `durable::`.
fn path_start(tokens: &[TokenTree]) -> usize {
    let is_colon =
        |tree: &TokenTree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ':');
    let mut start = tokens.len();
    while start >= 2 && is_colon(&tokens[start - 1]) && is_colon(&tokens[start - 2]) {
        start -= 2;
        if start >= 1 && matches!(tokens[start - 1], TokenTree::Ident(_)) {
            start -= 1;
        }
    }
    start
}
