//! Functions by name: a bare name, a name with a qualifier, or an ARN.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::functions::Pool;
use super::service::{ErrorObject, Refusal, Target, Targets, Unresolved};

/// Error message for a durable function invoked without a version or alias.
pub(crate) const UNQUALIFIED: &str =
    "You cannot invoke a durable function using an unqualified ARN.";

/// The functions of a server.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) pools: BTreeMap<String, Arc<Pool>>,
}

/// Parsed reference to a function.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reference {
    name: String,
    qualifier: Option<String>,
    account: Option<String>,
    region: Option<String>,
}

/// Function and version that a reference resolves to.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) pool: Arc<Pool>,
    pub(crate) version: String,
    /// ARN with the version.
    pub(crate) arn: String,
    /// ARN with the qualifier of the reference.
    pub(crate) invoked: String,
    pub(crate) qualified: bool,
}

impl Reference {
    /// Parses `name`, `name:qualifier`, `account:function:name[:qualifier]` or an ARN.
    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(':').collect();
        let (account, region, rest) = match &words[..] {
            ["arn", _, "lambda", region, account, "function", rest @ ..] => {
                (Some(*account), Some(*region), rest)
            }
            [account, "function", rest @ ..] => (Some(*account), None, rest),
            rest => (None, None, rest),
        };
        let (name, qualifier) = match rest {
            [name] => (*name, None),
            [name, qualifier] => (*name, Some(*qualifier)),
            _ => return None,
        };
        let word = |text: &str| {
            let mut bytes = text.bytes();
            !text.is_empty()
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let legal = |qualifier| qualifier == "$LATEST" || word(qualifier);
        if name.len() > 140 || !word(name) || !qualifier.is_none_or(legal) {
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            qualifier: qualifier.map(str::to_owned),
            account: account.map(str::to_owned),
            region: region.map(str::to_owned),
        })
    }
}

impl Registry {
    fn arn(&self, name: &str, qualifier: Option<&str>) -> String {
        let (region, account) = (&self.region, &self.account);
        let arn = format!("arn:aws:lambda:{region}:{account}:function:{name}");
        qualifier.map_or(arn.clone(), |qualifier| format!("{arn}:{qualifier}"))
    }

    /// The part of a reference that names another account or region, if there is one.
    fn foreign_part(&self, reference: &Reference) -> Option<&'static str> {
        let own = [
            (&reference.account, &self.account, "account"),
            (&reference.region, &self.region, "region"),
        ];
        let mut own = own.into_iter();
        let foreign = own.find(|(given, own, _)| given.as_ref().is_some_and(|given| given != *own));
        foreign.map(|(_, _, part)| part)
    }

    /// Resolves a reference; `qualifier` is the separate `Qualifier` parameter.
    pub(crate) fn find(&self, text: &str, qualifier: Option<&str>) -> Result<Found, Refusal> {
        let Some(mut reference) = Reference::parse(text) else {
            let constraint = "Member must be a function name or an ARN";
            return Err(Refusal::validation("functionName", text, constraint));
        };
        match (&reference.qualifier, qualifier) {
            (Some(inner), Some(outer)) if inner != outer => {
                return Err(Refusal::invalid(
                    "The derived qualifier from the function name does not match the specified qualifier.",
                ));
            }
            (None, Some(outer)) => reference.qualifier = Some(outer.to_owned()),
            _ => {}
        }
        if self.foreign_part(&reference).is_some() {
            return Err(Refusal::not_found(format!("Function not found: {text}")));
        }
        let qualifier = reference.qualifier.as_deref();
        let invoked = self.arn(&reference.name, qualifier);
        let missing = || Refusal::not_found(format!("Function not found: {invoked}"));
        let pool = self.pools.get(&reference.name).ok_or_else(missing)?;
        let function = &pool.function;
        let published = function.version.map(|version| version.to_string());
        let version = match qualifier {
            None | Some("$LATEST") => "$LATEST".to_owned(),
            Some(asked) => published
                .filter(|version| version == asked || function.aliases.iter().any(|a| a == asked))
                .ok_or_else(missing)?,
        };
        Ok(Found {
            arn: self.arn(&reference.name, Some(&version)),
            qualified: qualifier.is_some(),
            invoked,
            pool: Arc::clone(pool),
            version,
        })
    }
}

impl Targets for Registry {
    fn resolve(&self, text: &str) -> Result<Target, Unresolved> {
        let refused = |message: String| Err(Unresolved::Refused(Refusal::invalid(message)));
        let Some(reference) = Reference::parse(text) else {
            return refused(format!("Invalid function ARN '{text}'"));
        };
        if let Some(part) = self.foreign_part(&reference) {
            return refused(format!(
                "Cannot start a CHAINED_INVOKE on a function in another {part}."
            ));
        }
        let failed =
            |code: &str, message: &str| Unresolved::Failed(ErrorObject::new(code, message));
        let found = self.find(text, None);
        let found = found.map_err(|refusal| failed(refusal.code, &refusal.message))?;
        if found.pool.function.durable && !found.qualified {
            return Err(failed("InvalidParameterValueException", UNQUALIFIED));
        }
        Ok(Target {
            function_arn: found.arn,
            version: found.version,
            durable: found.pool.function.durable,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_reference_parses() {
        let parts = |text: &str| {
            let reference = Reference::parse(text)?;
            Some((reference.name, reference.qualifier))
        };
        let is = |name: &str, qualifier: Option<&str>| {
            Some((name.to_owned(), qualifier.map(str::to_owned)))
        };
        assert_eq!(parts("f"), is("f", None));
        assert_eq!(parts("f:$LATEST"), is("f", Some("$LATEST")));
        assert_eq!(parts("123456789012:function:f:live"), is("f", Some("live")));
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
        assert_eq!(parts(arn), is("f", None));
        assert_eq!(parts(&format!("{arn}:7")), is("f", Some("7")));
        for text in [
            "",
            ":",
            "a b",
            "f:",
            "f:a:b",
            "arn:aws:s3:::bucket",
            "f:$latest",
            "../f",
        ] {
            assert_eq!(parts(text), None, "{text}");
        }
    }
}
