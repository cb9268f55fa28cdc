//! Transactions of callers.

/// Open transaction of a caller, on PostgreSQL.
///
/// With the feature `sqlx`, `sqlx::Transaction<'_, Postgres>` is one too, and so is `sqlx::PgConnection` while it is in a
/// transaction that sqlx has begun. So the body of a `step!` with `tx` can start executions and send messages.
///
/// The transactions of pools such as `deadpool-postgres` dereference to one: pass `&mut *tx`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a PostgreSQL transaction of a supported driver",
    note = "supported are `tokio_postgres::Transaction` and, with the feature `sqlx` of `durable-postgres` (`sqlx-postgres` of \
            `durable`), `sqlx::Transaction<'_, sqlx::Postgres>` and `sqlx::PgConnection`",
    note = "if this type dereferences to one of them, pass `&mut *tx`"
)]
pub trait CallerTransaction: sealed::Sealed {}

impl<T: sealed::Sealed> CallerTransaction for T {}

/// Connection of an open transaction of a caller.
pub enum Caller<'t> {
    Tokio(&'t tokio_postgres::Client),
    #[cfg(feature = "sqlx")]
    Sqlx(&'t mut sqlx::PgConnection),
}

pub(crate) mod sealed {
    use super::Caller;

    pub trait Sealed {
        fn caller(&mut self) -> Caller<'_>;
    }

    impl Sealed for tokio_postgres::Transaction<'_> {
        fn caller(&mut self) -> Caller<'_> {
            Caller::Tokio(self.client())
        }
    }

    #[cfg(feature = "sqlx")]
    impl Sealed for sqlx::Transaction<'_, sqlx::Postgres> {
        fn caller(&mut self) -> Caller<'_> {
            Caller::Sqlx(self)
        }
    }

    #[cfg(feature = "sqlx")]
    impl Sealed for sqlx::PgConnection {
        fn caller(&mut self) -> Caller<'_> {
            Caller::Sqlx(self)
        }
    }
}
