//! Arguments that select executions.

use clap::Args;
use durable_core::store::{ExecutionStatus, Filter};
use durable_core::{Clock, ExecutionId, SystemClock, Timestamp};

use super::values::{duration, label, labels, statuses};

/// Filters of executions.
#[derive(Debug, Clone, Default, Args)]
pub struct MatchArgs {
    /// Only executions with this status; may be repeated or separated by commas
    #[arg(long, value_delimiter = ',', value_parser = statuses())]
    pub status: Vec<ExecutionStatus>,
    /// Only executions of this handler
    #[arg(long, value_name = "NAME")]
    pub handler: Option<String>,
    /// Only executions of this queue
    #[arg(long, value_name = "NAME")]
    pub queue: Option<String>,
    /// Only executions whose id begins with this
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,
    /// Only executions started longer ago than this, as in 90s, 15m, 12h or 30d
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub older_than: Option<std::time::Duration>,
    /// Only executions started within this time
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub newer_than: Option<std::time::Duration>,
    /// Only executions with this label, as in tenant=acme; if repeated, with all of them
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
    /// Only paused executions
    #[arg(long)]
    pub paused: bool,
}

impl MatchArgs {
    /// Converts to the filter of stores, or returns a message if there are too many labels.
    pub(crate) fn filter(self) -> Result<Filter, String> {
        let ago = |time: std::time::Duration| {
            let now = SystemClock.now().as_millis();
            let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
            Timestamp::from_millis(now.saturating_sub(millis))
        };
        Ok(Filter {
            labels: labels(self.labels)?,
            status: self.status,
            handler: self.handler,
            queue: self.queue,
            prefix: self.prefix,
            created_before: self.older_than.map(ago),
            created_from: self.newer_than.map(ago),
            paused: self.paused.then_some(true),
            ..Filter::default()
        })
    }

    /// Whether no filter is given.
    fn is_empty(&self) -> bool {
        let texts = [&self.handler, &self.queue, &self.prefix];
        let times = [self.older_than, self.newer_than];
        self.status.is_empty()
            && self.labels.is_empty()
            && texts.iter().all(|text| text.is_none())
            && times.iter().all(Option::is_none)
            && !self.paused
    }
}

/// Executions to change, given by ids or by filters.
#[derive(Debug, Args)]
pub struct SelectArgs {
    /// Ids of executions
    #[arg(value_name = "ID")]
    pub ids: Vec<ExecutionId>,
    /// Filters, instead of ids.
    #[command(flatten)]
    pub matching: MatchArgs,
    /// Select every execution, instead of ids
    #[arg(long)]
    pub all: bool,
    /// Options of the change.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Options of a change.
#[derive(Debug, Clone, Copy, Args)]
pub struct ChangeArgs {
    /// Only print what would be changed
    #[arg(long)]
    pub dry_run: bool,
    /// Change executions selected by filters without confirmation
    #[arg(long, short)]
    pub yes: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Selected executions.
pub(crate) enum Selection {
    Ids(Vec<ExecutionId>),
    Matching(Box<Filter>),
}

impl SelectArgs {
    /// Returns the selection, or a message if the arguments are missing or contradict each other.
    pub(crate) fn selection(self) -> Result<Selection, String> {
        match (self.ids.is_empty(), self.matching.is_empty(), self.all) {
            (false, true, false) => Ok(Selection::Ids(self.ids)),
            (true, false, false) | (true, true, true) => {
                Ok(Selection::Matching(Box::new(self.matching.filter()?)))
            }
            (true, true, false) => {
                Err("no executions selected: give ids, filters such as --status, or --all".into())
            }
            _ => Err("give either ids, or filters such as --status, or --all".into()),
        }
    }
}
