//! Durable execution for ordinary async functions.

pub use durable_core::*;

/// What expansions of `#[durable]` name. Not public API.
#[doc(hidden)]
pub use durable_core::private as __private;
