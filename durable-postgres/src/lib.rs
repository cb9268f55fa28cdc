//! Store of the `durable` crate on PostgreSQL, shared by workers on many machines.
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
mod checksums;
mod claim;
mod claim_due;
mod columns;
mod connection;
mod counts;
mod database;
mod driver;
mod error;
mod executions;
mod external;
mod listing;
mod messages;
mod notifier;
mod options;
mod pool;
mod queues;
mod rows;
mod schedules;
mod schema;
mod session;
mod start;
mod store;
mod text;
mod tls;
mod transaction;
mod writer;

pub use tokio_postgres;

pub use options::{LeaseClock, Options};
pub use store::{PostgresStore, Stats};
pub use transaction::{CallerTransaction, InTransaction, StoreTransaction};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
