//! Why the command failed, and with which exit code.

use durable_core::BoxError;
use durable_core::store::StoreError;

/// A failed command. Its text says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// The URL does not name a store that can be looked into.
    #[error("{0}")]
    NoStore(String),
    /// The store answered with an error.
    #[error("{}", with_causes(.0.as_ref()))]
    Store(BoxError),
    /// There is no execution with this id.
    #[error("no execution `{id}` in {store}{}", hint(.nearest))]
    NotFound {
        /// The id that was asked for.
        id: String,
        /// The store that was asked.
        store: String,
        /// Ids that are there and look like it, the most similar first.
        nearest: Vec<String>,
    },
    /// The lock cannot be read.
    #[error("{0}")]
    Lock(String),
    /// Open executions would not go on with the code to be deployed. The text is the answer itself.
    #[error("{0}")]
    Unsafe(String),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Many executions would be changed, and nobody has said yes. Nothing was done.
    #[error("{0}")]
    Unconfirmed(String),
    /// Some of what was asked for was refused.
    #[error("{refused}")]
    Partly {
        /// What was done, as it would have been printed.
        done: String,
        /// Why the rest was not, a line each.
        refused: String,
    },
    /// The local Lambda does not start, or a function does not.
    #[error("{0}")]
    Lambda(String),
    /// The answer could not be written as JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl CliError {
    /// 2 for wrong usage, 3 when there is no such execution, 4 when executions would not go on, 5 when
    /// some or all of what was asked for was not done, 1 for anything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::NotFound { .. } => 3,
            Self::Unsafe(_) => 4,
            Self::Partly { .. } | Self::Unconfirmed(_) => 5,
            _ => 1,
        }
    }
}

/// The error of a command whose store answered with an error.
pub(crate) fn failed(error: StoreError) -> CliError {
    CliError::Store(error.into())
}

fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

fn hint(nearest: &[String]) -> String {
    if nearest.is_empty() {
        return "; `durable ls` lists what is there".into();
    }
    let ids: Vec<String> = nearest.iter().map(|id| format!("`{id}`")).collect();
    format!("; did you mean {}?", ids.join(" or "))
}
