//! Parses the arguments of the attribute.

use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::{Ident, LitStr, Path};

use crate::options::{GivenOption, OptionSpec, Options, Shape, Value};
use crate::rules::{Report, Rule};

/// Arguments of `#[durable(…)]`.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<LitStr>,
    pub(crate) was: Vec<LitStr>,
    pub(crate) krate: Option<Path>,
    pub(crate) allowed: Vec<Rule>,
}

const ATTRIBUTE: &[OptionSpec] = &[
    OptionSpec::new("name", Shape::Text),
    OptionSpec::new("version", Shape::Text),
    OptionSpec::new("crate", Shape::Path),
    OptionSpec::new("was", Shape::Texts),
    OptionSpec::new("allow", Shape::List),
];
const STATEMENT: &[OptionSpec] = &[OptionSpec::new("allow", Shape::List)];

impl Args {
    /// Parses the arguments of the attribute on a function.
    pub(crate) fn of_function(tokens: proc_macro2::TokenStream, report: &mut Report) -> Self {
        Self::parse(tokens, ATTRIBUTE, "#[durable]", report)
    }

    /// Parses the arguments of the attribute on a statement of a durable function.
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
        specs: &[OptionSpec],
        owner: &str,
        report: &mut Report,
    ) -> Self {
        let mut errors = Vec::new();
        let all = |input: ParseStream<'_>| {
            let options = Options::parse(input, specs, owner, &mut errors)?;
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
        errors.into_iter().for_each(|error| report.add(error));
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
    let Some(GivenOption {
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
                "`{code}` is not a rule that can be allowed: only D001 to D009, D022 and D023 can"
            );
            report.add(Rule::Option.error(code.to_token_stream(), message));
        }
        rule
    };
    codes.iter().filter_map(rule_of).collect()
}
