//! Arguments of `durable queue`, and those that put an execution in a queue.

use clap::{Args, Subcommand};
use durable_core::store::{QueueEntry, Rate};

use super::values;

/// Queue of an execution to be started.
#[derive(Debug, Args)]
pub struct QueueArgs {
    /// Queue to wait in
    #[arg(long, value_name = "NAME")]
    pub queue: Option<String>,
    /// Queue key, for the limit on executions of one key
    #[arg(long, value_name = "TEXT", requires = "queue")]
    pub key: Option<String>,
    /// Priority in the queue; higher ones run first
    #[arg(
        long,
        value_name = "N",
        requires = "queue",
        default_value_t = 0,
        allow_hyphen_values = true
    )]
    pub priority: i32,
}

impl QueueArgs {
    pub(crate) fn entry(self) -> Option<QueueEntry> {
        let (key, priority) = (self.key, self.priority);
        self.queue.map(|queue| QueueEntry {
            key,
            priority,
            ..QueueEntry::new(queue)
        })
    }
}

/// Commands of `durable queue`.
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// List queues, their limits and their executions
    Ls {
        /// Print one JSON object instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Set the limits of a queue, removing those that are not given
    Set {
        /// Name of the queue
        name: String,
        /// Maximum number of executions between their first run and their end
        #[arg(long, value_name = "N")]
        concurrency: Option<u32>,
        /// The same for each queue key
        #[arg(long, value_name = "N")]
        per_key: Option<u32>,
        /// Maximum number of starts within a time, as in 10/1s
        #[arg(long, value_name = "N/TIME", value_parser = values::rate)]
        rate: Option<Rate>,
    },
    /// Pause a queue: no execution leaves it
    Pause {
        /// Name of the queue
        name: String,
    },
    /// Resume a queue
    Resume {
        /// Name of the queue
        name: String,
    },
    /// Remove the limits of a queue; its executions stay
    Rm {
        /// Name of the queue
        name: String,
    },
}
