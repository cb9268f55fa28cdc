//! How long what failed rests before it is tried again: never a hot loop.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::ExecutionId;

/// The first delay; each further one is twice as long.
const FIRST: Duration = Duration::from_millis(100);
/// The longest delay.
const LONGEST: Duration = Duration::from_secs(60);

/// The delay after so many failures in a row.
pub(super) fn delay(failures: u32) -> Duration {
    FIRST
        .saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(LONGEST)
}

/// How often in a row executions could not be run to where they can rest.
#[derive(Default)]
pub(super) struct Failures(Mutex<HashMap<ExecutionId, u32>>);

impl Failures {
    /// One more: how long the execution is to rest.
    pub(super) fn add(&self, id: &ExecutionId) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(id.clone()).or_default();
        *count = count.saturating_add(1);
        delay(*count)
    }

    /// It went well.
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
