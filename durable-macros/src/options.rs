//! Parses the options of the attribute and of call sites.

use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, LitStr, Path, Token, bracketed, parenthesized, token};

use crate::rules::Rule;

/// An option that an owner takes: its name and the shape of its value.
#[derive(Clone, Copy)]
pub(crate) struct OptionSpec {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
}

impl OptionSpec {
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

pub(crate) struct GivenOption {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

impl GivenOption {
    fn is_flag(&self) -> bool {
        matches!(self.value, Value::Flag)
    }
}

/// The valid options that were given, each at most once.
#[derive(Default)]
pub(crate) struct Options {
    given: Vec<GivenOption>,
}

impl Options {
    /// Parses options up to the first token that does not begin one. Reports and skips invalid options.
    pub(crate) fn parse(
        input: ParseStream<'_>,
        specs: &[OptionSpec],
        owner: &str,
        errors: &mut Vec<syn::Error>,
    ) -> syn::Result<Self> {
        let mut options = Self::default();
        while let Some(shape) = next_shape(input, specs) {
            let name = Ident::parse_any(input)?;
            let value = parse_value(input, shape, &name)?;
            options.accept(GivenOption { name, value }, specs, owner, errors);
            let optional_comma = shape == Shape::Flag && !input.peek(Token![,]);
            if !input.is_empty() && !optional_comma {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }

    fn accept(
        &mut self,
        given: GivenOption,
        specs: &[OptionSpec],
        owner: &str,
        errors: &mut Vec<syn::Error>,
    ) {
        let name = given.name.unraw().to_string();
        let list = || match specs {
            [] => "no options".to_owned(),
            specs => specs
                .iter()
                .map(|option| format!("`{}`", option.name))
                .collect::<Vec<_>>()
                .join(", "),
        };
        let known = specs.iter().find(|option| option.name == name);
        if known.is_none() {
            let message = format!("{owner} has no option `{name}`; it takes {}", list());
            errors.push(Rule::Option.error(&given.name, message));
        } else if self.get(&name).is_some() {
            errors.push(Rule::Option.error(
                &given.name,
                format!("option `{name}` is given twice; {owner} takes {}", list()),
            ));
        } else if known.is_some_and(|known| known.shape == Shape::Flag && !given.is_flag()) {
            let message = format!("`{name}` takes no value: write just `{name}`, or remove it");
            errors.push(Rule::Option.error(&given.name, message));
        } else {
            self.given.push(given);
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&GivenOption> {
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

    /// Removes the option `name`, a closure with one parameter. Returns its parameter and body.
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
                    format!("`{name}` takes a closure with one parameter: `{name} = |value| …`");
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

/// The shape of the next option, or `None` if the input does not continue with an option.
fn next_shape(input: ParseStream<'_>, specs: &[OptionSpec]) -> Option<Shape> {
    let fork = input.fork();
    let name = Ident::parse_any(&fork).ok()?.unraw().to_string();
    let known = specs
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
    // A flag is a word before a comma. The last word is the body, with or without a comma.
    let before_comma = fork.parse::<Token![,]>().is_ok() && !fork.is_empty();
    let bare = before_comma || (known == Some(Shape::Flag) && (name == "move" || fork.is_empty()));
    // `parse_value` reports a known option without its value.
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
        let message = format!("`{name}` takes a string literal: write `{name} = \"…\"`");
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
