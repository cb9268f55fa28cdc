//! Delays before a failed execution is tried again, to avoid hot loops.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::ExecutionId;

/// Delay after the first failure; it doubles with each further one.
const FIRST: Duration = Duration::from_millis(100);
/// Maximum delay.
const LONGEST: Duration = Duration::from_secs(60);

/// Returns the delay after this many consecutive failures.
pub(super) fn delay(failures: u32) -> Duration {
    FIRST
        .saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(LONGEST)
}

/// Number of consecutive failures of each execution.
#[derive(Default)]
pub(super) struct Failures(Mutex<HashMap<ExecutionId, u32>>);

impl Failures {
    /// Counts a failure and returns the delay before the next try.
    pub(super) fn add(&self, id: &ExecutionId) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(id.clone()).or_default();
        *count = count.saturating_add(1);
        delay(*count)
    }

    /// Resets the count after a success.
    pub(super) fn forget(&self, id: &ExecutionId) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_are_forgotten() {
        let (failures, id) = (Failures::default(), "a".parse().unwrap());
        assert_eq!(failures.add(&id), FIRST);
        assert_eq!(failures.add(&id), FIRST * 2);
        failures.forget(&id);
        assert_eq!(failures.add(&id), FIRST);
        assert_eq!(delay(1000), LONGEST);
    }
}
