//! The `durable` command: lists, shows and manages durable executions.
//!
//! The binary is a thin wrapper around this library. [`Cli`] holds the parsed command line, [`run`]
//! executes it and returns the output, and [`render`] formats executions and records as text. The
//! output of `--json` is described in [`json`].

mod args;
mod check;
mod commands;
mod error;
mod graph;
pub mod json;
pub mod render;
mod run;
mod store;

#[cfg(feature = "serve")]
pub use args::Serve;
pub use args::{
    Backfill, Callback, CatchUp, ChangeArgs, Check, Cli, Command, Dialect, Fork, Gc, Graph, Ls,
    MatchArgs, Overlap, QueueArgs, QueueCommand, Retry, ScheduleCommand, SelectArgs, SetSchedule,
    Show, Start,
};
#[cfg(feature = "lambda")]
pub use args::{Lambda, Sandbox};
pub use error::CliError;
pub use run::{run, run_to};
