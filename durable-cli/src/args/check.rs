//! Arguments of `durable check`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use durable_core::lock::Verdict;

/// Arguments of `durable check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Lock file with the names of the code to be deployed, written by `names!`
    #[arg(long, value_name = "FILE", default_value = "durable.lock")]
    pub lock: PathBuf,
    /// Only executions of this handler
    #[arg(long, value_name = "NAME")]
    pub handler: Option<String>,
    /// Verdicts to accept; may be repeated or separated by commas
    #[arg(long, value_name = "VERDICT", value_delimiter = ',', value_parser = verdicts())]
    pub allow: Vec<Verdict>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

fn verdicts() -> impl TypedValueParser<Value = Verdict> {
    let words = Verdict::ALL.into_iter().skip(1).map(Verdict::as_str);
    PossibleValuesParser::new(words).try_map(|word| {
        let found = Verdict::ALL
            .into_iter()
            .find(|verdict| verdict.as_str() == word);
        found.ok_or_else(|| format!("unknown verdict {word}"))
    })
}
