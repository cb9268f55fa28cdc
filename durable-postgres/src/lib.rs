//! The store of the `durable` crate on PostgreSQL: for many machines, on a database that is
//! replicated and looked after already.
//!
//! ```no_run
//! # async fn f() -> Result<(), durable_core::store::StoreError> {
//! use durable_postgres::PostgresStore;
//!
//! let store = PostgresStore::connect("postgres://app:secret@db1,db2/orders").await?;
//! # Ok(()) }
//! ```

mod admin;
mod checkpoint;
mod columns;
mod connection;
mod database;
mod error;
mod executions;
mod news;
mod options;
mod outside;
mod pool;
mod queues;
mod rows;
mod schedules;
mod schema;
mod session;
mod start;
mod store;
mod sums;
mod text;
mod tls;
mod work;
mod writer;

pub use options::{LeaseClock, Options};
pub use store::{PostgresStore, Stats};
