//! Parses the arguments of a call site's macro.

mod option_checks;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, Ident, LitStr, Macro, Pat, Token, braced, token};

use crate::name::Name;
use crate::options::Options;
use crate::rules::Rule;
use crate::sites::{Arm, Call, Kind};

impl Call {
    pub(crate) fn parse(kind: Kind, mac: &Macro) -> Self {
        let mut call = Self::new(kind, &mac.path);
        let read = |input: ParseStream<'_>| call.read(input);
        if let Err(error) = read.parse2(mac.tokens.clone()) {
            // At the end of the input `syn` points at the whole attribute. Point at the macro instead.
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
            call.name = Name::derived(&call);
        }
        call
    }

    fn read(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        if self.kind == Kind::Send {
            self.items = Some(input.parse()?);
            input.parse::<Token![,]>()?;
        }
        if self.kind != Kind::ContinueAs {
            self.read_name(input)?;
        }
        if self.kind == Kind::Parallel && has_closure(input)? {
            // Branches created at run time: a `map!` that histories call `parallel`.
            (self.kind, self.is_parallel_list) = (Kind::Map, true);
        }
        if self.kind.has_items() {
            self.items = Some(input.parse()?);
            if input.is_empty() {
                return Err(self.needs_body(&self.path));
            }
            input.parse::<Token![,]>()?;
        }
        let owner = format!("`{}!`", self.kind.name());
        self.options = Options::parse(input, self.kind.options(), &owner, &mut self.errors)?;
        self.check_labels()?;
        self.check_retry();
        self.read_binder(input)?;
        self.check_tx()?;
        match self.kind {
            Kind::Execution | Kind::Callback | Kind::Receive => {
                return self.expect_end(input, "nothing else");
            }
            Kind::Wait if self.options.flag("until") => {
                return self.expect_end(input, "nothing else");
            }
            Kind::Parallel | Kind::Race => {
                self.read_arms(input)?;
                input.parse::<Option<Token![,]>>()?;
                return self.expect_end(input, &format!("only {}", self.kind.body()));
            }
            Kind::Invoke if self.options.flag("function") && input.is_empty() => return Ok(()),
            Kind::Invoke if !self.options.flag("function") && input.peek(LitStr) => {
                self.function = Some(input.parse()?);
                input.parse::<Option<Token![,]>>()?;
                if input.is_empty() {
                    return Ok(());
                }
            }
            _ => {}
        }
        let fork = input.fork();
        self.body = Some(input.parse()?);
        input.parse::<Option<Token![,]>>()?;
        self.expect_end(input, &format!("only {}", self.kind.body()))?;
        self.check_body(&fork)
    }

    fn needs_body(&self, tokens: impl ToTokens) -> syn::Error {
        let message = format!("`{}!` needs {}", self.kind.name(), self.kind.body());
        syn::Error::new_spanned(tokens, message)
    }

    fn read_binder(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let binds = matches!(
            self.kind,
            Kind::Step | Kind::Poll | Kind::Map | Kind::Batches
        );
        if binds && input.peek(Token![|]) {
            input.parse::<Token![|]>()?;
            self.binder = Some(Pat::parse_single(input)?);
            if input.peek(Token![,]) && self.options.flag("tx") {
                let message = "the body of a `step!` with `tx` has one parameter, the transaction: write `|tx| …`";
                return Err(input.error(message));
            }
            input.parse::<Token![|]>()?;
        } else if self.kind.has_items() {
            return Err(self.needs_body(input.parse::<Expr>()?));
        }
        Ok(())
    }

    fn read_arms(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let content;
        let brace = braced!(content in input);
        while !content.is_empty() {
            let arm = self.read_arm(&content)?;
            let is_block = matches!(
                arm.then.as_ref().or(arm.body.as_ref()),
                Some(Expr::Block(_))
            );
            if let Some(first) = self
                .arms
                .iter()
                .find(|one| one.name.value() == arm.name.value())
            {
                let line = first.name.span().start().line;
                let message = format!(
                    "the name \"{}\" is already used in line {line}: replay finds records by name, so use another one",
                    arm.name.value()
                );
                self.errors.push(Rule::Duplicate.error(&arm.name, message));
            }
            self.arms.push(arm);
            if !content.is_empty() && (!is_block || content.peek(Token![,])) {
                content.parse::<Token![,]>()?;
            }
        }
        let min_arms = if self.kind == Kind::Race { 2 } else { 1 };
        if self.arms.len() < min_arms {
            let message = if min_arms == 2 {
                "`race!` needs at least two arms: await a single future directly"
            } else {
                "`parallel!` needs at least one branch"
            };
            return Err(syn::Error::new(brace.span.join(), message));
        }
        Ok(())
    }

    fn read_arm(&self, input: ParseStream<'_>) -> syn::Result<Arm> {
        let name: LitStr = input.parse().map_err(|_| {
            let message =
                "expected a name as a string literal, such as `\"late\" => …`: replay finds records by name";
            input.error(message)
        })?;
        input.parse::<Token![=>]>()?;
        if self.kind == Kind::Parallel {
            let body = Some(input.parse()?);
            let (pat, then) = (None, None);
            return Ok(Arm {
                name,
                pat,
                body,
                then,
            });
        }
        Self::read_race_arm(name, input)
    }

    /// `[pattern =] future => expression` of a `race!`.
    fn read_race_arm(name: LitStr, input: ParseStream<'_>) -> syn::Result<Arm> {
        let fork = input.fork();
        let is_bound = Pat::parse_single(&fork).is_ok()
            && fork.peek(Token![=])
            && !fork.peek(Token![=>])
            && !fork.peek(Token![==]);
        let mut pat = None;
        if is_bound {
            pat = Some(Pat::parse_single(input)?);
            input.parse::<Token![=]>()?;
        }
        let body = Some(input.parse()?);
        if !input.peek(Token![=>]) {
            let message = "the expression to evaluate if this arm wins is missing: write `\"name\" => future => expression`";
            return Err(input.error(message));
        }
        input.parse::<Token![=>]>()?;
        let then = Some(input.parse()?);
        if input.peek(Token![=>]) {
            let message = "the pattern for the future's output comes before the future: write \
                           `\"name\" => pattern = future => expression`";
            return Err(input.error(message));
        }
        Ok(Arm {
            name,
            pat,
            body,
            then,
        })
    }

    fn expect_end(&self, input: ParseStream<'_>, takes: &str) -> syn::Result<()> {
        if input.is_empty() {
            return Ok(());
        }
        let form = self.kind.name();
        let option = input.fork().parse::<Ident>().ok().filter(|word| {
            self.kind
                .options()
                .iter()
                .any(|option| *word == option.name)
        });
        let message = match option {
            Some(option) => {
                format!("options of `{form}!` come before its body: move `{option}` there")
            }
            None => format!("after name and options, `{form}!` takes {takes}"),
        };
        Err(syn::Error::new(input.span(), message))
    }

    /// Reads a leading string literal as the name. A body that is only a literal would be useless.
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

    fn check_body(&self, input: ParseStream<'_>) -> syn::Result<()> {
        let form = self.kind.name();
        let is_valid = match (self.kind, &self.body) {
            (Kind::Scope, Some(body)) => matches!(body, Expr::Block(_)) && input.peek(token::Brace),
            (Kind::Invoke, _) if self.is_named_function() => true,
            (Kind::Call | Kind::Invoke, Some(Expr::Call(call))) => {
                matches!(&*call.func, Expr::Path(_))
            }
            (Kind::Call | Kind::Invoke, _) => false,
            _ => true,
        };
        if !is_valid {
            return Err(self.needs_body(&self.body));
        }
        if self.kind == Kind::Poll && !self.options.flag("every") {
            let message =
                "`poll!` needs `every = …`, the time between checks: a duration or a `Backoff`";
            return Err(syn::Error::new_spanned(&self.path, message));
        }
        match &self.body {
            Some(Expr::Call(call))
                if self.kind.passes_state() && !self.is_named_function() && call.args.len() > 1 =>
            {
                let message = format!(
                    "`{form}!` takes only the input: the called function gets this handler's state automatically"
                );
                Err(syn::Error::new_spanned(&call.args, message))
            }
            _ => Ok(()),
        }
    }
}

/// Whether the rest of the input contains a closure: the body of a `parallel!` over a list.
fn has_closure(input: ParseStream<'_>) -> syn::Result<bool> {
    let left: TokenStream = input.fork().parse()?;
    let is_bar = |tree: TokenTree| matches!(tree, TokenTree::Punct(one) if one.as_char() == '|');
    Ok(left.into_iter().any(is_bar))
}
