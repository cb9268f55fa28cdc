//! Classification of PostgreSQL errors.

use std::fmt;

use durable_core::store::{StoreError, StoreErrorKind};
use tokio_postgres::error::SqlState;

use crate::driver::{Reported, SqlError};

/// Reason a unit of work failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The store refuses the call. Nothing was written and the connection is usable.
    Refused(StoreError),
    /// PostgreSQL or the connection failed.
    Sql(SqlError),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<SqlError> for Fault {
    fn from(error: SqlError) -> Self {
        Self::Sql(error)
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error.into())
    }
}

impl Fault {
    /// Converts this to the error of a store at `location`.
    pub(crate) fn at(self, location: &dyn fmt::Display) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Sql(error) => describe(error, location),
        }
    }

    /// Whether a retry of the same work may succeed, on a new connection if this one is lost.
    pub(crate) fn is_transient(&self) -> bool {
        let Self::Sql(error) = self else {
            return false;
        };
        match error.code() {
            Some(code) => {
                is_one_of(TRANSIENT, code) || code.starts_with("08") || is_stale_plan(error)
            }
            None => lost(error),
        }
    }

    /// Whether the connection broke, so that a commit in progress may have succeeded.
    pub(crate) fn lost_connection(&self) -> bool {
        let Self::Sql(error) = self else {
            return false;
        };
        match error.code() {
            Some(code) => is_one_of(SHUT_DOWN, code) || code.starts_with("08"),
            None => lost(error),
        }
    }
}

/// Transient errors: the transaction was rolled back or never began, and a retry may succeed.
const TRANSIENT: &[SqlState] = &[
    SqlState::T_R_SERIALIZATION_FAILURE,
    SqlState::T_R_DEADLOCK_DETECTED,
    SqlState::ADMIN_SHUTDOWN,
    SqlState::CRASH_SHUTDOWN,
    SqlState::CANNOT_CONNECT_NOW,
    SqlState::TOO_MANY_CONNECTIONS,
    SqlState::READ_ONLY_SQL_TRANSACTION,
    // Two processes created or inserted the same thing at once.
    SqlState::UNIQUE_VIOLATION,
    SqlState::DUPLICATE_OBJECT,
    SqlState::DUPLICATE_SCHEMA,
    SqlState::DUPLICATE_TABLE,
    SqlState::LOCK_NOT_AVAILABLE,
];

const SHUT_DOWN: &[SqlState] = &[
    SqlState::ADMIN_SHUTDOWN,
    SqlState::CRASH_SHUTDOWN,
    SqlState::CANNOT_CONNECT_NOW,
    // The server became a standby: another connection may lead to the new primary.
    SqlState::READ_ONLY_SQL_TRANSACTION,
];

fn is_one_of(states: &[SqlState], code: &str) -> bool {
    states.iter().any(|state| state.code() == code)
}

/// Whether a migration by a newer process changed a table under a prepared statement.
fn is_stale_plan(error: &SqlError) -> bool {
    error.reported().is_some_and(|error| {
        let unsupported = error.code == SqlState::FEATURE_NOT_SUPPORTED.code();
        unsupported && error.message.contains("cached plan")
    })
}

/// Whether an error without an SQLSTATE code concerns the connection.
fn lost(error: &SqlError) -> bool {
    if error.is_closed() {
        return true;
    }
    if let Some(cause) = io_cause(error) {
        return bad_certificate(cause).is_none();
    }
    // A connect timeout has no source to recognise it by.
    error.to_string().contains("timed out")
}

fn io_cause(error: &SqlError) -> Option<&std::io::Error> {
    use std::error::Error;
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(cause) = cause.downcast_ref() {
            return Some(cause);
        }
        source = cause.source();
    }
    None
}

/// The reason for refusing the server's certificate. rustls reports it as an I/O error.
fn bad_certificate(error: &std::io::Error) -> Option<&rustls::CertificateError> {
    match error.get_ref()?.downcast_ref()? {
        rustls::Error::InvalidCertificate(reason) => Some(reason),
        _ => None,
    }
}

/// Converts a PostgreSQL error to the store's error, with advice.
fn describe(error: SqlError, location: &dyn fmt::Display) -> StoreError {
    let (kind, advice) = classify(&error);
    let what = match error.reported() {
        Some(error) => display(&error),
        None => with_causes(&error),
    };
    let message = format!("PostgreSQL at {location}: {what}. {advice}");
    StoreError::new(kind, message).with_source(error.into_inner())
}

fn display(error: &Reported<'_>) -> String {
    let Reported {
        code,
        message,
        detail,
    } = error;
    let detail = detail.map(|detail| format!(" ({detail})"));
    format!("{message} [{code}]{}", detail.unwrap_or_default())
}

fn with_causes(error: &SqlError) -> String {
    use std::error::Error;
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn classify(error: &SqlError) -> (StoreErrorKind, &'static str) {
    use StoreErrorKind::{Corrupt, TooLarge, Unavailable, Unusable};
    let Some(code) = error.code() else {
        return classify_connection(error);
    };
    match code {
        "42501" => (
            Unusable,
            "The role lacks a privilege: let a role that may create the schema migrate it, then grant this one USAGE on \
             the schema and SELECT, INSERT, UPDATE, DELETE on its tables",
        ),
        "25006" => (
            Unavailable,
            "The server or the role is read-only: connect to the primary (list all hosts and set \
             `target_session_attrs=read-write`), and check `default_transaction_read_only`",
        ),
        "53100" => (
            Unavailable,
            "The server's disk is full. Nothing was changed: free space and retry",
        ),
        "53200" => (
            Unavailable,
            "The server is out of memory. Nothing was changed",
        ),
        "53300" => (
            Unavailable,
            "The server has no free connections: raise `max_connections`, lower `pool_size` in the URL, or put \
             PgBouncer in between (`pgbouncer=true`)",
        ),
        "57014" => (
            Unavailable,
            "The statement was cancelled by `statement_timeout` or by an administrator. Nothing was changed: raise the \
             timeout for this role if this happens again",
        ),
        "57P01" | "57P02" | "57P03" => (Unavailable, "The server is restarting: retry in a moment"),
        "55P03" | "40001" | "40P01" => (
            Unavailable,
            "A concurrent transaction interfered. Nothing was changed: retry",
        ),
        "54000" | "54001" | "54011" => (TooLarge, "PostgreSQL limits a value to 1 GB"),
        "XX001" | "XX002" => (
            Corrupt,
            "Pages of the database are corrupt: restore it from a backup",
        ),
        "3D000" => (
            Unusable,
            "Create the database first, or correct its name in the URL",
        ),
        "42P01" | "42703" | "3F000" => (
            Unusable,
            "The tables are not those of this release: was the schema changed or dropped while the store was open?",
        ),
        code if code.starts_with("28") => (
            Unusable,
            "The server refused the login: check user and password in the URL, and `pg_hba.conf`",
        ),
        code if code.starts_with("08") || code.starts_with("53") || code.starts_with("57") => {
            (Unavailable, "The connection or the server failed: retry")
        }
        _ => (Unusable, "Nothing was changed by the statement that failed"),
    }
}

/// Classifies an error without an SQLSTATE code.
fn classify_connection(error: &SqlError) -> (StoreErrorKind, &'static str) {
    use StoreErrorKind::{Unavailable, Unusable};
    use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
    match io_cause(error).and_then(bad_certificate) {
        Some(NotValidForName | NotValidForNameContext { .. }) => (
            Unusable,
            "The server's certificate is for another host: use a host name of the certificate in the URL",
        ),
        Some(_) => (
            Unusable,
            "The server's certificate is not trusted: name a file with the certificate of its authority in the URL \
             (`sslrootcert`)",
        ),
        None if lost(error) => (
            Unavailable,
            "The server is unreachable: check that it is running and that host and port are right",
        ),
        None => (
            Unusable,
            "Check the URL, the password, and the TLS settings (`sslmode`, `sslrootcert`)",
        ),
    }
}

/// Error about the URL or the settings of the server.
pub(crate) fn unusable(location: &dyn fmt::Display, what: impl fmt::Display) -> StoreError {
    let message = format!("cannot use PostgreSQL at {location} as a store: {what}");
    StoreError::new(StoreErrorKind::Unusable, message)
}

/// Error about stored data.
pub(crate) fn corrupt(location: &dyn fmt::Display, what: impl fmt::Display) -> StoreError {
    let message = format!("PostgreSQL at {location}: {what}. Restore it from a backup");
    StoreError::new(StoreErrorKind::Corrupt, message)
}
