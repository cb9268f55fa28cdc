//! The `durable` command: lists executions, shows what became of their operations, and changes what
//! becomes of them.
//!
//! The command is a thin shell around this library: [`Cli`] is what was asked for, [`run`] answers
//! it with a text, [`render`] makes that text from executions and records and touches nothing else.
//! What `--json` prints is described in [`json`].

mod args;
mod check;
mod commands;
mod error;
mod graph;
pub mod json;
pub mod render;
mod run;
mod secrets;
mod store;
mod text;
mod tree;

pub use args::{
    Callback, CatchUp, Check, Cli, Command, Gc, Graph, How, Ls, Overlap, Place, QueueCommand,
    Retry, ScheduleCommand, SetSchedule, Show, Start, Where, Which,
};
#[cfg(feature = "lambda")]
pub use args::{Lambda, Sandbox};
pub use error::CliError;
pub use run::{run, run_to};
