//! Statements, rows and errors of sqlx. Values have the binary format of PostgreSQL, which tokio-postgres encodes and decodes.

use bytes::BytesMut;
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{
    PgArgumentBuffer, PgArguments, PgConnection, PgDatabaseError, PgRow, PgTypeInfo, PgValueFormat,
};
use sqlx::{Arguments, AssertSqlSafe, Error, Postgres, Row, ValueRef};
use tokio_postgres::types::{self, FromSql, ToSql, Type};

use super::SqlError;
use crate::connection::Param;

impl From<Error> for SqlError {
    fn from(error: Error) -> Self {
        Self::Sqlx(error)
    }
}

/// Runs a statement that stays unprepared, planned for its parameters.
pub(crate) async fn query(
    connection: &mut PgConnection,
    text: String,
    params: &[Param<'_>],
) -> Result<Vec<PgRow>, Error> {
    let mut arguments = PgArguments::default();
    for (value, kind) in params {
        let argument = Argument {
            value: *value,
            kind,
        };
        arguments.add(argument).map_err(Error::Encode)?;
    }
    // The text has no values in it: they are arguments.
    sqlx::query_with(AssertSqlSafe(text), arguments)
        .persistent(false)
        .fetch_all(connection)
        .await
}

/// Value that tokio-postgres encodes.
struct Argument<'a> {
    value: &'a (dyn ToSql + Sync),
    kind: &'a Type,
}

impl sqlx::Type<Postgres> for Argument<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(Type::UNKNOWN.oid()))
    }
}

impl Encode<'_, Postgres> for Argument<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let mut bytes = BytesMut::new();
        match self.value.to_sql_checked(self.kind, &mut bytes)? {
            types::IsNull::Yes => Ok(IsNull::Yes),
            types::IsNull::No => {
                buffer.extend_from_slice(&bytes);
                Ok(IsNull::No)
            }
        }
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(self.kind.oid())))
    }
}

/// Decodes a column as tokio-postgres does.
pub(crate) fn decode<'r, T: FromSql<'r>>(row: &'r PgRow, index: usize) -> Result<T, Error> {
    let value = row.try_get_raw(index)?;
    column(&value).map_err(|source| Error::ColumnDecode {
        index: index.to_string(),
        source,
    })
}

fn column<'r, T: FromSql<'r>>(value: &sqlx::postgres::PgValueRef<'r>) -> Result<T, BoxDynError> {
    if value.format() != PgValueFormat::Binary {
        return Err("expected a value in binary format".into());
    }
    let oid = value.type_info().oid().map_or(0, |oid| oid.0);
    let kind = Type::from_oid(oid).ok_or("expected a type that PostgreSQL provides")?;
    if !T::accepts(&kind) {
        let wanted = std::any::type_name::<T>();
        return Err(format!("cannot convert the type `{kind}` to `{wanted}`").into());
    }
    match value.is_null() {
        true => T::from_sql_null(&kind),
        false => T::from_sql(&kind, value.as_bytes()?),
    }
}

/// The error of an error that the server reports.
pub(super) fn reported(error: &Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref()
}
