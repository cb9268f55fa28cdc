//! Call sites that move to other scopes while executions are in flight.

mod ambiguous;
mod deploy;
mod in_progress;
mod scopes;
