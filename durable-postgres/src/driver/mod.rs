//! Rows and errors of the drivers: tokio-postgres, and sqlx in transactions of a caller that uses it.

#[cfg(feature = "sqlx")]
pub(crate) mod sqlx;

use std::error::Error;
use std::fmt;

use tokio_postgres::types::FromSql;

/// Row of a result.
pub(crate) enum Row {
    Tokio(tokio_postgres::Row),
    #[cfg(feature = "sqlx")]
    Sqlx(::sqlx::postgres::PgRow),
}

impl Row {
    /// Decodes a column.
    pub(crate) fn try_get<'r, T: FromSql<'r>>(&'r self, index: usize) -> Result<T, SqlError> {
        match self {
            Self::Tokio(row) => Ok(row.try_get(index)?),
            #[cfg(feature = "sqlx")]
            Self::Sqlx(row) => Ok(sqlx::decode(row, index)?),
        }
    }
}

/// Error of a statement or a connection.
#[derive(Debug)]
pub(crate) enum SqlError {
    Tokio(tokio_postgres::Error),
    #[cfg(feature = "sqlx")]
    Sqlx(::sqlx::Error),
}

/// Error that the server reports.
pub(crate) struct Reported<'e> {
    pub(crate) code: &'e str,
    pub(crate) message: &'e str,
    pub(crate) detail: Option<&'e str>,
}

impl SqlError {
    /// SQLSTATE of an error that the server reports.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Tokio(error) => error.code().map(tokio_postgres::error::SqlState::code),
            #[cfg(feature = "sqlx")]
            Self::Sqlx(error) => sqlx::reported(error).map(|error| error.code()),
        }
    }

    /// Content of an error that the server reports.
    pub(crate) fn reported(&self) -> Option<Reported<'_>> {
        match self {
            Self::Tokio(error) => error.as_db_error().map(|error| Reported {
                code: error.code().code(),
                message: error.message(),
                detail: error.detail(),
            }),
            #[cfg(feature = "sqlx")]
            Self::Sqlx(error) => sqlx::reported(error).map(|error| Reported {
                code: error.code(),
                message: error.message(),
                detail: error.detail(),
            }),
        }
    }

    /// Whether the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Tokio(error) => error.is_closed(),
            #[cfg(feature = "sqlx")]
            Self::Sqlx(error) => matches!(error, ::sqlx::Error::Io(_)),
        }
    }

    /// The error of the driver.
    fn inner(&self) -> &(dyn Error + Send + Sync + 'static) {
        match self {
            Self::Tokio(error) => error,
            #[cfg(feature = "sqlx")]
            Self::Sqlx(error) => error,
        }
    }

    /// Converts this to the error of the driver.
    pub(crate) fn into_inner(self) -> Box<dyn Error + Send + Sync> {
        match self {
            Self::Tokio(error) => error.into(),
            #[cfg(feature = "sqlx")]
            Self::Sqlx(error) => error.into(),
        }
    }
}

impl From<tokio_postgres::Error> for SqlError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Tokio(error)
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.inner(), f)
    }
}

impl Error for SqlError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.inner().source()
    }
}
