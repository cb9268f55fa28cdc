//! Durable execution for ordinary async functions.
//!
//! A function with [`#[durable]`](macro@durable) survives crashes, deploys and long waits. Its steps are recorded in a store.
//! When the function is run again with the same id, finished steps return their recorded outcomes, and the function continues
//! from there.
//!
//! ```
//! use durable::prelude::*;
//! use durable::store::MemoryStore;
//!
//! #[durable]
//! async fn fulfil(stock: &Stock, order: String) -> Result<u32, BoxError> {
//!     // Recorded under the name of the function, `reserve`. A failed attempt is retried.
//!     let reserved = step!(stock.reserve(&order).await).await?;
//!     // A durable timer: the process need not run in the meantime.
//!     wait!(10.milliseconds()).await;
//!     // The key is the same for every attempt, so the carrier can recognize a repeated request.
//!     step!("ship", |step| ship(reserved, step.idempotency_key()).await).await?;
//!     Ok(reserved)
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), BoxError> {
//!     let stock = Stock::default();
//!     let store = MemoryStore::new();
//!     let order = || "three blue chairs".to_owned();
//!     let first = durable::run(fulfil, "order-7", order()).state(&stock).store(store.clone()).await?;
//!     assert_eq!(first, 17);
//!
//!     // The id identifies the execution. A second run returns the recorded output and repeats no step.
//!     let second = durable::run(fulfil, "order-7", order()).state(&stock).store(store).await?;
//!     assert_eq!(second, 17);
//!     assert_eq!(stock.reservations.load(Ordering::SeqCst), 1);
//!     Ok(())
//! }
//!
//! # use std::sync::atomic::{AtomicU32, Ordering};
//! /// The shared state: passed in when the function is run, never stored.
//! #[derive(Default)]
//! struct Stock {
//!     reservations: AtomicU32,
//! }
//!
//! impl Stock {
//!     async fn reserve(&self, order: &str) -> Result<u32, BoxError> {
//!         self.reservations.fetch_add(1, Ordering::SeqCst);
//!         Ok(u32::try_from(order.len())?)
//!     }
//! }
//!
//! async fn ship(reserved: u32, key: String) -> Result<(), BoxError> {
//!     # let _ = (reserved, key);
//!     Ok(())
//! }
//! ```
//!
//! # Operations
//!
//! Call these macros in a durable function and await them. Each is recorded under a name. The page of each macro lists its
//! options.
//!
//! | macro | meaning | result |
//! |---|---|---|
//! | [`step!`] | runs a body and records its outcome | `Result<T, StepError>` |
//! | [`record!`] | records a value that would differ on replay, such as the time | `T` |
//! | [`wait!`] | a durable timer | `()` |
//! | [`poll!`] | repeats a check until it succeeds | `Result<T, PollError>` |
//! | [`callback!`] | waits for a result from an external system or a person | `Result<T, CallbackError>` |
//! | [`receive!`] | waits for the next message sent to this execution | `Result<T, ReceiveError>` |
//! | [`send!`] | sends a message to another execution, exactly once | `Result<(), SendError>` |
//! | [`publish!`] | publishes a value for clients to read while the execution runs; not awaited | `Result<(), PublishError>` |
//! | [`call!`] | calls another durable function within this execution | `Result<T, CallError>` |
//! | [`invoke!`] | runs another durable function as a separate execution | `Result<T, InvokeError>` |
//! | [`scope!`] | groups operations, so that their names need to be unique only there | `Result<T, ScopeError>` |
//! | [`map!`] | runs a body for each of several items concurrently | [`BatchResult<T>`](BatchResult) |
//! | [`parallel!`] | runs named branches concurrently | [`BatchResult<T>`](BatchResult) |
//! | [`race!`] | waits for the first of several futures and records the winner | the winner's expression |
//! | [`batches!`] | processes items in batches sized to take a target time | `Result<Vec<T>, StepError>` |
//! | [`continue_as!`] | ends this execution and starts the next one of its chain, with an empty history | never returns |
//! | [`execution!`] | returns facts that are the same on every replay; not awaited | [`&ExecutionInfo`](ExecutionInfo) |
//!
//! # Where it runs
//!
//! | where | how | guide |
//! |---|---|---|
//! | a test, in memory | `TestRun` (feature `testing`), on a virtual clock | [`guide::testing`] |
//! | one process, on a SQLite file | [`run`](run()) | this page |
//! | many processes on one machine | [`Worker`] and [`Client`] | [`guide::workers`] |
//! | many machines, on PostgreSQL | the same, with `durable::open("postgres://…")` | [`guide::postgres`] |
//! | AWS Lambda | `durable::lambda::run` (feature `lambda`) | [`guide::lambda`] |
//!
//! # Feature flags
//!
//! | feature | adds |
//! |---|---|
//! | `sqlite` (default) | `durable::sqlite`, the embedded store |
//! | `signal` (default) | workers that drain on SIGTERM and Ctrl-C |
//! | `postgres` | `durable::postgres`, the store for many machines |
//! | `lambda` | `durable::lambda`, for AWS Lambda durable functions |
//! | `rusqlite`, `sqlx-mysql`, `sqlx-postgres`, `sqlx-sqlite`, `tokio-postgres` | [steps in a transaction](guide::transactions) of this driver; with `postgres`, `sqlx-postgres` also adds [starts and messages in transactions of sqlx](guide::postgres) |
//! | `testing` | `durable::testing`, the testing kit |
//! | `schedule` | schedules for workers |
//! | `aes-gcm` | `AesGcm`, encryption for a [`SealedStore`](store::SealedStore) |
//! | `metrics` | metrics of workers through the facade `metrics` |
//! | `msgpack` | the codec `MessagePack` |
//! | `otel` | executions continue the trace of their caller, with `tracing-opentelemetry` |
//! | `tracing` | `ReplayFilter`, which drops log lines of replayed code |
//!
//! # Guides
//!
//! [`guide`] has the guides: [determinism](guide::determinism), [values](guide::values), [testing](guide::testing),
//! [upgrades](guide::upgrades), [guarantees](guide::guarantees), [steps in a transaction](guide::transactions),
//! [workers](guide::workers),
//! [metrics and traces](guide::observability), [PostgreSQL](guide::postgres),
//! [AWS Lambda](guide::lambda), [local Lambda](guide::local_lambda), [migration](guide::migration).

#[cfg(any(doc, doctest))]
pub mod guide;
mod macros;
mod open;
pub mod prelude;

pub use durable_core::*;
#[cfg(feature = "lambda")]
pub use durable_lambda as lambda;
pub use durable_macros::durable;
#[cfg(feature = "postgres")]
pub use durable_postgres as postgres;
#[cfg(feature = "sqlite")]
pub use durable_sqlite as sqlite;
pub use durable_transaction as transaction;

pub use open::open;

/// Items that expansions of `#[durable]` use. Not public API.
#[doc(hidden)]
pub use durable_core::private as __private;

/// Runs `handler` as the execution `id` in this process until it completes.
///
/// Waits keep the process running. After a crash, another run with the same id resumes the execution. After its end, a run
/// returns the recorded output.
///
/// [`Run::store`] sets the store. The default is the URL in the environment variable `DURABLE_STORE`, or else the file
/// `durable.db` in the current folder.
///
/// # Errors
///
/// See [`RunError`].
pub fn run<F: IntoHandler>(
    handler: F,
    id: impl Into<String>,
    input: <F::Handler as Durable>::Input,
) -> Run<'static, F::Handler, ()> {
    durable_core::run(handler, id, input).store_or_else(|| Box::pin(open::default_store()))
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
