//! Steps of the [`durable`](https://docs.rs/durably) crate that commit in a transaction of the application's database.
//!
//! Applications enable a feature of `durable`, which re-exports this crate as `durable::transaction`.
//!
//! | feature | what `tx` refers to | what the body gets |
//! |---|---|---|
//! | `sqlx-postgres` | `&sqlx::PgPool` | `&mut sqlx::PgConnection` |
//! | `sqlx-mysql` | `&sqlx::MySqlPool` | `&mut sqlx::MySqlConnection` |
//! | `sqlx-sqlite` | `&sqlx::SqlitePool` | `&mut sqlx::SqliteConnection` |
//! | `tokio-postgres` | `&TokioPostgres` | `&tokio_postgres::Client` |
//! | `rusqlite` | `&Rusqlite` | `&mut rusqlite::Connection` |
//!
//! [`migrate`](migrate()) creates the table, and [`prune`](prune()) removes old rows.

#[cfg(feature = "rusqlite")]
mod rusqlite;
pub mod schema;
#[cfg(any(
    feature = "sqlx-mysql",
    feature = "sqlx-postgres",
    feature = "sqlx-sqlite"
))]
mod sqlx;
#[cfg(any(
    feature = "rusqlite",
    feature = "sqlx-mysql",
    feature = "sqlx-postgres",
    feature = "sqlx-sqlite",
    feature = "tokio-postgres"
))]
mod statements;
mod table;
#[cfg(feature = "tokio-postgres")]
mod tokio_postgres;

pub use durable_core::transaction::*;

#[cfg(feature = "rusqlite")]
pub use crate::rusqlite::{Rusqlite, RusqliteTransaction};
#[cfg(feature = "sqlx-mysql")]
pub use crate::sqlx::MySqlTransaction;
#[cfg(feature = "sqlx-postgres")]
pub use crate::sqlx::PgTransaction;
#[cfg(feature = "sqlx-sqlite")]
pub use crate::sqlx::SqliteTransaction;
#[cfg(any(
    feature = "sqlx-mysql",
    feature = "sqlx-postgres",
    feature = "sqlx-sqlite"
))]
pub use crate::sqlx::Sqlx;
#[cfg(feature = "tokio-postgres")]
pub use crate::tokio_postgres::{Clients, TokioPostgres, TokioPostgresTransaction};
pub use table::{Table, migrate, prune};
