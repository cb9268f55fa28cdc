//! Arguments of `durable graph`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use durable_core::ExecutionId;

/// Arguments of `durable graph`.
#[derive(Debug, Args)]
pub struct Graph {
    /// Handler to draw [default: all]
    pub handler: Option<String>,
    /// Lock file with the names to draw, written by `names!`
    #[arg(long, value_name = "FILE", default_value = "durable.lock")]
    pub lock: PathBuf,
    /// Show the progress of this execution
    #[arg(long, value_name = "ID", conflicts_with = "handler")]
    pub execution: Option<ExecutionId>,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Mermaid)]
    pub format: Format,
}

/// Output format of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Mermaid text, which Markdown viewers draw
    Mermaid,
    /// SVG image
    Svg,
}
