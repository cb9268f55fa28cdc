//! Numbers of executions and operations.

use super::{AdminStore, ExecutionStatus, Filter, StoreError, StoreErrorKind};
use crate::{ExecutionId, Timestamp};

/// Executions that are read in one go.
const PAGE: usize = 500;

/// Executions of one handler in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// Name of the handler.
    pub handler: String,
    /// The state.
    pub status: ExecutionStatus,
    /// How many.
    pub executions: u64,
    /// When the oldest of them was started.
    pub oldest: Timestamp,
    /// When the state of one of them last changed.
    pub updated: Timestamp,
}

/// Answer to [`AdminStore::counts`](super::AdminStore::counts).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// By handler and status; states that no execution is in are left out.
    pub counts: Vec<Count>,
    /// Whether every execution was counted.
    pub complete: bool,
}

/// Counts by listing.
pub(super) async fn count<S: AdminStore + ?Sized>(
    store: &S,
    limit: usize,
) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    let (mut left, mut after) = (limit, None);
    while left > 0 {
        let page = store
            .list(Filter {
                after: after.take(),
                limit: PAGE.min(left),
                ..Filter::default()
            })
            .await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        left -= page.len().min(left);
        for execution in page {
            counts.add(Count {
                handler: execution.handler,
                status: execution.status,
                executions: 1,
                oldest: execution.created_at,
                updated: execution.updated_at,
            });
        }
    }
    counts.complete = left > 0;
    Ok(counts)
}

/// Counts operations by reading histories.
pub(super) async fn count_operations<S: AdminStore + ?Sized>(
    store: &S,
    ids: &[ExecutionId],
) -> Result<Vec<u64>, StoreError> {
    let mut counts = Vec::with_capacity(ids.len());
    for id in ids {
        counts.push(match store.history(id).await {
            Ok(records) => records.len() as u64,
            Err(error) if error.kind() == StoreErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        });
    }
    Ok(counts)
}

impl Counts {
    /// Adds executions to those of the same handler and state.
    pub fn add(&mut self, more: Count) {
        let place = self
            .counts
            .binary_search_by(|count| key(count).cmp(&key(&more)));
        match place {
            Ok(place) => {
                let count = &mut self.counts[place];
                count.executions += more.executions;
                count.oldest = count.oldest.min(more.oldest);
                count.updated = count.updated.max(more.updated);
            }
            Err(place) => self.counts.insert(place, more),
        }
    }

    /// How many executions were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|count| count.executions).sum()
    }
}

fn key(count: &Count) -> (&str, &str) {
    (&count.handler, count.status.as_str())
}
