//! Durable execution for ordinary async functions.

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

pub use open::open;

/// What expansions of `#[durable]` name. Not public API.
#[doc(hidden)]
pub use durable_core::private as __private;

/// Runs `handler` as the execution `id` to its end in this process.
///
/// Waits are slept through. Run again with the same id after a crash, it goes on where it was;
/// after the end it answers with the recorded output. Without [`Run::store`] the checkpoints are
/// kept where the environment variable `DURABLE_STORE` says, else in `durable.db` in the current
/// folder.
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
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(all(doctest, feature = "lambda"))]
#[doc = include_str!("../../docs/lambda.md")]
struct OnLambda;

#[cfg(all(doctest, feature = "postgres"))]
#[doc = include_str!("../../docs/postgres.md")]
struct OnPostgres;

#[cfg(doctest)]
#[doc = include_str!("../../docs/migration.md")]
struct Migration;

#[cfg(doctest)]
#[doc = include_str!("../../docs/determinism.md")]
struct Determinism;

#[cfg(doctest)]
#[doc = include_str!("../../docs/guarantees.md")]
struct Guarantees;

#[cfg(doctest)]
#[doc = include_str!("../../docs/testing.md")]
struct Testing;

#[cfg(doctest)]
#[doc = include_str!("../../docs/upgrades.md")]
struct Upgrades;

#[cfg(doctest)]
#[doc = include_str!("../../docs/workers.md")]
struct Workers;

#[cfg(all(doctest, feature = "msgpack"))]
#[doc = include_str!("../../docs/values.md")]
struct Values;
