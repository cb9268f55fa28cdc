//! Guides, one module per page. They are the pages of the folder `docs` of the repository.
//!
//! | guide | contents |
//! |---|---|
//! | [`determinism`] | what must be the same on every replay, and what the compiler refuses |
//! | [`values`] | how values are encoded, and what a codec cannot carry |
//! | [`testing`] | tests in memory on a virtual clock, crashes at every boundary, replays of recorded histories |
//! | [`upgrades`] | changing code while executions are in progress |
//! | [`guarantees`] | what holds after a crash, a power failure or a deploy |
//! | [`transactions`] | steps that commit in a transaction of your own database |
//! | [`workers`] | many executions: workers, clients, queues, schedules |
//! | [`observability`] | metrics, and traces with OpenTelemetry |
//! | [`postgres`] | many machines on one PostgreSQL database |
//! | [`lambda`] | AWS Lambda durable functions |
//! | [`local_lambda`] | AWS Lambda on your machine |
//! | [`migration`] | migrating from AWS's SDKs |

// Links between the pages are references, which the pages define as links to files. The definitions here come first, so in
// this documentation the links lead to modules.

#[doc = "[upgrades]: crate::guide::upgrades"]
#[doc = "[`shuffled`]: crate::guide::testing#different-orders"]
#[doc = ""]
#[doc = include_str!("../docs/determinism.md")]
pub mod determinism {}

#[doc = "[determinism]: crate::guide::determinism"]
#[doc = "[values]: crate::guide::values"]
#[doc = "[`crash_everywhere`]: crate::guide::testing#crashes-at-every-boundary"]
#[doc = "[`tx`]: crate::guide::transactions"]
#[doc = ""]
#[doc = include_str!("../docs/guarantees.md")]
pub mod guarantees {}

#[cfg(any(not(doctest), feature = "lambda"))]
#[doc = "[local Lambda]: crate::guide::local_lambda"]
#[doc = ""]
#[doc = include_str!("../docs/lambda.md")]
pub mod lambda {}

#[doc = include_str!("../docs/local-lambda.md")]
pub mod local_lambda {}

#[doc = include_str!("../docs/migration.md")]
pub mod migration {}

#[doc = include_str!("../docs/observability.md")]
pub mod observability {}

#[cfg(any(not(doctest), feature = "postgres"))]
#[doc = include_str!("../docs/postgres.md")]
pub mod postgres {}

#[doc = "[upgrades]: crate::guide::upgrades"]
#[doc = ""]
#[doc = include_str!("../docs/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/transactions.md")]
pub mod transactions {}

#[doc = include_str!("../docs/upgrades.md")]
pub mod upgrades {}

#[cfg(any(not(doctest), feature = "msgpack"))]
#[doc = include_str!("../docs/values.md")]
pub mod values {}

#[doc = include_str!("../docs/workers.md")]
pub mod workers {}
