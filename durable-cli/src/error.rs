//! Errors of the command and their exit codes.

use durable_core::BoxError;
use durable_core::store::StoreError;

/// Error of a command. Its message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// The URL does not name an existing store.
    #[error("{0}")]
    NoStore(String),
    /// The store returned an error.
    #[error("{}", with_causes(.0.as_ref()))]
    Store(BoxError),
    /// There is no execution with this id.
    #[error("no execution `{id}` in {store}{}", hint(.nearest))]
    NotFound {
        /// Id that was requested.
        id: String,
        /// URL of the store.
        store: String,
        /// Similar ids in the store, most similar first.
        nearest: Vec<String>,
    },
    /// The lock file cannot be read or lacks a handler.
    #[error("{0}")]
    Lock(String),
    /// Open executions would not resume with the code to be deployed. The text is the report of
    /// `durable check`.
    #[error("{0}")]
    Unsafe(String),
    /// The arguments are invalid.
    #[error("{0}")]
    Usage(String),
    /// The change of many executions was not confirmed. Nothing was changed.
    #[error("{0}")]
    Unconfirmed(String),
    /// Some of the changes were refused.
    #[error("{refused}")]
    Partly {
        /// Output about the changes that were made.
        done: String,
        /// Reasons for the refusals, one per line.
        refused: String,
    },
    /// The local Lambda service or a function failed to start.
    #[error("{0}")]
    Lambda(String),
    /// The server does not start.
    #[error("{0}")]
    Serve(String),
    /// The output could not be encoded as JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl CliError {
    /// Returns the exit code: 2 for invalid arguments, 3 if there is no such execution, 4 if executions
    /// would not resume, 5 if some or all changes were not made, and 1 for any other error.
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

/// Converts an error of the store.
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
        return "; `durable ls` lists the executions of this store".into();
    }
    let ids: Vec<String> = nearest.iter().map(|id| format!("`{id}`")).collect();
    format!("; did you mean {}?", ids.join(" or "))
}
