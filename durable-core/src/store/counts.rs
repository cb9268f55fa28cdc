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
    /// When the state of one of them last changed. A store may look only at those that were started last.
    pub updated: Timestamp,
    /// Whether all of them were counted; otherwise there are more.
    pub complete: bool,
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
                complete: true,
            });
        }
    }
    counts.complete = left > 0;
    for count in &mut counts.counts {
        count.complete = counts.complete;
    }
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
    /// Returns how many executions of each group a store counts, if it counts `limit` in total.
    pub fn share(limit: usize, groups: usize) -> u64 {
        (limit / groups.max(1)).max(1) as u64
    }

    /// Builds the counts from groups that were counted up to one more than their [`share`](Self::share). Groups with fewer
    /// are counted in full; the others get what is left of the limit, up to their share.
    pub fn within(limit: usize, share: u64, groups: Vec<Count>) -> Self {
        let mut left = limit as u64;
        let (small, large): (Vec<_>, Vec<_>) = groups
            .into_iter()
            .partition(|group| group.executions <= share);
        let mut counts = Self {
            complete: large.is_empty(),
            ..Self::default()
        };
        let large = large.into_iter().map(|group| Count {
            executions: share,
            complete: false,
            ..group
        });
        for mut group in small.into_iter().chain(large) {
            group.complete &= group.executions <= left;
            group.executions = group.executions.min(left);
            left -= group.executions;
            counts.complete &= group.complete;
            if group.executions > 0 {
                counts.add(group);
            }
        }
        counts
    }

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
                count.complete &= more.complete;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn group(handler: &str, executions: u64) -> Count {
        Count {
            handler: handler.to_owned(),
            status: ExecutionStatus::Failed,
            executions,
            oldest: Timestamp::default(),
            updated: Timestamp::default(),
            complete: true,
        }
    }

    fn within(limit: usize, sizes: &[u64]) -> (Vec<(u64, bool)>, bool) {
        let share = Counts::share(limit, sizes.len());
        let groups = sizes.iter().enumerate();
        let groups = groups.map(|(n, size)| group(&n.to_string(), (*size).min(share + 1)));
        let counts = Counts::within(limit, share, groups.collect());
        let all = counts.counts.iter();
        let all = all.map(|count| (count.executions, count.complete));
        (all.collect(), counts.complete)
    }

    #[test]
    fn small_groups_are_counted_in_full() {
        assert_eq!(within(9, &[]), (vec![], true));
        assert_eq!(
            within(9, &[2, 1, 3]),
            (vec![(2, true), (1, true), (3, true)], true)
        );
        assert_eq!(
            within(30, &[1_000_000, 7, 0, 10]),
            (vec![(7, false), (7, true), (7, false)], false)
        );
        // Fewer than there are groups.
        assert_eq!(within(2, &[2, 1, 1]), (vec![(1, true), (1, true)], false));
        assert_eq!(within(0, &[1]), (vec![], false));
    }
}
