//! Workers and clients, as programs use them.

#[path = "../it/delegate.rs"]
mod delegate;

mod basics;
mod chaos;
mod resilience;
mod support;
