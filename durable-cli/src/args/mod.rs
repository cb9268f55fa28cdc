//! The command line.

mod check;
mod graph;
#[cfg(feature = "lambda")]
mod lambda;
mod queue;
mod schedule;
mod select;
#[cfg(feature = "serve")]
mod serve;
pub(crate) mod values;

use clap::{Args, Parser, Subcommand};
use durable_core::ExecutionId;
use durable_core::store::ExecutionStatus;

pub use check::Check;
pub(crate) use graph::Format;
pub use graph::Graph;
#[cfg(feature = "lambda")]
pub use lambda::{Lambda, Sandbox};
pub use queue::{QueueArgs, QueueCommand};
pub use schedule::{Backfill, CatchUp, Overlap, ScheduleCommand, SetSchedule};
pub(crate) use select::Selection;
pub use select::{ChangeArgs, MatchArgs, SelectArgs};
#[cfg(feature = "serve")]
pub use serve::Serve;

/// Inspect and manage durable executions
#[derive(Debug, Parser)]
#[command(name = "durable", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// URL of the store
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "DURABLE_STORE",
        hide_env_values = true,
        default_value = "sqlite:durable.db"
    )]
    pub store: String,
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 success, 1 error, 2 invalid arguments, 3 no such execution, 4 an execution would not resume (check),
5 some changes were refused or not confirmed.
Colours are used on a terminal unless NO_COLOR is set.";

/// Commands of `durable`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List executions in the order of their ids
    Ls(Ls),
    /// Show an execution and the tree of its operations
    Show(Show),
    /// Check open executions against the names of the code to be deployed
    Check(Check),
    /// Draw the operations of handlers, or the progress of an execution
    Graph(Graph),
    /// Start an execution, to be run by a worker
    Start(Start),
    /// Start an execution with the history of another one, up to an operation
    Fork(Fork),
    /// Cancel executions: they stop, run their undo steps and end
    Cancel(SelectArgs),
    /// Pause executions until they are resumed
    Pause(SelectArgs),
    /// Resume paused executions, and retry blocked ones
    Resume(SelectArgs),
    /// Retry executions that failed or were cancelled
    Retry(Retry),
    /// Remove ended executions and their histories
    Rm(SelectArgs),
    /// Remove executions that ended long ago
    Gc(Gc),
    /// Complete, fail or keep alive callbacks
    #[command(subcommand)]
    Callback(Callback),
    /// Send a message to an execution
    Send(SendArgs),
    /// Manage queues and their limits
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Manage schedules
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Serve a page and an API over the store
    #[cfg(feature = "serve")]
    Serve(Serve),
    /// Run Lambda functions locally, with the durable execution API
    #[cfg(feature = "lambda")]
    Lambda(Box<Lambda>),
    /// Run a function until the server ends
    #[cfg(feature = "lambda")]
    #[command(hide = true)]
    Sandbox(Sandbox),
    /// Print the SQL that creates the table for steps with `tx`
    TransactionSchema {
        /// Database to create it in
        dialect: Dialect,
    },
    /// Print the completion script of a shell
    Completion {
        /// Shell to complete for
        shell: clap_complete::Shell,
    },
}

/// Dialect of SQL.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Dialect {
    /// PostgreSQL
    Postgres,
    /// MySQL or MariaDB
    #[value(name = "mysql")]
    MySql,
    /// SQLite
    Sqlite,
}

/// Arguments of `durable ls`.
#[derive(Debug, Args)]
pub struct Ls {
    /// Filters of the listing.
    #[command(flatten)]
    pub matching: MatchArgs,
    /// Only executions whose id sorts after this one, to get the next page
    #[arg(long, value_name = "ID", conflicts_with = "newest")]
    pub after: Option<ExecutionId>,
    /// List executions that were started last first, instead of in the order of their ids
    #[arg(long)]
    pub newest: bool,
    /// Maximum number of executions
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Show the latest value that each execution has published under this name
    #[arg(long, value_name = "NAME", conflicts_with = "json")]
    pub published: Option<String>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `durable show`.
#[derive(Debug, Args)]
pub struct Show {
    /// Id of the execution
    pub id: ExecutionId,
    /// Show values, keys and labels in full
    #[arg(long)]
    pub full: bool,
    /// Print each change as a line until the execution ends
    #[arg(long, short, conflicts_with = "full")]
    pub follow: bool,
    /// Print one JSON object instead of a tree; with --follow, one per line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `durable start`.
#[derive(Debug, Args)]
pub struct Start {
    /// Name of the handler
    pub handler: String,
    /// Id of the execution; starting the same id again changes nothing
    pub id: ExecutionId,
    /// Input, as JSON
    #[arg(long, value_name = "JSON", value_parser = values::json, default_value = "null")]
    pub input: durable_core::json::Exact,
    /// Earliest time to run, as in 2026-11-25T03:00:00Z
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub at: Option<durable_core::Timestamp>,
    /// Queue to start it in.
    #[command(flatten)]
    pub queue: QueueArgs,
    /// Label, as in tenant=acme; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = values::label)]
    pub labels: Vec<(String, String)>,
    /// Message to send to the execution, whether it is new or exists, as in approved=true
    #[arg(long, value_name = "NAME=JSON", value_parser = values::message)]
    pub message: Option<(String, durable_core::json::Exact)>,
    /// Id of the message: repeating the command with the same id sends nothing twice
    #[arg(long, value_name = "ID", requires = "message")]
    pub message_id: Option<String>,
    /// Wait until the execution ends and print its output
    #[arg(long)]
    pub wait: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `durable fork`.
#[derive(Debug, Args)]
pub struct Fork {
    /// Id of the execution whose history is taken over
    pub id: ExecutionId,
    /// Id of the new execution; repeating the fork changes nothing
    pub new_id: ExecutionId,
    /// Take over what started before this operation, named as in `show` [default: everything that has ended]
    #[arg(long, value_name = "NAME", conflicts_with = "after")]
    pub before: Option<String>,
    /// Take over this operation, and what started before its end
    #[arg(long, value_name = "NAME")]
    pub after: Option<String>,
    /// Another input, as JSON
    #[arg(long, value_name = "JSON", value_parser = values::json)]
    pub input: Option<durable_core::json::Exact>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `durable retry`.
#[derive(Debug, Args)]
pub struct Retry {
    /// Executions to retry.
    #[command(flatten)]
    pub select: SelectArgs,
    /// Retry from this operation, named as in `show` [default: the operations that failed]
    #[arg(long, value_name = "NAME", conflicts_with = "from_start")]
    pub from: Option<String>,
    /// Retry from the beginning
    #[arg(long)]
    pub from_start: bool,
}

/// Arguments of `durable gc`.
#[derive(Debug, Args)]
pub struct Gc {
    /// How long to keep executions after their end, as in 12h or 30d
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub keep: std::time::Duration,
    /// Only executions that ended with this status: succeeded, failed, cancelled or continued
    #[arg(long, value_delimiter = ',', value_parser = values::statuses())]
    pub status: Vec<ExecutionStatus>,
    /// Options of the removal.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Arguments of `durable send`.
#[derive(Debug, Args)]
pub struct SendArgs {
    /// Id of the execution
    pub execution: String,
    /// Name of the message, as in `receive!("NAME")`
    pub name: String,
    /// Value, as JSON
    #[arg(value_parser = values::json, default_value = "null")]
    pub value: durable_core::json::Exact,
    /// Id of the message: repeating the command with the same id sends nothing twice
    #[arg(long)]
    pub id: Option<String>,
}

/// Commands of `durable callback`.
#[derive(Debug, Subcommand)]
pub enum Callback {
    /// Complete a callback with a value
    Complete {
        /// Id of the callback
        id: String,
        /// Value, as JSON
        #[arg(value_parser = values::json, default_value = "null")]
        value: durable_core::json::Exact,
    },
    /// Fail a callback with an error message
    Fail {
        /// Id of the callback
        id: String,
        /// Error message
        message: String,
    },
    /// Record a heartbeat of a callback
    Heartbeat {
        /// Id of the callback
        id: String,
    },
}
