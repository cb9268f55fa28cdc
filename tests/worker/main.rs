//! Workers and clients, as programs use them.

mod basics;
mod chaos;
mod faults;
mod inputs;
mod operators;
mod resilience;
mod sigterm;
mod support;
mod upgrade;
