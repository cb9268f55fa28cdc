//! What a user may rely on, shown with the attribute, the engine and a store together.

mod counters;
mod edits;
mod errors;
mod guarantees;
mod interrupted;
mod support;
mod traps;
