//! Errors of steps in a transaction.

use std::error::Error;
use std::fmt;

use super::Key;
use crate::model::error::BoxError;

/// Error of the database of a step in a transaction.
#[derive(Debug)]
pub struct TransactionError {
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    /// Another holder of the execution's lease has committed under a higher fence.
    Stale(String),
    /// The table does not exist.
    MissingTable(String),
    Database(BoxError),
}

impl TransactionError {
    /// Wraps an error of the database.
    ///
    /// ```
    /// use durable_core::transaction::TransactionError;
    ///
    /// let error = TransactionError::database("connection reset");
    /// assert_eq!(error.to_string(), "the transaction of the step failed: connection reset");
    /// ```
    pub fn database(error: impl Into<BoxError>) -> Self {
        Self {
            cause: Cause::Database(error.into()),
        }
    }

    /// Creates the error for a missing table. `advice` says how to create it.
    ///
    /// ```
    /// use durable_core::transaction::TransactionError;
    ///
    /// let error = TransactionError::missing_table("outcomes", "run `create_outcomes.sql`");
    /// assert_eq!(error.to_string(), "the table `outcomes` does not exist: run `create_outcomes.sql`");
    /// ```
    pub fn missing_table(table: &str, advice: &str) -> Self {
        Self {
            cause: Cause::MissingTable(format!("the table `{table}` does not exist: {advice}")),
        }
    }

    pub(crate) fn stale(key: &Key) -> Self {
        let message = format!(
            "the lease of execution `{}` was taken over: another process has committed a step of it under a later lease, so \
             this transaction was rolled back",
            key.execution()
        );
        Self {
            cause: Cause::Stale(message),
        }
    }

    /// Returns whether the database can be asked for the outcome of the step: it has the table.
    pub(crate) fn is_undecided(&self) -> bool {
        matches!(self.cause, Cause::Database(_))
    }
}

impl fmt::Display for TransactionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Stale(message) | Cause::MissingTable(message) => f.write_str(message),
            Cause::Database(error) => write!(f, "the transaction of the step failed: {error}"),
        }
    }
}

impl Error for TransactionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            Cause::Stale(_) | Cause::MissingTable(_) => None,
            Cause::Database(error) => error.source(),
        }
    }
}
