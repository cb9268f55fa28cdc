//! Arguments of `durable graph`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use durable_core::ExecutionId;

/// What to draw, and how.
#[derive(Debug, Args)]
pub struct Graph {
    /// The handler to draw; all of them when none is given
    pub handler: Option<String>,
    /// The names to draw: the file that `names!` keeps
    #[arg(long, value_name = "FILE", default_value = "durable.lock")]
    pub lock: PathBuf,
    /// Show how far this execution has come
    #[arg(long, value_name = "ID", conflicts_with = "handler")]
    pub execution: Option<ExecutionId>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Mermaid)]
    pub format: Format,
}

/// How a graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text that Markdown viewers draw
    Mermaid,
    /// A picture
    Svg,
}
