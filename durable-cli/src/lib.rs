//! The `durable` command: lists executions and shows what became of their operations.
//!
//! The command is a thin shell around this library: [`Cli`] is what was asked for, [`run`] answers
//! it with a text, [`render`] makes that text from executions and records and touches nothing else.
//! What `--json` prints is described in [`json`].

mod args;
mod check;
mod error;
mod graph;
pub mod json;
pub mod render;
mod run;
mod secrets;
mod store;
mod text;
mod tree;

pub use args::{Cli, Command, Ls, Show};
pub use check::Check;
pub use error::CliError;
pub use graph::Graph;
pub use run::run;
