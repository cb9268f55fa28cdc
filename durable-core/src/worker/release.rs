//! Leases are given up where an invocation cannot go on by itself.

use std::sync::Arc;

use super::failures::delay;
use super::serve::Service;
use crate::store::{Batch, ExecutionUpdate, Fence, StoreError, StoreErrorKind};

/// How often giving an execution back is tried before it is left to its lease.
const GIVE_BACK_ATTEMPTS: u32 = 8;

impl Service {
    /// The store failed in the middle of an invocation.
    pub(super) async fn failed(&self, fence: &Fence, error: StoreError) {
        match error.kind() {
            StoreErrorKind::FenceLost => {
                tracing::warn!(execution = %fence.execution, "lost to another worker");
            }
            // It would be no other next time.
            StoreErrorKind::Corrupt | StoreErrorKind::TooLarge | StoreErrorKind::TooNew => {
                self.park(fence, error.to_string()).await;
            }
            _ => {
                tracing::warn!(execution = %fence.execution, %error, "cut off, is tried again");
                self.give_back(fence).await;
            }
        }
    }

    /// Blocks an execution that cannot be run.
    pub(super) async fn park(&self, fence: &Fence, report: String) {
        tracing::error!(execution = %fence.execution, report, "blocked");
        self.give_up(fence, ExecutionUpdate::Block { report }).await;
    }

    /// Lets an execution rest before it is claimed again.
    pub(super) async fn give_back(&self, fence: &Fence) {
        let rest = self.failures.add(&fence.execution);
        let wake_at = Some(self.settings.now().after(rest));
        self.give_up(fence, ExecutionUpdate::Suspend { wake_at })
            .await;
    }

    /// Gives the lease up. If the store fails for long, it is left to expire.
    async fn give_up(&self, fence: &Fence, update: ExecutionUpdate) {
        let batch = Batch::giving_up(update);
        for attempt in 1..=GIVE_BACK_ATTEMPTS {
            match self.store.checkpoint(fence, Arc::clone(&batch)).await {
                Ok(_) => return,
                Err(error) if error.kind() == StoreErrorKind::FenceLost => return,
                Err(error) => {
                    tracing::warn!(execution = %fence.execution, %error, "cannot be given back, trying again");
                    self.settings.clock.sleep(delay(attempt)).await;
                }
            }
        }
        tracing::error!(execution = %fence.execution, "not given back: it goes on when its lease has expired");
    }
}

/// Why an execution is blocked that ended so many processes.
pub(super) fn poisoned(crashes: u32) -> String {
    format!(
        "{crashes} processes in a row ended while they ran this execution, and none of them recorded anything new: \
         look at the logs of the workers for how they ended. It is tried again by another build, or when it is resumed"
    )
}
