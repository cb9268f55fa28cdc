//! Workers and clients, as programs use them.

#[path = "../it/delegate.rs"]
mod delegate;

mod basics;
mod chaos;
mod faults;
mod inputs;
mod operators;
mod resilience;
mod sigterm;
mod support;
mod upgrade;
