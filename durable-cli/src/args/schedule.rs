//! Arguments of `durable schedule`.

use clap::{Args, Subcommand};
use durable_core::schedule;

use super::QueueArgs;
use super::values;

/// Commands of `durable schedule`.
#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// List schedules and when they fire next
    Ls {
        /// Print one JSON object instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Create a schedule, or replace the one of the same name
    Set(Box<SetSchedule>),
    /// Pause a schedule: it skips its firings
    Pause {
        /// Name of the schedule
        name: String,
    },
    /// Resume a schedule from now on
    Resume {
        /// Name of the schedule
        name: String,
    },
    /// Start executions for past times of a schedule
    Backfill(Backfill),
    /// Remove a schedule; executions it started keep running
    Rm {
        /// Name of the schedule
        name: String,
    },
}

/// Arguments of `durable schedule backfill`.
#[derive(Debug, Args)]
pub struct Backfill {
    /// Name of the schedule
    pub name: String,
    /// Start of the range, as in 2026-11-25T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub from: durable_core::Timestamp,
    /// End of the range, which does not belong to it
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub to: durable_core::Timestamp,
    /// Maximum number of times; if there are more, nothing is started
    #[arg(long, value_name = "N", default_value_t = schedule::Backfill::DEFAULT_LIMIT)]
    pub limit: usize,
    /// Only print the executions of the range
    #[arg(long)]
    pub dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `durable schedule set`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("times").required(true).args(["cron", "every"])))]
pub struct SetSchedule {
    /// Name of the schedule
    pub name: String,
    /// Handler of the executions it starts
    pub handler: String,
    /// Cron expression, as in "30 3 * * MON-FRI"
    #[arg(long, value_name = "EXPRESSION")]
    pub cron: Option<String>,
    /// Time zone of the cron expression, as in Europe/Berlin
    #[arg(long, value_name = "NAME", default_value = "UTC")]
    pub zone: String,
    /// Interval, as in 15m
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub every: Option<std::time::Duration>,
    /// Input of the executions it starts, as JSON
    #[arg(long, value_name = "JSON", value_parser = values::json, default_value = "null")]
    pub input: durable_core::json::Exact,
    /// What to do if the execution of the previous firing has not ended
    #[arg(long, value_enum, default_value_t = Overlap::Skip)]
    pub overlap: Overlap,
    /// What to do about firings missed while no worker ran
    #[arg(long, value_enum, default_value_t = CatchUp::Latest)]
    pub catch_up: CatchUp,
    /// Label of the executions it starts, as in tenant=acme; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = values::label)]
    pub labels: Vec<(String, String)>,
    /// Queue of the executions it starts.
    #[command(flatten)]
    pub queue: QueueArgs,
}

/// Policy for a firing while the execution of the previous one has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Overlap {
    /// Skip this firing.
    Skip,
    /// Start another execution beside it.
    Allow,
    /// Cancel the previous execution.
    CancelOther,
}

/// Policy for missed firings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CatchUp {
    /// Start the latest one.
    Latest,
    /// Start all of them.
    All,
    /// Start none of them.
    Skip,
}
