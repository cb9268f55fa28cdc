//! Chooses between a commit on the thread of the caller, which is fastest for a lone one, and the writer thread, where
//! concurrent ones share a commit.

use std::sync::atomic::{AtomicUsize, Ordering};

use durable_core::store::{Ack, StoreError};

use crate::checkpoint::Checkpoint;
use crate::claims::{ClaimBatch, ClaimMany};
use crate::session::Write;
use crate::store::Inner;

/// Largest values, in bytes, that are committed on the caller's thread.
const MAX_INLINE_SIZE: usize = 64 << 10;

/// Maximum number of executions that are claimed on the caller's thread at once. The writer thread claims the others.
const MAX_INLINE_CLAIM: usize = 8;

impl Inner {
    pub(crate) async fn checkpoint(&self, write: Checkpoint) -> Result<Ack, StoreError> {
        self.commit(write, || self.writer.session().is_quiet())
            .await
    }

    /// Commits a write of a client.
    pub(crate) async fn call<W: Write>(&self, write: W) -> Result<W::Answer, StoreError> {
        let _counted = self.calls.enter();
        let is_lone = || self.calls.count() == 1 && self.writer.session().is_quiet();
        self.commit(write, is_lone).await
    }

    /// Commits `write` on this thread if it is small and, as far as `is_lone` can tell, no other could share the commit.
    async fn commit<W: Write>(
        &self,
        write: W,
        is_lone: impl Fn() -> bool,
    ) -> Result<W::Answer, StoreError> {
        if write.size() > MAX_INLINE_SIZE || !is_lone() {
            return self.writer.enqueue(write).await;
        }
        // An inline commit never yields, so an execution of short steps would starve the other tasks of this
        // thread. They may also have writes to share the commit with.
        tokio::task::yield_now().await;
        if !is_lone() {
            return self.writer.enqueue(write).await;
        }
        match self.writer.inline(write) {
            Ok(answer) => answer,
            Err(write) => self.writer.enqueue(write).await,
        }
    }

    pub(crate) async fn claim_due(&self, claim: ClaimMany) -> Result<ClaimBatch, StoreError> {
        let claimed = self.claim(claim).await?;
        let many = claimed.len() >= MAX_INLINE_CLAIM;
        self.claims_many.store(many, Ordering::Relaxed);
        Ok(claimed)
    }

    async fn claim(&self, mut claim: ClaimMany) -> Result<ClaimBatch, StoreError> {
        let many = self.claims_many.load(Ordering::Relaxed) || !self.writer.session().is_quiet();
        // A sync may take long, and it is not the worker alone that needs this thread.
        if many || claim.must_sync() {
            return self.writer.enqueue(claim).await;
        }
        let limit = claim.request.limit;
        claim.request.limit = limit.min(MAX_INLINE_CLAIM);
        match self.writer.inline(claim) {
            Ok(answer) => answer,
            Err(mut claim) => {
                claim.request.limit = limit;
                self.writer.enqueue(claim).await
            }
        }
    }
}

/// Counts calls in progress.
#[derive(Debug, Default)]
pub(crate) struct InProgress(AtomicUsize);

impl InProgress {
    /// Counts a call until the returned value is dropped.
    fn enter(&self) -> Counted<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted(self)
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

struct Counted<'a>(&'a InProgress);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
