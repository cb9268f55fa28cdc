//! Tests of durable functions on the fake service.

#[path = "service/calls.rs"]
mod calls;
#[path = "service/edges.rs"]
mod edges;
#[path = "service/failures.rs"]
mod failures;
#[path = "service/limits.rs"]
mod limits;
#[path = "service/moves.rs"]
mod moves;
#[path = "service/operations.rs"]
mod operations;
#[path = "service/slicing.rs"]
mod slicing;
#[path = "service/support.rs"]
mod support;
