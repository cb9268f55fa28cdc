//! What a user may rely on, shown with the attribute, the engine and a store together.

mod branches;
mod cancel;
mod chains;
mod counters;
mod delegate;
mod edits;
mod errors;
mod families;
mod fan;
mod growth;
mod guarantees;
mod interrupted;
mod operations;
mod options;
mod panics;
mod random;
mod refusals;
mod slicing;
mod slow;
mod support;
mod traps;
mod twins;
mod undo;
mod unreadable;
mod values;
mod wholes;
