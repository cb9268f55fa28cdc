//! Which executions a command is about.

use clap::Args;
use durable_core::store::{ExecutionStatus, Filter};
use durable_core::{Clock, ExecutionId, SystemClock, Timestamp};

use super::values::{duration, statuses};

/// Executions by what is known of them.
#[derive(Debug, Clone, Default, Args)]
pub struct Where {
    /// Only executions in this state; may be repeated or separated by commas
    #[arg(long, value_delimiter = ',', value_parser = statuses())]
    pub status: Vec<ExecutionStatus>,
    /// Only executions of this handler
    #[arg(long, value_name = "NAME")]
    pub handler: Option<String>,
    /// Only executions that were started in this queue
    #[arg(long, value_name = "NAME")]
    pub queue: Option<String>,
    /// Only executions whose id begins with this
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,
    /// Only executions that were started longer ago than this, as in 90s, 15m, 12h or 30d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub older_than: Option<std::time::Duration>,
    /// Only executions that were started within this time
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub newer_than: Option<std::time::Duration>,
    /// Only executions that are paused
    #[arg(long)]
    pub paused: bool,
}

impl Where {
    /// What stores understand.
    pub(crate) fn filter(self) -> Filter {
        let ago = |time: std::time::Duration| {
            let now = SystemClock.now().as_millis();
            let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
            Timestamp::from_millis(now.saturating_sub(millis))
        };
        Filter {
            status: self.status,
            handler: self.handler,
            queue: self.queue,
            prefix: self.prefix,
            created_before: self.older_than.map(ago),
            created_from: self.newer_than.map(ago),
            paused: self.paused.then_some(true),
            ..Filter::default()
        }
    }

    /// Whether nothing is said.
    fn is_open(&self) -> bool {
        let texts = [&self.handler, &self.queue, &self.prefix];
        let times = [self.older_than, self.newer_than];
        self.status.is_empty()
            && texts.iter().all(|text| text.is_none())
            && times.iter().all(Option::is_none)
            && !self.paused
    }
}

/// Executions by their ids, or all that match.
#[derive(Debug, Args)]
pub struct Which {
    /// Ids of executions
    #[arg(value_name = "ID")]
    pub ids: Vec<ExecutionId>,
    /// In place of ids: executions that match all of these
    #[command(flatten)]
    pub matching: Where,
    /// In place of ids: every execution
    #[arg(long)]
    pub all: bool,
    /// How it is done.
    #[command(flatten)]
    pub how: How,
}

/// How a change is made.
#[derive(Debug, Clone, Copy, Args)]
pub struct How {
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask before many executions are changed
    #[arg(long, short)]
    pub yes: bool,
    /// One JSON object for programs
    #[arg(long)]
    pub json: bool,
}

/// What was asked for, in one of the two ways.
pub(crate) enum Chosen {
    Ids(Vec<ExecutionId>),
    Matching(Filter),
}

impl Which {
    pub(crate) fn choose(self) -> Result<Chosen, String> {
        match (self.ids.is_empty(), self.matching.is_open(), self.all) {
            (false, true, false) => Ok(Chosen::Ids(self.ids)),
            (true, false, false) | (true, true, true) => {
                Ok(Chosen::Matching(self.matching.filter()))
            }
            (true, true, false) => {
                Err("say which executions: ids, or --status and the like, or --all".into())
            }
            _ => Err("give either ids, or --status and the like, or --all".into()),
        }
    }
}
