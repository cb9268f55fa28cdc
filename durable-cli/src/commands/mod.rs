//! Commands, one file each.

pub(crate) mod bulk;
pub(crate) mod callback;
pub(crate) mod follow;
pub(crate) mod fork;
#[cfg(feature = "lambda")]
pub(crate) mod lambda;
pub(crate) mod queue;
#[cfg(feature = "lambda")]
pub(crate) mod sandbox;
pub(crate) mod schedule;
pub(crate) mod send;
#[cfg(feature = "serve")]
pub(crate) mod serve;
#[cfg(any(feature = "lambda", feature = "serve"))]
mod signal;
pub(crate) mod start;
