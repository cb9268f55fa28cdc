//! Embedded store of the `durable` crate: one SQLite file, no server, safe against power loss.
//!
//! ```
//! use durable_core::store::{CheckpointStore, Durability};
//! use durable_sqlite::SqliteStore;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("etl.db");
//! let store = SqliteStore::open(path).await?;
//! assert_eq!(store.capabilities().durability, Durability::Power);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod admin;
mod candidate;
mod cells;
mod checkpoint;
mod checksums;
mod claims;
mod error;
mod external;
mod grants;
mod inline;
mod job;
mod labels;
mod log;
mod messages;
mod notifier;
mod open;
mod owner;
mod pace;
mod queues;
mod readers;
mod reads;
mod rows;
mod schedules;
mod schema;
mod session;
mod store;
mod writer;
mod writes;

pub use store::{SqliteStore, Stats};

// The helpers of the integration tests are used by unit tests too, and call the crate by its name.
#[cfg(test)]
extern crate self as durable_sqlite;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
