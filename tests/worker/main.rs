//! Workers and clients, used as in a program.

mod basics;
mod chaos;
mod clock;
mod faults;
mod forks;
mod inputs;
mod labels;
mod metrics;
mod operators;
mod resilience;
mod sigterm;
mod support;
mod upgrade;
