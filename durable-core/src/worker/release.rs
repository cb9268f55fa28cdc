//! Releases leases of executions that an invocation could not continue.

use std::sync::Arc;

use super::failures::delay;
use super::serve::Service;
use crate::metrics;
use crate::store::{Batch, ExecutionUpdate, Fence, StoreError, StoreErrorKind};

/// Number of attempts to release a lease before it is left to expire.
const RELEASE_ATTEMPTS: u32 = 8;

impl Service {
    /// Handles an error of the store in the middle of an invocation.
    pub(super) async fn store_failed(&self, fence: &Fence, handler: &str, error: StoreError) {
        match error.kind() {
            StoreErrorKind::FenceLost => {
                tracing::warn!(execution = %fence.execution, "another worker took the execution over");
            }
            // The error would recur.
            StoreErrorKind::Corrupt | StoreErrorKind::TooLarge | StoreErrorKind::TooNew => {
                self.block(fence, handler, error.to_string()).await;
            }
            _ => {
                tracing::warn!(execution = %fence.execution, %error, "the store failed during the invocation, which is tried again");
                self.retry_later(fence).await;
            }
        }
    }

    /// Blocks an execution that cannot run.
    pub(super) async fn block(&self, fence: &Fence, handler: &str, report: String) {
        tracing::error!(execution = %fence.execution, report, "blocked");
        if self.release(fence, ExecutionUpdate::Block { report }).await {
            metrics::execution_blocked(handler);
        }
    }

    /// Suspends an execution until its retry delay is over.
    pub(super) async fn retry_later(&self, fence: &Fence) {
        let delay = self.failures.add(&fence.execution);
        let wake_at = Some(self.settings.now().after(delay));
        self.release(fence, ExecutionUpdate::Suspend { wake_at })
            .await;
    }

    /// Releases the lease and returns whether the store accepted `update`. If the store keeps failing, leaves the
    /// lease to expire.
    async fn release(&self, fence: &Fence, update: ExecutionUpdate) -> bool {
        let batch = Batch::release(update);
        for attempt in 1..=RELEASE_ATTEMPTS {
            match self.store.checkpoint(fence, Arc::clone(&batch)).await {
                Ok(_) => return true,
                Err(error) if error.kind() == StoreErrorKind::FenceLost => return false,
                Err(error) => {
                    tracing::warn!(execution = %fence.execution, %error, "cannot release the lease, retrying");
                    self.settings.clock.sleep(delay(attempt)).await;
                }
            }
        }
        tracing::error!(execution = %fence.execution, "the lease was not released: the execution resumes after it expires");
        false
    }
}

/// Returns the report of an execution that crashed this many processes.
pub(super) fn crash_report(crashes: u32) -> String {
    format!(
        "{crashes} processes in a row ended while they ran this execution, and none of them recorded anything new: \
         check the workers' logs for the cause. It is tried again by another build, or when it is resumed"
    )
}
