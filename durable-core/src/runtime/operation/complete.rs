//! Completion policies and results of `map!` and `parallel!`.

use std::fmt;

use crate::model::error::OperationError;

/// Completion policy of a `map!` or `parallel!`: when it ends before all of its branches have.
///
/// It decides when to stop, not whether that is a failure. The handler decides that with
/// [`BatchResult::reason`] or [`BatchResult::into_values`].
///
/// ```
/// use durable_core::Complete;
///
/// let any = Complete::first_success();
/// let quorum = Complete::all().min_successful(3).tolerated_failures(1);
/// let mostly = Complete::all().tolerated_share(0.25);
/// # let _ = (any, quorum, mostly);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Complete {
    min_successful: Option<usize>,
    tolerated_failures: Option<usize>,
    tolerated_share: Option<f64>,
}

impl Complete {
    /// Runs every branch to its end, whether others fail or not.
    pub fn all() -> Self {
        Self::default()
    }

    /// Completes with the first branch that succeeds.
    pub fn first_success() -> Self {
        Self::all().min_successful(1)
    }

    /// Completes with the first failure.
    pub fn fail_fast() -> Self {
        Self::all().tolerated_failures(0)
    }

    /// Completes when this many branches have succeeded.
    #[must_use]
    pub fn min_successful(mut self, branches: usize) -> Self {
        self.min_successful = Some(branches);
        self
    }

    /// Completes when more than this many branches have failed.
    #[must_use]
    pub fn tolerated_failures(mut self, branches: usize) -> Self {
        self.tolerated_failures = Some(branches);
        self
    }

    /// Completes when more than this share of all branches has failed. From 0.0 to 1.0.
    #[must_use]
    pub fn tolerated_share(mut self, share: f64) -> Self {
        self.tolerated_share = Some(share);
        self
    }

    /// Returns the reason if this many successes and failures of `total` branches complete it.
    pub(crate) fn check(self, succeeded: usize, failed: usize, total: usize) -> Option<Reason> {
        let too_many = self.tolerated_failures.is_some_and(|max| failed > max)
            || self
                .tolerated_share
                .is_some_and(|share| failed as f64 > share * total as f64);
        if too_many {
            Some(Reason::FailureToleranceExceeded)
        } else if succeeded + failed == total {
            Some(Reason::AllCompleted)
        } else if self.min_successful.is_some_and(|min| succeeded >= min) {
            Some(Reason::MinSuccessfulReached)
        } else {
            None
        }
    }

    /// Returns an error message if the policy is invalid.
    pub(crate) fn fault(self) -> Option<&'static str> {
        match self.tolerated_share {
            Some(share) if !(0.0..=1.0).contains(&share) => {
                Some("the tolerated share of failures must be from 0.0 to 1.0")
            }
            _ => None,
        }
    }
}

/// Why a `map!` or `parallel!` is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Every branch has ended.
    AllCompleted,
    /// Enough branches have succeeded.
    MinSuccessfulReached,
    /// More branches have failed than are tolerated.
    FailureToleranceExceeded,
}

impl Reason {
    /// Returns the word used in histories. Never changes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllCompleted => "all_completed",
            Self::MinSuccessfulReached => "min_successful_reached",
            Self::FailureToleranceExceeded => "failure_tolerance_exceeded",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [
            Self::AllCompleted,
            Self::MinSuccessfulReached,
            Self::FailureToleranceExceeded,
        ]
        .into_iter()
        .find(|reason| reason.as_str() == word)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Outcome of one branch.
#[derive(Debug, Clone, PartialEq)]
pub enum BranchOutcome<T> {
    /// The branch ended with this value.
    Succeeded(T),
    /// The branch ended with this error.
    Failed(OperationError),
    /// The branch was running when the `map!` or `parallel!` was complete, and was dropped.
    Abandoned,
    /// The branch was never started.
    NotStarted,
}

/// Result of a `map!` or `parallel!`: one entry per item, in the order of the items.
///
/// Iterating over it yields a [`BranchOutcome`] for every item, whether it succeeded or not, so that the
/// entries line up with the items. [`values`](Self::values) and [`into_values`](Self::into_values) return only
/// those that succeeded.
///
/// ```
/// use durable_core::{BatchResult, BranchOutcome};
///
/// let files = ["a.csv", "b.csv"];
/// let result = BatchResult::of_values([3, 4]);
/// assert_eq!(result.len(), files.len());
/// for (file, outcome) in files.iter().zip(&result) {
///     match outcome {
///         BranchOutcome::Succeeded(rows) => println!("{file}: {rows} rows"),
///         other => println!("{file}: {other:?}"),
///     }
/// }
/// let rows: Vec<BranchOutcome<i32>> = result.into_iter().collect();
/// assert_eq!(rows[1], BranchOutcome::Succeeded(4));
/// ```
///
/// A codec for the result (`result_codec` of `map!`) creates one when it decodes:
///
/// ```
/// use durable_core::{BatchResult, BoxError, Codec};
///
/// /// The values alone, in one line.
/// struct Line;
///
/// impl Codec<BatchResult<String>> for Line {
///     fn name(&self) -> &'static str {
///         "line"
///     }
///     fn encode(&self, result: &BatchResult<String>) -> Result<Vec<u8>, BoxError> {
///         let values: Vec<&str> = result.values().map(String::as_str).collect();
///         Ok(values.join(",").into_bytes())
///     }
///     fn decode(&self, bytes: &[u8]) -> Result<BatchResult<String>, BoxError> {
///         let values = std::str::from_utf8(bytes)?.split(',').map(str::to_owned);
///         Ok(BatchResult::of_values(values))
///     }
/// }
/// # fn main() -> Result<(), BoxError> {
/// # let result = BatchResult::of_values(["a".to_owned(), "b".to_owned()]);
/// # assert_eq!(Line.decode(&Line.encode(&result)?)?, result);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BatchResult<T> {
    pub(crate) branches: Vec<BranchOutcome<T>>,
    pub(crate) reason: Reason,
}

impl<T> BatchResult<T> {
    /// Creates a result of these branches, in the order of the items, that was complete for `reason`.
    pub fn new(branches: Vec<BranchOutcome<T>>, reason: Reason) -> Self {
        Self { branches, reason }
    }

    /// Creates a result whose branches have all succeeded with these values.
    pub fn of_values(values: impl IntoIterator<Item = T>) -> Self {
        let branches = values.into_iter().map(BranchOutcome::Succeeded).collect();
        Self::new(branches, Reason::AllCompleted)
    }

    /// Returns why it is complete.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Returns the outcome of each item, in the order of the items.
    pub fn branches(&self) -> &[BranchOutcome<T>] {
        &self.branches
    }

    /// Iterates over the outcome of each item, in the order of the items.
    pub fn iter(&self) -> std::slice::Iter<'_, BranchOutcome<T>> {
        self.branches.iter()
    }

    /// Returns the number of items, whether they succeeded or not.
    pub fn len(&self) -> usize {
        self.branches.len()
    }

    /// Returns whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.branches.is_empty()
    }

    /// Iterates over the values of the branches that succeeded, in the order of the items.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.branches.iter().filter_map(|branch| match branch {
            BranchOutcome::Succeeded(value) => Some(value),
            _ => None,
        })
    }

    /// Iterates over the errors of the branches that failed, in the order of the items.
    pub fn errors(&self) -> impl Iterator<Item = &OperationError> {
        self.branches.iter().filter_map(|branch| match branch {
            BranchOutcome::Failed(error) => Some(error),
            _ => None,
        })
    }

    /// Returns how many branches succeeded.
    pub fn succeeded(&self) -> usize {
        self.values().count()
    }

    /// Returns how many branches failed.
    pub fn failed(&self) -> usize {
        self.errors().count()
    }

    /// Returns whether any branch failed, even if [`Complete`] tolerates it.
    pub fn has_failures(&self) -> bool {
        self.errors().next().is_some()
    }

    /// Returns how many branches were started.
    pub fn started(&self) -> usize {
        let started = |branch: &&BranchOutcome<T>| !matches!(branch, BranchOutcome::NotStarted);
        self.branches.iter().filter(started).count()
    }

    /// Returns the values of the branches that succeeded, if none failed. There are fewer values than items if it was
    /// complete before all branches had ended. To tolerate failures, use
    /// [`into_succeeded`](Self::into_succeeded).
    ///
    /// # Errors
    ///
    /// The error of the first item that failed, even if [`Complete`] tolerates it.
    pub fn into_values(self) -> Result<Vec<T>, OperationError> {
        let mut values = Vec::with_capacity(self.branches.len());
        for branch in self.branches {
            match branch {
                BranchOutcome::Succeeded(value) => values.push(value),
                BranchOutcome::Failed(error) => return Err(error),
                BranchOutcome::Abandoned | BranchOutcome::NotStarted => {}
            }
        }
        Ok(values)
    }

    /// Returns the values of the branches that succeeded, in the order of the items, whether others failed or not.
    /// [`reason`](Self::reason) says whether there were enough.
    pub fn into_succeeded(self) -> Vec<T> {
        let values = self.branches.into_iter().filter_map(|branch| match branch {
            BranchOutcome::Succeeded(value) => Some(value),
            _ => None,
        });
        values.collect()
    }
}

/// Yields the outcome of each item, in the order of the items.
impl<T> IntoIterator for BatchResult<T> {
    type Item = BranchOutcome<T>;
    type IntoIter = std::vec::IntoIter<BranchOutcome<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.branches.into_iter()
    }
}

/// Yields the outcome of each item, in the order of the items.
impl<'a, T> IntoIterator for &'a BatchResult<T> {
    type Item = &'a BranchOutcome<T>;
    type IntoIter = std::slice::Iter<'a, BranchOutcome<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
