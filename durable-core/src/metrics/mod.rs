//! Metrics through the facade `metrics` (feature `metrics`).
//!
//! The call sites are the same with and without the feature. Without it, every function is empty and every type has
//! no size.
//!
//! Nothing is exported by default: install a recorder, such as that of `metrics-exporter-prometheus`, before the
//! worker starts. The guide on observability lists every metric with its labels.

#[cfg(feature = "metrics")]
mod describe;
#[cfg(not(feature = "metrics"))]
mod disabled;
#[cfg(feature = "metrics")]
mod enabled;

#[cfg(feature = "metrics")]
pub use describe::describe;
#[cfg(not(feature = "metrics"))]
pub(crate) use disabled::*;
#[cfg(feature = "metrics")]
pub(crate) use enabled::*;

/// End of an attempt, as the value of the label `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AttemptOutcome {
    Succeeded,
    /// The operation failed: no further attempt follows.
    Failed,
    /// The attempt failed, and another one follows.
    Retried,
    /// The condition of a `poll!` does not hold yet.
    Pending,
}
