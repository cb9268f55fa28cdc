//! The command line.

mod check;
mod graph;
#[cfg(feature = "lambda")]
mod lambda;
mod select;
mod values;

use clap::{Args, Parser, Subcommand};
use durable_core::ExecutionId;
use durable_core::store::{ExecutionStatus, QueueEntry, Rate};

pub use check::Check;
pub(crate) use graph::Format;
pub use graph::Graph;
#[cfg(feature = "lambda")]
pub use lambda::{Lambda, Sandbox};
pub(crate) use select::Chosen;
pub use select::{How, Where, Which};

/// Looks into a store of durable executions, and changes what becomes of them.
#[derive(Debug, Parser)]
#[command(name = "durable", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// The store to look into
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "DURABLE_STORE",
        hide_env_values = true,
        default_value = "sqlite:durable.db"
    )]
    pub store: String,
    /// What to do with it.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 success, 1 error, 2 wrong usage, 3 no such execution, 4 an execution would not go on (check),
5 not all that was asked for was done.
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
    /// Start an execution; some worker runs it
    Start(Start),
    /// Cancel executions: they stop, take back what can be, and end
    Cancel(Which),
    /// Let nothing of executions run until they are resumed
    Pause(Which),
    /// Let paused executions go on, and blocked ones try again
    Resume(Which),
    /// Run executions again that have failed or were cancelled
    Retry(Retry),
    /// Remove executions that have ended, and their histories
    Rm(Which),
    /// Remove executions that ended long ago
    Gc(Gc),
    /// Complete what executions wait for from outside
    #[command(subcommand)]
    Callback(Callback),
    /// Limits of queues, and what is in them
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Executions that are started at certain times
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Run Lambda functions on this machine, with the durable execution API
    #[cfg(feature = "lambda")]
    Lambda(Box<Lambda>),
    /// Become a function that ends with the server
    #[cfg(feature = "lambda")]
    #[command(hide = true)]
    Sandbox(Sandbox),
    /// Print the completions for a shell, to be put where it looks for them
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Which executions to list, and how.
#[derive(Debug, Args)]
pub struct Ls {
    /// Which.
    #[command(flatten)]
    pub matching: Where,
    /// Only executions whose id comes after this one: the next page of a listing
    #[arg(long, value_name = "ID")]
    pub after: Option<ExecutionId>,
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
    /// Values, keys and labels at full length
    #[arg(long)]
    pub full: bool,
    /// Print what happens until the execution ends, one line each
    #[arg(long, short, conflicts_with = "full")]
    pub follow: bool,
    /// One JSON object for programs instead of a tree; with --follow one a line
    #[arg(long)]
    pub json: bool,
}

/// What to start.
#[derive(Debug, Args)]
pub struct Start {
    /// Name of the handler
    pub handler: String,
    /// Id of the execution: starting it again changes nothing
    pub id: ExecutionId,
    /// The input, as JSON
    #[arg(long, value_name = "JSON", value_parser = values::json, default_value = "null")]
    pub input: durable_core::json::Exact,
    /// Not before this time, as in 2026-11-25T03:00:00Z
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub at: Option<durable_core::Timestamp>,
    /// Where it waits.
    #[command(flatten)]
    pub place: Place,
    /// Wait for its end and print its output
    #[arg(long)]
    pub wait: bool,
    /// One JSON object for programs
    #[arg(long)]
    pub json: bool,
}

/// A place in a queue.
#[derive(Debug, Args)]
pub struct Place {
    /// The queue it waits in
    #[arg(long, value_name = "NAME")]
    pub queue: Option<String>,
    /// Whom it is for, where the queue limits how many run for each
    #[arg(long, value_name = "TEXT", requires = "queue")]
    pub key: Option<String>,
    /// Higher ones leave the queue first
    #[arg(
        long,
        value_name = "N",
        requires = "queue",
        default_value_t = 0,
        allow_hyphen_values = true
    )]
    pub priority: i32,
}

impl Place {
    pub(crate) fn entry(self) -> Option<QueueEntry> {
        let (key, priority) = (self.key, self.priority);
        self.queue.map(|queue| QueueEntry {
            key,
            priority,
            ..QueueEntry::new(queue)
        })
    }
}

/// What to run again, and from where.
#[derive(Debug, Args)]
pub struct Retry {
    /// Which.
    #[command(flatten)]
    pub which: Which,
    /// From this operation, as `show` writes it; from what failed when not given
    #[arg(long, value_name = "NAME", conflicts_with = "from_start")]
    pub from: Option<String>,
    /// From the beginning
    #[arg(long)]
    pub from_start: bool,
}

/// What ended how long ago.
#[derive(Debug, Args)]
pub struct Gc {
    /// How long executions are kept after their end, as in 12h or 30d
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub keep: std::time::Duration,
    /// Only those that ended like this: succeeded, failed, cancelled or continued
    #[arg(long, value_delimiter = ',', value_parser = values::statuses())]
    pub status: Vec<ExecutionStatus>,
    /// How it is done.
    #[command(flatten)]
    pub how: How,
}

/// What to tell an execution that waits.
#[derive(Debug, Subcommand)]
pub enum Callback {
    /// End a callback with a value
    Complete {
        /// The callback's id, as it was handed out
        id: String,
        /// The value, as JSON
        #[arg(value_parser = values::json, default_value = "null")]
        value: durable_core::json::Exact,
    },
    /// End a callback with an error
    Fail {
        /// The callback's id, as it was handed out
        id: String,
        /// What went wrong
        message: String,
    },
    /// Say that whoever will end a callback is alive
    Heartbeat {
        /// The callback's id, as it was handed out
        id: String,
    },
}

/// What to do with queues.
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// List queues, their limits and what is in them
    Ls {
        /// One JSON object for programs instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Set the limits of a queue; those that are not given are lifted
    Set {
        /// The queue's name
        name: String,
        /// At most so many executions at a time, from their first run to their end
        #[arg(long, value_name = "N")]
        concurrency: Option<u32>,
        /// At most so many at a time of each key
        #[arg(long, value_name = "N")]
        per_key: Option<u32>,
        /// At most so many starts within a time, as in 10/1s
        #[arg(long, value_name = "N/TIME", value_parser = values::rate)]
        rate: Option<Rate>,
    },
    /// Let nothing leave a queue
    Pause {
        /// The queue's name
        name: String,
    },
    /// Let executions leave a queue again
    Resume {
        /// The queue's name
        name: String,
    },
    /// Lift all limits of a queue; what is in it stays
    Rm {
        /// The queue's name
        name: String,
    },
}

/// What to do with schedules.
#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// List schedules and when they fire next
    Ls {
        /// One JSON object for programs instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Set up a schedule, in place of the one of the same name
    Set(Box<SetSchedule>),
    /// Let a schedule miss its firings
    Pause {
        /// The schedule's name
        name: String,
    },
    /// Let a schedule fire again, from now on
    Resume {
        /// The schedule's name
        name: String,
    },
    /// Forget a schedule; what it has started goes on
    Rm {
        /// The schedule's name
        name: String,
    },
}

/// A schedule.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("times").required(true).args(["cron", "every"])))]
pub struct SetSchedule {
    /// The schedule's name
    pub name: String,
    /// Name of the handler of what it starts
    pub handler: String,
    /// When it fires, as a cron expression: "30 3 * * MON-FRI"
    #[arg(long, value_name = "EXPRESSION")]
    pub cron: Option<String>,
    /// The time zone of the cron expression, as in Europe/Berlin
    #[arg(long, value_name = "NAME", default_value = "UTC")]
    pub zone: String,
    /// How often it fires, as in 15m
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub every: Option<std::time::Duration>,
    /// The input of what it starts, as JSON
    #[arg(long, value_name = "JSON", value_parser = values::json, default_value = "null")]
    pub input: durable_core::json::Exact,
    /// What happens when the execution of the firing before has not ended
    #[arg(long, value_enum, default_value_t = Overlap::Skip)]
    pub overlap: Overlap,
    /// What happens to firings that nobody was there for
    #[arg(long, value_enum, default_value_t = CatchUp::Latest)]
    pub catch_up: CatchUp,
    /// Where executions wait.
    #[command(flatten)]
    pub place: Place,
}

/// What happens when the execution of the firing before has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Overlap {
    /// Nothing is started this time.
    Skip,
    /// Both run.
    Allow,
    /// The one before is cancelled.
    CancelOther,
}

/// What happens to missed firings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CatchUp {
    /// The latest one is made up for.
    Latest,
    /// Every one is.
    All,
    /// None is.
    Skip,
}
