//! Tests of the fake itself.

#[path = "fake/faults.rs"]
mod faults;
#[path = "fake/invocations.rs"]
mod invocations;
#[path = "fake/support.rs"]
mod support;
#[path = "fake/tokens.rs"]
mod tokens;
#[path = "fake/transitions.rs"]
mod transitions;
