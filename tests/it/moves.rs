//! Call sites that move to other scopes while executions are in flight.

mod deploy;
mod flight;
mod shapes;
mod unknown;
