//! The command line.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use durable_core::ExecutionId;
use durable_core::store::ExecutionStatus;

use crate::check::Check;
use crate::graph::Graph;

/// Looks into a store of durable executions.
#[derive(Debug, Parser)]
#[command(name = "durable", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// The store to look into
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "DURABLE_STORE",
        default_value = "sqlite:durable.db"
    )]
    pub store: String,
    /// What to do with it.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 success, 1 error, 2 wrong usage, 3 no such execution, 4 an execution would not go on (check).
Colours are used on a terminal unless NO_COLOR is set.";

/// What can be asked of a store.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List executions in the order of their ids
    Ls(Ls),
    /// Show an execution and the tree of its operations
    Show(Show),
    /// Check every open execution against the names of the code to be deployed
    Check(Check),
    /// Draw the operations of handlers, and how far an execution has come in them
    Graph(Graph),
}

/// Which executions to list, and how.
#[derive(Debug, Args)]
pub struct Ls {
    /// Only executions in this state; may be repeated or separated by commas
    #[arg(long, value_delimiter = ',', value_parser = statuses())]
    pub status: Vec<ExecutionStatus>,
    /// Only executions of this handler
    #[arg(long, value_name = "NAME")]
    pub handler: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// One JSON object for programs instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Which execution to show, and how.
#[derive(Debug, Args)]
pub struct Show {
    /// The execution's id
    pub id: ExecutionId,
    /// Values at full length
    #[arg(long)]
    pub full: bool,
    /// One JSON object for programs instead of a tree
    #[arg(long)]
    pub json: bool,
}

fn statuses() -> impl TypedValueParser<Value = ExecutionStatus> {
    PossibleValuesParser::new(ExecutionStatus::ALL.map(ExecutionStatus::as_str)).try_map(|word| {
        ExecutionStatus::from_word(&word).ok_or_else(|| format!("unknown status {word}"))
    })
}
