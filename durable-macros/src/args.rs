//! Parses options: those of the attribute, and with the same helper those of every call site.

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, LitStr, Path, Token, bracketed, parenthesized, token};

use crate::rules::{Report, Rule};

/// An option that may be given: its name and what follows it.
#[derive(Clone, Copy)]
pub(crate) struct Legal {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
}

impl Legal {
    pub(crate) const fn new(name: &'static str, shape: Shape) -> Self {
        Self { name, shape }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `name`
    Flag,
    /// `name = expression`
    Expr,
    /// `name = "text"`
    Text,
    /// `name = "text"` or `name = ["text", "text"]`
    Texts,
    /// `name = some::path`
    Path,
    /// `name(A, B)`
    List,
}

pub(crate) enum Value {
    Flag,
    Expr(Expr),
    Texts(Vec<LitStr>),
    Path(Path),
    List(Vec<Ident>),
}

pub(crate) struct Given {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

impl Given {
    fn is_flag(&self) -> bool {
        matches!(self.value, Value::Flag)
    }
}

/// The options given, each at most once, each a legal one.
#[derive(Default)]
pub(crate) struct Options {
    given: Vec<Given>,
}

impl Options {
    /// Reads options up to the first token that does not begin one. A wrong option is reported and left out.
    pub(crate) fn parse(
        input: ParseStream<'_>,
        legal: &[Legal],
        owner: &str,
        wrong: &mut Vec<syn::Error>,
    ) -> syn::Result<Self> {
        let mut options = Self::default();
        while let Some(shape) = next_shape(input, legal) {
            let name = Ident::parse_any(input)?;
            let value = parse_value(input, shape, &name)?;
            options.accept(Given { name, value }, legal, owner, wrong);
            let optional_comma = shape == Shape::Flag && !input.peek(Token![,]);
            if !input.is_empty() && !optional_comma {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }

    fn accept(&mut self, given: Given, legal: &[Legal], owner: &str, wrong: &mut Vec<syn::Error>) {
        let name = given.name.unraw().to_string();
        let list = || {
            legal
                .iter()
                .map(|option| format!("`{}`", option.name))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let known = legal.iter().find(|option| option.name == name);
        if known.is_none() {
            let message = format!("{owner} has no option `{name}`; it takes {}", list());
            wrong.push(Rule::Option.error(&given.name, message));
        } else if self.get(&name).is_some() {
            wrong.push(Rule::Option.error(
                &given.name,
                format!("option `{name}` is given twice; {owner} takes {}", list()),
            ));
        } else if known.is_some_and(|known| known.shape == Shape::Flag && !given.is_flag()) {
            let message = format!("`{name}` takes no value: write `{name}` alone, or leave it out");
            wrong.push(Rule::Option.error(&given.name, message));
        } else {
            self.given.push(given);
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Given> {
        self.given.iter().find(|given| given.name.unraw() == name)
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(crate) fn expr(&self, name: &str) -> Option<&Expr> {
        match &self.get(name)?.value {
            Value::Expr(expr) => Some(expr),
            _ => None,
        }
    }

    pub(crate) fn texts(&self, name: &str) -> &[LitStr] {
        match self.get(name).map(|given| &given.value) {
            Some(Value::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// Takes the closure of one parameter out that `name` was given: the parameter and the body.
    pub(crate) fn take_body(&mut self, name: &str) -> Option<syn::Result<(syn::Pat, Expr)>> {
        let at = self
            .given
            .iter()
            .position(|given| given.name.unraw() == name)?;
        let given = self.given.remove(at);
        match given.value {
            Value::Expr(Expr::Closure(mut one)) if one.inputs.len() == 1 => {
                Some(Ok((one.inputs.pop()?.into_value(), *one.body)))
            }
            _ => {
                let message =
                    format!("`{name}` takes a body with one parameter: `{name} = |value| …`");
                Some(Err(Rule::Option.error(&given.name, message)))
            }
        }
    }

    pub(crate) fn exprs_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        self.given
            .iter_mut()
            .filter_map(|given| match &mut given.value {
                Value::Expr(expr) => Some(expr),
                _ => None,
            })
    }
}

/// How the option that comes next is written, or `None` if what comes next is no option.
fn next_shape(input: ParseStream<'_>, legal: &[Legal]) -> Option<Shape> {
    let fork = input.fork();
    let name = Ident::parse_any(&fork).ok()?.unraw().to_string();
    let known = legal
        .iter()
        .find(|option| option.name == name)
        .map(|option| option.shape);
    if fork.peek(Token![=]) && !fork.peek(Token![==]) && !fork.peek(Token![=>]) {
        return Some(
            known
                .filter(|shape| !matches!(shape, Shape::Flag | Shape::List))
                .unwrap_or(Shape::Expr),
        );
    }
    if known == Some(Shape::List) && fork.peek(token::Paren) {
        return known;
    }
    // A flag is a word before a comma; the last word, comma or not, is the body.
    let before_comma = fork.parse::<Token![,]>().is_ok() && !fork.is_empty();
    let bare = before_comma || (known == Some(Shape::Flag) && (name == "move" || fork.is_empty()));
    // A known option without its value is reported as such where that is parsed.
    bare.then(|| known.unwrap_or(Shape::Flag))
}

fn parse_value(input: ParseStream<'_>, shape: Shape, name: &Ident) -> syn::Result<Value> {
    if shape == Shape::Flag {
        return Ok(Value::Flag);
    }
    if shape == Shape::List {
        let content;
        parenthesized!(content in input);
        let items = Punctuated::<Ident, Token![,]>::parse_terminated(&content)?;
        return Ok(Value::List(items.into_iter().collect()));
    }
    input.parse::<Token![=]>()?;
    let text = |input: ParseStream<'_>| {
        let message = format!("`{name}` takes a text in quotes: write `{name} = \"…\"`");
        input
            .parse::<LitStr>()
            .map_err(|error| syn::Error::new(error.span(), message))
    };
    Ok(match shape {
        Shape::Text => Value::Texts(vec![text(input)?]),
        Shape::Texts if input.peek(token::Bracket) => {
            let content;
            bracketed!(content in input);
            let items = Punctuated::<LitStr, Token![,]>::parse_terminated(&content)?;
            Value::Texts(items.into_iter().collect())
        }
        Shape::Texts => Value::Texts(vec![text(input)?]),
        Shape::Path => Value::Path(Path::parse_mod_style(input)?),
        _ => Value::Expr(input.parse()?),
    })
}

/// What `#[durable(…)]` was given.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<LitStr>,
    pub(crate) was: Vec<LitStr>,
    pub(crate) krate: Option<Path>,
    pub(crate) allowed: Vec<Rule>,
}

const ATTRIBUTE: &[Legal] = &[
    Legal::new("name", Shape::Text),
    Legal::new("version", Shape::Text),
    Legal::new("crate", Shape::Path),
    Legal::new("was", Shape::Texts),
    Legal::new("allow", Shape::List),
];
const STATEMENT: &[Legal] = &[Legal::new("allow", Shape::List)];

impl Args {
    /// The arguments of the attribute on a function.
    pub(crate) fn of_function(tokens: proc_macro2::TokenStream, report: &mut Report) -> Self {
        Self::parse(tokens, ATTRIBUTE, "#[durable]", report)
    }

    /// The arguments of the attribute on a statement inside one.
    pub(crate) fn of_statement(attribute: &syn::Attribute, report: &mut Report) -> Self {
        let tokens = attribute
            .meta
            .require_list()
            .map(|list| list.tokens.clone())
            .unwrap_or_default();
        Self::parse(tokens, STATEMENT, "#[durable] on a statement", report)
    }

    fn parse(
        tokens: proc_macro2::TokenStream,
        legal: &[Legal],
        owner: &str,
        report: &mut Report,
    ) -> Self {
        let mut wrong = Vec::new();
        let all = |input: ParseStream<'_>| {
            let options = Options::parse(input, legal, owner, &mut wrong)?;
            if input.is_empty() {
                Ok(options)
            } else {
                Err(input.error("expected `option = value`"))
            }
        };
        let options = all.parse2(tokens).unwrap_or_else(|error| {
            report.add(Rule::Option.syntax(&error));
            Options::default()
        });
        wrong.into_iter().for_each(|error| report.add(error));
        let text = |name| options.texts(name).first().cloned();
        let krate = options.get("crate").and_then(|given| match &given.value {
            Value::Path(path) => Some(path.clone()),
            _ => None,
        });
        let allowed = allowed(&options, report);
        Self {
            name: text("name"),
            version: text("version"),
            was: options.texts("was").to_vec(),
            krate,
            allowed,
        }
    }
}

fn allowed(options: &Options, report: &mut Report) -> Vec<Rule> {
    let Some(Given {
        value: Value::List(codes),
        ..
    }) = options.get("allow")
    else {
        return Vec::new();
    };
    let rule_of = |code: &Ident| {
        let rule = Rule::allowable(&code.to_string());
        if rule.is_none() {
            let message = format!(
                "`{code}` is not a rule that can be allowed; D001 to D009, D022 and D023 are"
            );
            report.add(Rule::Option.error(code.to_token_stream(), message));
        }
        rule
    };
    codes.iter().filter_map(rule_of).collect()
}

/// Expressions as most macros take them: `a, b = c, d` or `a; n`.
pub(crate) struct Expressions {
    pub(crate) items: Punctuated<Expr, Token![,]>,
    pub(crate) count: Option<(Token![;], Expr)>,
}

impl Parse for Expressions {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut items = Punctuated::new();
        while !input.is_empty() {
            items.push_value(input.parse()?);
            if input.peek(Token![;]) && items.len() == 1 {
                let count = (input.parse()?, input.parse()?);
                return Ok(Self {
                    items,
                    count: Some(count),
                });
            }
            if !input.is_empty() {
                items.push_punct(input.parse()?);
            }
        }
        Ok(Self { items, count: None })
    }
}

impl ToTokens for Expressions {
    fn to_tokens(&self, tokens: &mut proc_macro2::TokenStream) {
        self.items.to_tokens(tokens);
        if let Some((semi, count)) = &self.count {
            semi.to_tokens(tokens);
            count.to_tokens(tokens);
        }
    }
}
