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
        if write.size() > MAX_INLINE_SIZE || !self.writer.session().is_alone(write.token) {
            return self.writer.enqueue(write).await;
        }
        // An inline commit never yields, so an execution of short steps would starve the other tasks of this
        // thread. They may also have checkpoints to share the commit with.
        tokio::task::yield_now().await;
        if !self.writer.session().is_alone(write.token) {
            return self.writer.enqueue(write).await;
        }
        self.inline_or_enqueue(write).await
    }

    /// Commits a write of a client.
    pub(crate) async fn call<W: Write>(&self, write: W) -> Result<W::Answer, StoreError> {
        let _counted = self.calls.enter();
        if write.size() > MAX_INLINE_SIZE {
            return self.writer.enqueue(write).await;
        }
        // As above: calls of other tasks are counted now.
        tokio::task::yield_now().await;
        if self.calls.count() > 1 || !self.writer.session().is_quiet() {
            return self.writer.enqueue(write).await;
        }
        self.inline_or_enqueue(write).await
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

    async fn inline_or_enqueue<W: Write>(&self, write: W) -> Result<W::Answer, StoreError> {
        match self.writer.inline(write) {
            Ok(answer) => answer,
            Err(write) => self.writer.enqueue(write).await,
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
